//! What only a failing network brings about: packets lost, routes gone, sockets killed. Each test has a network of its
//! own, which takes root, `ip` and `nft`; without them it is skipped, and says so.

mod support;

use std::net::SocketAddr;

use support::client::Client;
use support::daemon::Daemon;
use support::network::{Fate, cut_from, cut_to, in_own_network, run, set_retransmissions};
use support::record::{Record, number, text};
use support::{for_both_protocols, skip};

/// Found dead within two seconds. The line protocol's own heartbeat does not get that far.
const KEEPALIVE: &str = "heartbeat = { interval = '1s', timeout = '1s', max_missed = 1 }";

#[track_caller]
fn assert_close(close: &Record, reason: &str, errno: &str, op: &str) {
    assert_eq!(text(close, "reason"), reason, "{close}");
    assert_eq!((text(close, "errno"), text(close, "op")), (errno, op), "{close}");
}

#[test]
fn network_timeout_when_keepalives_go_unanswered() {
    in_own_network(|| {
        let daemon = Daemon::start(KEEPALIVE);
        let mut client = Client::connect(daemon.address("raw"));
        client.echo("hello");
        cut_from(client.address, Fate::Lost);
        let close = daemon.wait_for_close(client.address);
        assert_close(&close, "network_timeout", "ETIMEDOUT", "read");
        assert_eq!(close["rx_bytes"], 5, "{close}");
        assert_eq!(close["tx_bytes"], 5, "{close}");
        assert_eq!(close["unechoed_bytes"], 0, "{close}");
        assert!(number(&close, "lifetime_ms") >= 2000, "{close}");
    });
}

/// A living peer answers keepalives, or rather its host does, and so stays however idle it is.
#[test]
fn keepalives_that_are_answered_end_nothing() {
    in_own_network(|| {
        let daemon = Daemon::start(KEEPALIVE);
        let [mut idle, lost] = [(); 2].map(|()| Client::connect(daemon.address("raw")));
        cut_from(lost.address, Fate::Lost);
        daemon.wait_for_close(lost.address);
        idle.echo("still here");
    });
}

#[test]
fn network_timeout_when_retransmissions_go_unanswered() {
    for_echo_that_never_arrives(Fate::Lost, "network_timeout", "ETIMEDOUT");
}

#[test]
fn network_unreachable_when_a_router_knows_no_way() {
    for_echo_that_never_arrives(Fate::Unreachable, "network_unreachable", "EHOSTUNREACH");
}

/// The peer's bytes still arrive, ours do not. The kernel gives up; what it had accepted from us counts as sent.
fn for_echo_that_never_arrives(fate: Fate, reason: &str, errno: &str) {
    in_own_network(|| {
        set_retransmissions(2);
        let daemon = Daemon::start("");
        for_both_protocols(|protocol| {
            let mut client = Client::connect(daemon.address(protocol));
            client.echo("before\n");
            cut_to(client.address, fate);
            client.send("after\n");
            let close = daemon.wait_for_close(client.address);
            assert_close(&close, reason, errno, "read");
            assert_eq!(close["rx_bytes"], 13, "{close}");
            assert_eq!(close["tx_bytes"], 13, "{close}");
        });
    });
}

/// The same while bytes wait for the socket: then it is the write that fails.
#[test]
fn network_timeout_while_the_peer_takes_nothing() {
    in_own_network(|| {
        set_retransmissions(2);
        let daemon = Daemon::start("deadlines.write = 'off'");
        let mut client = Client::with_small_buffer(daemon.address("raw"));
        client.send_until_blocked(&daemon);
        cut_from(client.address, Fate::Lost);
        let close = daemon.wait_for_close(client.address);
        assert_close(&close, "network_timeout", "ETIMEDOUT", "write");
        assert!(number(&close, "unechoed_bytes") > 0, "{close}");
    });
}

/// The line protocol finds a lost path by its own probes, long before the kernel gives up.
#[test]
fn heartbeat_timeout_when_the_path_is_lost() {
    in_own_network(|| {
        let daemon = Daemon::start("heartbeat = { interval = '300ms', timeout = '300ms', max_missed = 3 }");
        let mut client = Client::connect(daemon.address("line"));
        client.echo("hello\n");
        cut_to(client.address, Fate::Lost);
        let close = daemon.wait_for_close(client.address);
        assert_eq!(text(&close, "reason"), "heartbeat_timeout", "{close}");
        // After a timeout TCP sends one segment at a time: what waits behind it has not left this host.
        assert!((1..=3).contains(&number(&close, "probes_sent")), "{close}");
        assert_eq!(close["probes_missed"], 3, "{close}");
        assert_eq!(text(&close, "verdict"), "path_lost", "{close}");
        assert!(number(&close, "tcp_unacked") > 0 && number(&close, "tcp_retransmits") > 0, "{close}");
    });
}

/// A peer that did not read, and then was gone: its window is closed as before, but nobody answers for it any more.
#[test]
fn write_timeout_when_the_path_is_lost() {
    in_own_network(|| {
        // Time for two window probes of the kernel's, even if it was cut a little late.
        let daemon = Daemon::start("deadlines.write = '4s'");
        let mut client = Client::with_small_buffer(daemon.address("raw"));
        client.send_until_blocked(&daemon);
        cut_from(client.address, Fate::Lost);
        let close = daemon.wait_for_close(client.address);
        assert_eq!(text(&close, "reason"), "write_timeout", "{close}");
        assert_eq!(text(&close, "verdict"), "path_lost", "{close}");
    });
}

/// ECONNABORTED, as the operator's `ss --kill` brings it about.
#[test]
fn io_error_when_the_socket_is_killed_from_outside() {
    in_own_network(|| {
        let daemon = Daemon::start("");
        let mut client = Client::connect(daemon.address("raw"));
        client.echo("hello");
        match kill_sockets_to(client.address) {
            Err(why) => return skip(&why),
            Ok(killed) if killed.is_empty() => return skip("this kernel kills no sockets"),
            Ok(_) => {}
        }
        let close = daemon.wait_for_close(client.address);
        assert_close(&close, "io_error", "ECONNABORTED", "read");
        assert_eq!(close["rx_bytes"], 5, "{close}");
    });
}

fn kill_sockets_to(peer: SocketAddr) -> Result<String, String> {
    run(
        "ss",
        &["--no-header", "--kill", "--tcp", "state", "established", "dport", "=", &peer.port().to_string()],
    )
}
