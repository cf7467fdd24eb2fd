//! A packet or two are lost on a path that is well otherwise: too little to blame it.

use std::time::Duration;

use crate::at_once;
use crate::expected::{Expected, deadline};
use crate::lab::Way;
use crate::support::client::Client;
use crate::support::record::number;
use crate::support::{PROTOCOLS, eventually_true, now};
use crate::wire::{Wire, lab_with_wire};

/// Nothing comes before the write deadline.
const WRITE: &str = "
    deadlines = { read = '30s', write = '5s' }
    heartbeat = { interval = '8s', timeout = '4s', max_missed = 3 }";

/// Its host has acknowledged two questions that its application left unanswered. That the third is on its way does not
/// change that.
#[test]
fn the_last_of_three_probes_is_lost() {
    const ECHOES: usize = 40;
    // No whole seconds: the kernel's keepalive must not ask at the same moment, and be heard in place of the probe's acknowledgement.
    let settings = "heartbeat = { interval = '1100ms', timeout = '1100ms', max_missed = 3 }";
    lab_with_wire(settings, |lab, wire| {
        let mut client = wire.connect("line");
        // A connection on which next to nothing was ever lost.
        (0..ECHOES).for_each(|_| client.echo("a line\n"));
        assert_eq!([(); 2].map(|()| client.receive_line()), ["PING 1\n", "PING 2\n"]);
        wire.change(&client, Way::ToClient, |faults| faults.drop_data = true);
        let expected = deadline("heartbeat_timeout", "peer_hung", Duration::from_millis(4400));
        let close = lab.expect_verdict("the last of three probes is lost", client.address, expected);
        assert!(number(&close, "tcp_unacked") > 0, "{close}");
    });
}

/// The next one is answered.
#[test]
fn one_window_probe_is_lost() {
    lab_with_wire(WRITE, |lab, wire| {
        at_once(&PROTOCOLS, |protocol| {
            let client = lose_window_probe(wire, protocol, Duration::from_millis(300));
            lab.expect("a window probe is lost", client.address, not_reading());
        });
    });
}

/// It is overdue when the connection ends, and the one before was answered a while ago. Whether the path was lost
/// since then nobody knows.
#[test]
fn the_last_window_probe_is_lost() {
    lab_with_wire(WRITE, |lab, wire| {
        at_once(&PROTOCOLS, |protocol| {
            let client = lose_window_probe(wire, protocol, Duration::from_millis(600));
            lab.expect_at_best("the last window probe is lost", client.address, not_reading());
        });
    });
}

fn not_reading() -> Expected {
    deadline("write_timeout", "peer_not_reading", Duration::from_secs(5))
}

/// A client that does not read the little it gets. It is asked for its window after 0.2, 0.6, 1.4 and 3 seconds, each
/// time after a longer pause. One of these questions is lost: the next after such a pause.
fn lose_window_probe(wire: &Wire<'_>, protocol: &str, pause: Duration) -> Client {
    let mut client = wire.connect_with_small_buffer(protocol);
    client.send([b'\n'; 20_000]);
    let carried = || wire.traffic(&client, Way::ToClient).carried;
    let (mut before, mut since) = (carried(), now());
    eventually_true("a window probe after a pause", || {
        if carried() == before {
            return false;
        }
        let paused = since.elapsed();
        (before, since) = (carried(), now());
        paused >= pause
    });
    wire.change(&client, Way::ToClient, |faults| faults.drop_next = 1);
    client
}
