//! Peers that take bytes slowly, or not at all: not closed without need, and never at the cost of memory.

mod support;

use std::io::Write as _;
use std::time::Duration;

use support::client::{Client, SMALL_BUFFER};
use support::daemon::Daemon;
use support::kernel::{resident_bytes, sleeps};
use support::record::number;
use support::{PROTOCOLS, dawdle, eventually_true, for_both_protocols};

/// The kernel reports the socket as writable only when a third of a send buffer of megabytes is free. That would take
/// this peer minutes; what it takes meanwhile counts all the same.
#[test]
fn a_peer_that_takes_a_little_within_each_write_deadline_is_not_closed() {
    let daemon = Daemon::start("deadlines.write = '1500ms'");
    for_both_protocols(|protocol| {
        let mut client = Client::with_small_buffer(daemon.address(protocol));
        let mut sent = client.send_until_blocked(&daemon);
        let more = vec![b'x'; 256 * 1024];
        client.send(&more);
        sent.extend(more);
        let mut returned = Vec::new();
        for _ in 0..40 {
            dawdle(Duration::from_millis(75));
            returned.extend(client.receive(1024));
        }
        assert!(client.unread_by_daemon() > Some(0), "this peer was to hold the daemon up");
        client.finish();
        returned.extend(client.rest());
        assert!(returned == sent, "the echo differs from what was sent");
        let close = daemon.wait_for_close(client.address);
        assert_eq!(close["reason"], "peer_closed", "{close}");
        assert_eq!(close["rx_bytes"], sent.len(), "{close}");
        assert_eq!(close["tx_bytes"], sent.len(), "{close}");
    });
}

/// What it took leaves room for the bytes that waited, but too little for the kernel to report any: only a look at the
/// socket finds it. From there on it is read again, and blocked again.
#[test]
fn a_peer_that_takes_a_little_and_then_nothing_is_closed_in_time() {
    let daemon = Daemon::start("deadlines.write = '1s'");
    for_both_protocols(|protocol| {
        let mut client = Client::with_small_buffer(daemon.address(protocol));
        client.send_until_blocked(&daemon);
        client.send(vec![b'x'; 1024 * 1024]);
        client.receive(128 * 1024);
        let close = daemon.wait_for_close(client.address);
        assert_eq!(close["reason"], "write_timeout", "{close}");
        assert!(number(&close, "lifetime_ms") < 20_000, "{close}");
    });
}

/// While the peer takes nothing we read nothing: its silence is then our own doing.
#[test]
fn a_slow_reader_is_never_reported_as_idle() {
    let settings =
        "heartbeat = { interval = '300ms', timeout = '300ms', max_missed = 2 }\ndeadlines.read = '1s'";
    let daemon = Daemon::start(settings);
    for_both_protocols(|protocol| {
        let mut client = Client::with_small_buffer(daemon.address(protocol));
        let sent = client.send_until_blocked(&daemon);
        dawdle(Duration::from_secs(2));
        client.finish();
        let returned = client.rest();
        let probes = returned.windows(5).filter(|window| *window == b"PING ").count();
        assert_eq!(returned.len(), sent.len() + probes * "PING 1\n".len());
        let close = daemon.wait_for_close(client.address);
        assert_eq!(close["reason"], "peer_closed", "{close}");
    });
}

#[test]
fn the_heartbeat_goes_on_once_a_slow_reader_has_caught_up() {
    let daemon = Daemon::start("heartbeat = { interval = '200ms', timeout = '5s', max_missed = 1 }");
    let mut client = Client::with_small_buffer(daemon.address("line"));
    let sent = client.send_until_blocked(&daemon);
    client.receive(sent.len());
    assert_eq!(client.receive_line(), "PING 1\n");
    client.echo("here I am\n");
}

/// A peer that finished may read the rest as slowly as it likes.
#[test]
fn a_half_closed_slow_reader_gets_everything() {
    let daemon = Daemon::start("deadlines.write = '2s'");
    for_both_protocols(|protocol| {
        let mut client = Client::with_small_buffer(daemon.address(protocol));
        let sent = client.send_until_blocked(&daemon);
        client.finish();
        client.wait_until_fin_delivered();
        dawdle(Duration::from_millis(200));
        assert!(client.rest() == sent, "the echo differs from what was sent");
        let close = daemon.wait_for_close(client.address);
        assert_eq!(close["reason"], "peer_closed", "{close}");
    });
}

/// Each peer may cost the daemon one read's worth of bytes, however much it sends.
#[test]
fn peers_that_never_read_do_not_fill_the_memory() {
    const CLIENTS: usize = 50;
    const PER_CLIENT: usize = 4 * 1024 * 1024;
    const BOUND: usize = CLIENTS * 64 * 1024;
    let daemon = Daemon::start("");
    let mut clients: Vec<Client> =
        (0..CLIENTS).map(|index| Client::with_small_buffer(daemon.address(PROTOCOLS[index % 2]))).collect();
    clients.iter_mut().for_each(|client| client.echo("hello\n"));
    let before = resident_bytes(daemon.pid());
    for client in &mut clients {
        client.stream.set_nonblocking(true).expect("an option of sockets");
        let mut sent = 0;
        while sent < PER_CLIENT
            && client.stream.write(&[b'x'; 64 * 1024]).map(|length| sent += length).is_ok()
        {}
    }
    eventually_true("the daemon is held up by all of them", || {
        clients.iter().all(|client| client.unread_by_daemon() > Some(0))
    });
    eventually_true("it rests", || sleeps(daemon.pid()));
    let growth = resident_bytes(daemon.pid()).saturating_sub(before);
    assert!(growth < BOUND, "{growth} bytes for {CLIENTS} peers that do not read");
    // Whoever reads again gets the rest, and the others did not disturb anybody.
    let mut bystander = Client::connect(daemon.address("raw"));
    bystander.echo(vec![b'y'; SMALL_BUFFER]);
}
