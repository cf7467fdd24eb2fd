//! The daemon itself sleeps: stopped, starved or suspended. It blames nobody for that, and says so.

mod support;

use std::time::Duration;

use nix::sys::signal::Signal;
use support::client::Client;
use support::daemon::Daemon;
use support::record::number;
use support::{PROTOCOLS, dawdle};

/// Stops the daemon for longer than any deadline of the test, then lets it wake up and judge.
fn put_to_sleep(daemon: &Daemon) {
    daemon.signal(Signal::SIGSTOP);
    dawdle(Duration::from_millis(1500));
    daemon.signal(Signal::SIGCONT);
    dawdle(Duration::from_millis(50));
}

/// Comes once it is punctual again.
#[track_caller]
fn assert_sleep_is_owned_up_to(daemon: &Daemon) {
    let stall = daemon.wait_for_event("stall");
    assert_eq!(stall["level"], "WARN", "{stall}");
}

#[test]
fn a_missed_probe_is_forgiven() {
    let daemon = Daemon::start("heartbeat = { interval = '200ms', timeout = '1s', max_missed = 1 }");
    let mut client = Client::connect(daemon.address("line"));
    assert_eq!(client.receive_line(), "PING 1\n");
    put_to_sleep(&daemon);
    client.send("PONG 1\n");
    assert_eq!(client.receive_line(), "PING 2\n");
    client.finish();
    client.wait_until_over();
    let close = daemon.wait_for_close(client.address);
    assert_eq!(close["reason"], "peer_closed", "{close}");
    assert_eq!((number(&close, "probes_answered"), number(&close, "probes_missed")), (1, 0), "{close}");
    assert_sleep_is_owned_up_to(&daemon);
}

#[test]
fn a_read_deadline_begins_again() {
    let daemon = Daemon::start("heartbeat.interval = 'off'\ndeadlines.read = '1s'");
    let mut clients = PROTOCOLS.map(|protocol| Client::connect(daemon.address(protocol)));
    clients.iter_mut().for_each(|client| client.echo("before"));
    put_to_sleep(&daemon);
    clients.iter_mut().for_each(|client| client.echo("after"));
    for mut client in clients {
        client.expect_end();
        let close = daemon.wait_for_close(client.address);
        assert_eq!(close["reason"], "read_timeout", "the deadline is not lifted: {close}");
        assert!(number(&close, "idle_ms") >= 1000, "{close}");
    }
    assert_sleep_is_owned_up_to(&daemon);
}

#[test]
fn a_write_deadline_begins_again() {
    let daemon = Daemon::start("deadlines.write = '1s'");
    let mut client = Client::with_small_buffer(daemon.address("raw"));
    let sent = client.send_until_blocked(&daemon);
    put_to_sleep(&daemon);
    client.finish();
    assert!(client.rest() == sent, "the echo differs from what was sent");
    let close = daemon.wait_for_close(client.address);
    assert_eq!(close["reason"], "peer_closed", "{close}");
    assert_sleep_is_owned_up_to(&daemon);
}

/// What arrives while it sleeps is found before anybody is judged.
#[test]
fn what_arrived_meanwhile_counts() {
    let daemon = Daemon::start("heartbeat.interval = 'off'\ndeadlines.read = '1s'");
    let mut client = Client::connect(daemon.address("raw"));
    client.echo("before");
    daemon.signal(Signal::SIGSTOP);
    client.send("in between");
    dawdle(Duration::from_millis(1500));
    daemon.signal(Signal::SIGCONT);
    client.expect("in between");
}
