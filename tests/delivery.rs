//! Sent means acknowledged: what our own kernel took has not arrived at the peer.

mod support;

use std::io::Write as _;
use std::time::Duration;

use nix::sys::signal::Signal;
use socket2::SockRef;

use support::client::Client;
use support::daemon::Daemon;
use support::kernel::{sleeps, wait_until_gone};
use support::network::run;
use support::record::{number, text};
use support::{PATIENCE, PROTOCOLS, dawdle, eventually_true, for_both_protocols, now, skip};

/// More than a small receive buffer takes, and less than our kernel does.
static ECHO: [u8; 30_000] = [b'x'; 30_000];

/// Its bytes are signs of life, and no excuse.
#[test]
fn a_peer_that_sends_on_and_never_reads_is_held_to_the_write_deadline() {
    let daemon = Daemon::start("deadlines.write = '3s'");
    for_both_protocols(|protocol| {
        let mut client = Client::with_small_buffer(daemon.address(protocol));
        client.send(ECHO);
        let began = now();
        while client.stream.write_all(b"more\n").is_ok() && began.elapsed() < PATIENCE {
            dawdle(Duration::from_millis(100));
        }
        let close = daemon.wait_for_close(client.address);
        assert_eq!(close["reason"], "write_timeout", "{close}");
        assert_eq!(close["verdict"], "peer_not_reading", "{close}");
        assert!((2_900..8_000).contains(&number(&close, "lifetime_ms")), "{close}");
        assert!(number(&close, "unechoed_bytes") > 0, "{close}");
    });
}

#[test]
fn after_a_fin_the_echo_is_waited_for_and_a_reset_ends_the_wait() {
    let daemon = Daemon::start("");
    for_both_protocols(|protocol| {
        let client = finish_and_read_nothing(&daemon, protocol);
        let peer = client.address;
        client.reset();
        let close = daemon.wait_for_close(peer);
        assert_eq!(close["reason"], "peer_reset", "{close}");
        assert!(number(&close, "unechoed_bytes") > 0, "{close}");
    });
}

#[test]
fn after_a_fin_the_echo_is_waited_for_until_the_write_deadline() {
    let daemon = Daemon::start("deadlines.write = '2s'");
    for_both_protocols(|protocol| {
        let client = finish_and_read_nothing(&daemon, protocol);
        let close = daemon.wait_for_close(client.address);
        assert_eq!(close["reason"], "write_timeout", "{close}");
        assert_eq!(close["verdict"], "peer_not_reading", "{close}");
        assert!(number(&close, "unechoed_bytes") > 0, "{close}");
    });
}

#[test]
fn after_a_fin_the_peer_may_take_its_time() {
    const PAUSE: Duration = Duration::from_secs(1);
    let daemon = Daemon::start("");
    for_both_protocols(|protocol| {
        let mut client = finish_and_read_nothing(&daemon, protocol);
        dawdle(PAUSE);
        assert!(client.rest() == ECHO, "the echo differs from what was sent");
        let close = daemon.wait_for_close(client.address);
        assert_eq!(close["reason"], "peer_closed", "{close}");
        assert_eq!(close["unechoed_bytes"], 0, "{close}");
        assert!(u128::from(number(&close, "lifetime_ms")) >= PAUSE.as_millis(), "{close}");
    });
}

/// A client of whose bytes the daemon has read all, and their end, while it took nearly nothing of their echo.
#[track_caller]
fn finish_and_read_nothing(daemon: &Daemon, protocol: &str) -> Client {
    let mut client = Client::with_small_buffer(daemon.address(protocol));
    client.send(ECHO);
    client.finish();
    client.wait_until_fin_delivered();
    eventually_true("the daemon reads it", || client.unread_by_daemon().is_none_or(|unread| unread == 0));
    client
}

/// All of it is there before the daemon looks.
#[test]
fn data_fin_and_reset_at_once_have_always_the_same_reason() {
    const TIMES: usize = 20;
    let daemon = Daemon::start("");
    for protocol in PROTOCOLS {
        let connect = |_| {
            let mut client = Client::connect(daemon.address(protocol));
            client.echo("hello\n");
            client
        };
        let clients: Vec<_> = (0..TIMES).map(connect).collect();
        let ends: Vec<_> = clients.iter().map(|client| (client.server, client.address)).collect();
        daemon.signal(Signal::SIGSTOP);
        for mut client in clients {
            client.send("and this\n");
            client.finish();
            client.reset();
        }
        ends.iter().for_each(|(server, peer)| wait_until_gone(*server, *peer));
        daemon.signal(Signal::SIGCONT);
        let mut reasons: Vec<_> = ends
            .iter()
            .map(|(_, peer)| {
                let close = daemon.wait_for_close(*peer);
                (text(&close, "reason").to_owned(), number(&close, "unechoed_bytes") > 0)
            })
            .collect();
        reasons.sort();
        reasons.dedup();
        assert_eq!(reasons.len(), 1, "{protocol}: {reasons:?}");
        assert_ne!(reasons[0].0, "peer_closed", "{protocol}: nothing was in good order");
    }
}

/// The kernel's buffers cost memory like our own.
#[test]
fn a_peer_that_never_reads_holds_no_more_than_a_quarter_of_a_mebibyte() {
    const PEERS: usize = 100;
    const IN_DAEMON: usize = 16 * 1024;
    const MOST: usize = 256 * 1024 - IN_DAEMON;
    if let Err(why) = run("ss", &["-V"]) {
        return skip(&why);
    }
    let daemon = Daemon::start("");
    let clients: Vec<_> = (0..PEERS).map(|index| flood(&daemon, PROTOCOLS[index % 2])).collect();
    eventually_true("the daemon is held up by all of them", || {
        clients.iter().for_each(send_what_fits);
        sleeps(daemon.pid()) && clients.iter().all(|client| client.unread_by_daemon() > Some(0))
    });
    let held = PROTOCOLS.map(|protocol| held_by_kernel(daemon.address(protocol).port())).concat();
    assert_eq!(held.len(), PEERS);
    let most = held.iter().max().copied().unwrap_or_default();
    assert!(most <= MOST, "{most} bytes for one peer: {held:?}");
}

fn flood(daemon: &Daemon, protocol: &str) -> Client {
    let client = Client::with_small_buffer(daemon.address(protocol));
    // Less to keep in memory on the other side.
    SockRef::from(&client.stream).set_send_buffer_size(64 * 1024).expect("an option of sockets");
    client.stream.set_nonblocking(true).expect("an option of sockets");
    client
}

fn send_what_fits(client: &Client) {
    while (&client.stream).write(&[b'\n'; 16 * 1024]).is_ok() {}
}

/// Receive and send memory together of every connection at a port of ours: `r` and `w` of ss(8)'s skmem.
#[track_caller]
fn held_by_kernel(port: u16) -> Vec<usize> {
    let filter = format!("sport = :{port}");
    let listing = run("ss", &["-tmnH", "state", "established", &filter]).expect("it lists sockets");
    let memories = listing.lines().filter_map(|line| line.split_once("skmem:(")?.1.split_once(')'));
    let held = memories.map(|(memory, _)| {
        let value = |key| memory.split(',').find_map(|field| field.strip_prefix(key)?.parse::<usize>().ok());
        value("r").expect("what is received") + value("w").expect("what is to be sent")
    });
    held.collect()
}
