//! Some packets get through, some do not.

use crate::clients::ClientProcess;
use crate::lab::lab;
use crate::support::PROTOCOLS;

/// Time enough for what is lost twice to be sent a third time.
const SETTINGS: &str = "heartbeat = { interval = '1s', timeout = '3s', max_missed = 2 }";

#[test]
fn a_path_that_loses_every_other_packet_ends_nothing() {
    lab(SETTINGS, |lab| {
        // Each on a host of its own, so that none of them gets all the losses.
        let hosts = PROTOCOLS.map(|_| lab.host());
        let [line, mut raw] = [0, 1].map(|index| hosts[index].connect(PROTOCOLS[index]));
        hosts.iter().for_each(|host| host.filter_to_client("numgen inc mod 2 == 0 drop"));
        let mut line = ClientProcess::answering(line);
        (0..8).for_each(|_| line.wait_for_answer());
        raw.echo("still here");
        lab.expect_no_close();
    });
}

/// Its host has got our probes, though not at the first attempt, and had time to answer several times.
#[test]
fn a_path_that_loses_packets_is_not_called_lost() {
    lab(SETTINGS, |lab| {
        let host = lab.host();
        let client = host.connect("line");
        host.filter_to_client("numgen inc mod 3 != 0 drop");
        let close = lab.daemon.wait_for_close(client.address);
        assert_eq!(close["reason"], "heartbeat_timeout", "{close}");
        assert!(close["verdict"] == "peer_hung" || close["verdict"] == "unknown", "{close}");
        assert_eq!(close["tcp_unacked"], 0, "{close}");
    });
}
