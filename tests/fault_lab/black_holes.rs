//! A path that carries small packets and swallows full ones, as where a tunnel begins and nobody says so: whoever looks
//! at it with small ones finds it well.

use std::time::Duration;

use crate::at_once;
use crate::clients::ClientProcess;
use crate::expected::{SETTINGS, deadline, heartbeat_timeout, read_timeout};
use crate::lab::Way;
use crate::support::PROTOCOLS;
use crate::wire::lab_with_wire;

/// Probes and acknowledgements are shorter, full segments are longer.
const LONGEST: usize = 600;

/// Some segments, all of them longer than what passes, and fewer than TCP sends before the first acknowledgement.
const UPLOAD: [u8; 4000] = [b'x'; 4000];

/// The kernel took the whole echo at once, so nothing waits here.
#[test]
fn full_segments_to_the_peer_vanish() {
    let settings = "
        deadlines = { read = '30s', write = '5s' }
        heartbeat = { interval = '8s', timeout = '4s', max_missed = 3 }";
    lab_with_wire(settings, |lab, wire| {
        at_once(&PROTOCOLS, |protocol| {
            let mut client = wire.connect(protocol);
            wire.change(&client, Way::ToClient, |faults| faults.longest = Some(LONGEST));
            client.send(UPLOAD);
            let expected = deadline("write_timeout", "path_lost", Duration::from_secs(5));
            lab.expect("full segments to the peer vanish", client.address, expected);
        });
    });
}

/// It uploads and answers, but what arrives comes after what does not.
#[test]
fn full_segments_from_the_peer_vanish() {
    lab_with_wire(SETTINGS, |lab, wire| {
        at_once(&PROTOCOLS, |protocol| {
            let mut client = wire.connect(protocol);
            wire.change(&client, Way::ToServer, |faults| faults.longest = Some(LONGEST));
            client.send(UPLOAD);
            client.send("and a little more");
            let client = ClientProcess::answering(client);
            let expected = match *protocol {
                "line" => heartbeat_timeout("path_lost"),
                _ => read_timeout("path_lost"),
            };
            lab.expect_verdict("full segments from the peer vanish", client.peer, expected);
        });
    });
}
