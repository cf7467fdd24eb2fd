//! Nothing leaves the daemon's own host: that is no fault of the network, nor of the peer.

use std::time::Duration;

use crate::at_once;
use crate::expected::{SETTINGS, deadline, heartbeat_timeout};
use crate::lab::{Host, lab};
use crate::support::record::{Record, text};

type Fault = (&'static str, fn(&Host<'_>));

const FAULTS: [Fault; 3] = [
    ("packets dropped on the way out", |host| host.server_sends_nothing()),
    ("link down at the server", |host| host.server_link_down()),
    ("route to nowhere: blackhole", |host| host.server_route("blackhole")),
];

#[test]
fn its_probes_do_not_leave_it() {
    lab(SETTINGS, |lab| {
        at_once(&FAULTS, |(fault, happen)| {
            let host = lab.host();
            let client = host.connect("line");
            happen(&host);
            let expected = heartbeat_timeout("path_lost");
            check_message(&lab.expect_verdict(fault, client.address, expected));
        });
    });
}

#[test]
fn its_echo_does_not_leave_it() {
    let settings = "deadlines = { read = 'off', write = '3s' }";
    lab(settings, |lab| {
        let host = lab.host();
        let mut client = host.connect("raw");
        host.server_sends_nothing();
        client.send("more");
        let expected = deadline("write_timeout", "path_lost", Duration::from_secs(3));
        check_message(&lab.expect_verdict("packets dropped on the way out", client.address, expected));
    });
}

/// Whoever reads it looks here first.
#[track_caller]
fn check_message(close: &Record) {
    assert!(text(close, "message").contains("own host"), "{close}");
}
