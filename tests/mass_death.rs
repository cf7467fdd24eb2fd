//! Many peers lost at once, in a test binary of its own: it needs most of the descriptors that a process may have.

mod support;

use std::net::TcpStream;
use std::time::Duration;

use pulse_echo::limits::raise_descriptor_limit;
use socket2::SockRef;
use support::client::Client;
use support::daemon::Daemon;
use support::skip;

const PEERS: usize = 15_000;

/// Nobody reads the log at that moment, and nobody else notices.
#[test]
fn every_one_of_15_000_peers_lost_at_once_has_its_record() {
    let descriptors = raise_descriptor_limit().expect("as many descriptors as allowed");
    if descriptors < PEERS as u64 + 1000 {
        return skip("the descriptor limit is too low");
    }
    let daemon = Daemon::start("heartbeat = { interval = '1s', timeout = '5s', max_missed = 3 }");
    let address = daemon.address("line");
    let peers: Vec<TcpStream> =
        (0..PEERS).map(|_| TcpStream::connect(address).expect("the daemon listens")).collect();
    let mut healthy = Client::connect(address);
    healthy.echo("all are served\n");

    daemon.hold_log();
    for peer in peers {
        SockRef::from(&peer).set_linger(Some(Duration::ZERO)).expect("an open socket"); // closed by RST
    }
    healthy.echo("not disturbed\n");
    daemon.release_log();

    daemon.wait_for_closes(PEERS);
    drop(healthy);
    let summary = daemon.stop();
    assert_eq!((&summary["accepted"], &summary["log_lost"]), (&(PEERS + 1).into(), &0.into()), "{summary}");
}
