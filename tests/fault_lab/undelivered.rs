//! What our kernel took has not arrived. When the path is lost under it, nothing else may be there to notice: no read
//! deadline, no probe, and no keepalive while something is in flight.

use std::time::Duration;

use crate::at_once;
use crate::expected::deadline;
use crate::lab::{Lab, Way};
use crate::support::client::Client;
use crate::support::{PROTOCOLS, dawdle};
use crate::wire::{Wire, lab_with_wire};

const HEARTBEAT: &str = "heartbeat = { interval = '1s', timeout = '1s', max_missed = 2 }";
const DETECTION: Duration = Duration::from_secs(3);

#[test]
fn it_is_given_up_by_the_write_deadline() {
    let settings = format!("deadlines = {{ read = 'off', write = '4s' }}\n{HEARTBEAT}");
    lab_with_wire(&settings, |lab, wire| {
        at_once(&PROTOCOLS, |protocol| {
            let client = lose_path_under_echo(lab, wire, protocol);
            let expected = deadline("write_timeout", "path_lost", Duration::from_secs(4));
            lab.expect("path lost under an echo", client.address, expected);
        });
    });
}

#[test]
fn without_a_write_deadline_it_is_given_up_when_a_heartbeat_would_be() {
    let settings = format!("deadlines = {{ read = 'off', write = 'off' }}\n{HEARTBEAT}");
    lab_with_wire(&settings, |lab, wire| {
        at_once(&PROTOCOLS, |protocol| {
            let client = lose_path_under_echo(lab, wire, protocol);
            let expected = deadline("heartbeat_timeout", "path_lost", DETECTION);
            lab.expect("path lost under an echo, no write deadline", client.address, expected);
        });
    });
}

/// Its host answers window probes, and that is all that is asked of it.
#[test]
fn without_a_write_deadline_a_peer_that_only_does_not_read_stays() {
    let settings = format!("deadlines = {{ read = 'off', write = 'off' }}\n{HEARTBEAT}");
    lab_with_wire(&settings, |lab, wire| {
        let mut clients = PROTOCOLS.map(|protocol| wire.connect_with_small_buffer(protocol));
        clients.iter_mut().for_each(|client| wire.block(client));
        dawdle(DETECTION * 4);
        lab.expect_no_close();
        // Whoever reads again gets more than the kernels kept.
        clients.iter_mut().for_each(|client| client.expect([b'\n'; 16 * 1024]));
    });
}

/// In the middle of a line, where no probe can be sent, and in the raw protocol, which sends none.
fn lose_path_under_echo(lab: &Lab, wire: &Wire<'_>, protocol: &str) -> Client {
    let mut client = wire.connect(protocol);
    client.echo("half a line");
    wire.change(&client, Way::ToClient, |faults| faults.drop_all = true);
    client.send(", and more of it");
    lab.wait_until_in_flight(&client);
    wire.change(&client, Way::ToServer, |faults| faults.drop_all = true);
    client
}
