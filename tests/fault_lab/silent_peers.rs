//! The path is well and the peer's host answers, but the peer is silent.

use nix::sys::signal::Signal;

use crate::at_once;
use crate::clients::{ClientProcess, Flood};
use crate::expected::{SETTINGS, heartbeat_timeout, peer_closed, read_timeout, write_timeout};
use crate::lab::lab;
use crate::support::PROTOCOLS;
use crate::support::record::number;

/// Its application cannot be asked in the raw protocol, so there it is only idle.
#[test]
fn a_stopped_client_is_hung_if_it_was_asked_and_idle_if_not() {
    lab(SETTINGS, |lab| {
        at_once(&PROTOCOLS, |protocol| {
            let host = lab.host();
            let mut client = ClientProcess::answering(host.connect(protocol));
            let expected = match *protocol {
                "line" => {
                    client.wait_for_answer();
                    heartbeat_timeout("peer_hung")
                }
                _ => read_timeout("peer_idle"),
            };
            client.process.signal(Signal::SIGSTOP);
            let close = lab.expect("client stopped", client.peer, expected);
            if *protocol == "line" {
                assert_eq!((number(&close, "probes_answered"), number(&close, "probes_missed")), (1, 2));
            }
        });
    });
}

#[test]
fn a_peer_that_answers_every_probe_is_never_closed() {
    const PROBES: u64 = 12;
    lab(SETTINGS, |lab| {
        let host = lab.host();
        let mut client = ClientProcess::answering(host.connect("line"));
        (0..PROBES).for_each(|_| client.wait_for_answer());
        client.process.signal(Signal::SIGKILL);
        let close = lab.expect("client answers, then is killed", client.peer, peer_closed());
        assert!(number(&close, "probes_answered") >= PROBES, "{close}");
    });
}

/// In mid-line no probe can be sent, so the line protocol is no better off than the raw one.
#[test]
fn a_healthy_peer_that_is_not_asked_is_idle() {
    lab(SETTINGS, |lab| {
        at_once(&PROTOCOLS, |protocol| {
            let host = lab.host();
            let mut client = host.connect(protocol);
            client.echo("half a line");
            lab.expect("idle, in mid-line", client.address, read_timeout("peer_idle"));
        });
    });
}

#[test]
fn a_peer_that_never_reads_is_not_reading() {
    lab(SETTINGS, |lab| {
        at_once(&PROTOCOLS, |protocol| {
            let host = lab.host();
            let small = Flood::begin(host.connect_with_small_buffer(protocol));
            let large = Flood::begin(host.connect(protocol));
            for (fault, flood) in [("never reads", small), ("never reads, large buffer", large)] {
                let close = lab.expect(fault, flood.client.address, write_timeout("peer_not_reading"));
                assert!(number(&close, "unechoed_bytes") > 0, "{close}");
            }
        });
    });
}

/// All that it does not read fits into our socket, and still it has not arrived.
#[test]
fn a_peer_that_does_not_read_the_little_it_gets_is_not_reading_either() {
    const LITTLE: usize = 20_000;
    lab(SETTINGS, |lab| {
        at_once(&PROTOCOLS, |protocol| {
            let host = lab.host();
            let mut client = host.connect_with_small_buffer(protocol);
            client.send(format!("{:1$}\n", "", LITTLE - 1));
            let expected = write_timeout("peer_not_reading");
            let close = lab.expect("never reads the little it gets", client.address, expected);
            assert!(number(&close, "unechoed_bytes") > 0, "{close}");
        });
    });
}
