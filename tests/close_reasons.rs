//! Every close reason that can be provoked on loopback, provoked for real. The rest are in `network.rs` (for which it
//! takes a network to cut) and in the unit tests (`internal_error`).
//!
//! What is true of every close record, its level and the presence of its fields included, is asserted for every
//! record of every test: see `support/record.rs`.

mod support;

use std::net::Shutdown;
use std::time::Duration;

use nix::sys::signal::Signal;
use support::client::Client;
use support::daemon::Daemon;
use support::record::{Record, number, text};
use support::{PROTOCOLS, dawdle, for_both_protocols};

/// Field by field, all that can be known exactly.
macro_rules! assert_fields {
    ($record:ident, $($field:literal: $value:expr),+ $(,)?) => {
        $(assert_eq!($record[$field], $value, "{} in {}", $field, $record);)+
    };
}

#[track_caller]
fn assert_error(record: &Record, errno: &str, op: &str) {
    assert_eq!((text(record, "errno"), text(record, "op")), (errno, op), "{record}");
}

#[test]
fn peer_closed_a_half_closed_peer_gets_everything_back_first() {
    let daemon = Daemon::start("");
    for (index, protocol) in PROTOCOLS.into_iter().enumerate() {
        let mut client = Client::connect(daemon.address(protocol));
        let data = "one\ntwo\nPIN".repeat(10_000);
        let mut sender = client.try_clone();
        let returned = std::thread::scope(|scope| {
            scope.spawn(|| {
                sender.send(&data);
                sender.finish();
            });
            client.rest()
        });
        assert!(returned == data.as_bytes(), "the echo differs from what was sent");
        let close = daemon.wait_for_close(client.address);
        assert_fields!(close,
            "reason": "peer_closed",
            "level": "INFO",
            "listener": protocol,
            "peer": client.address.to_string(),
            "local": client.server.to_string(),
            "conn": index + 1,
            "rx_bytes": data.len(),
            "tx_bytes": data.len(),
            "unechoed_bytes": 0,
        );
    }
    daemon.stop();
}

#[test]
fn peer_closed_without_a_single_byte() {
    let daemon = Daemon::start("");
    for_both_protocols(|protocol| {
        let client = Client::connect(daemon.address(protocol));
        let peer = client.address;
        drop(client);
        let close = daemon.wait_for_close(peer);
        assert_fields!(close, "reason": "peer_closed", "rx_bytes": 0, "tx_bytes": 0, "unechoed_bytes": 0);
    });
}

#[test]
fn peer_reset_while_nothing_was_on_its_way() {
    let daemon = Daemon::start("");
    for_both_protocols(|protocol| {
        let mut client = Client::connect(daemon.address(protocol));
        client.echo("hello\n");
        let peer = client.address;
        client.reset();
        let close = daemon.wait_for_close(peer);
        assert_fields!(close,
            "reason": "peer_reset", "level": "WARN", "rx_bytes": 6, "tx_bytes": 6, "unechoed_bytes": 0);
        assert_error(&close, "ECONNRESET", "read");
    });
}

#[test]
fn peer_reset_while_bytes_waited_for_it() {
    let daemon = Daemon::start("");
    for_both_protocols(|protocol| {
        let mut client = Client::with_small_buffer(daemon.address(protocol));
        client.send_until_blocked(&daemon);
        let peer = client.address;
        client.reset();
        let close = daemon.wait_for_close(peer);
        assert_fields!(close, "reason": "peer_reset");
        assert_error(&close, "ECONNRESET", "write");
        assert!(number(&close, "unechoed_bytes") > 0, "{close}");
    });
}

/// The peer half-closes, then resets: only the daemon's next write learns of it.
#[test]
fn broken_pipe_when_the_peer_had_finished_before_it_went_away() {
    let daemon = Daemon::start("");
    for_both_protocols(|protocol| {
        let mut client = Client::with_small_buffer(daemon.address(protocol));
        client.send_until_blocked(&daemon);
        client.finish();
        client.wait_until_fin_delivered();
        let peer = client.address;
        client.reset();
        let close = daemon.wait_for_close(peer);
        assert_fields!(close, "reason": "broken_pipe", "level": "WARN");
        assert_error(&close, "EPIPE", "write");
        assert!(number(&close, "unechoed_bytes") > 0, "{close}");
    });
}

#[test]
fn read_timeout_of_a_peer_that_never_spoke() {
    let daemon = Daemon::start("deadlines.read = '250ms'\nheartbeat.interval = 'off'");
    for_both_protocols(|protocol| {
        let mut client = Client::connect(daemon.address(protocol));
        client.expect_end();
        let close = daemon.wait_for_close(client.address);
        assert_fields!(close,
            "reason": "read_timeout", "level": "WARN", "rx_bytes": 0, "tx_bytes": 0, "unechoed_bytes": 0);
        assert!(number(&close, "idle_ms") >= 250, "{close}");
    });
}

/// Each byte starts the deadline anew: four pauses, each shorter than it, together longer.
#[test]
fn read_timeout_counts_from_the_last_byte() {
    let daemon = Daemon::start("deadlines.read = '1s'\nheartbeat.interval = 'off'");
    let mut client = Client::connect(daemon.address("raw"));
    for _ in 0..4 {
        dawdle(Duration::from_millis(300));
        client.echo("x");
    }
    client.expect_end();
    let close = daemon.wait_for_close(client.address);
    assert_fields!(close, "reason": "read_timeout", "rx_bytes": 4, "tx_bytes": 4);
    assert!(number(&close, "idle_ms") >= 1000, "{close}");
    // The first pause may have begun before the server accepted.
    assert!(number(&close, "lifetime_ms") >= 1900, "{close}");
}

/// In the middle of a line that we send no probe can go out.
#[test]
fn read_timeout_of_a_peer_that_stopped_in_mid_line() {
    let settings =
        "heartbeat = { interval = '50ms', timeout = '50ms', max_missed = 2 }\ndeadlines.read = '400ms'";
    let daemon = Daemon::start(settings);
    let mut client = Client::connect(daemon.address("line"));
    client.echo("half a line");
    client.expect_end();
    let close = daemon.wait_for_close(client.address);
    assert_fields!(close, "reason": "read_timeout", "rx_bytes": 11, "tx_bytes": 11, "probes_sent": 0);
    assert!(number(&close, "idle_ms") >= 400, "{close}");
}

#[test]
fn write_timeout_of_a_peer_that_never_reads() {
    let daemon = Daemon::start("deadlines.write = '300ms'");
    for_both_protocols(|protocol| {
        let mut client = Client::with_small_buffer(daemon.address(protocol));
        client.send_until_blocked(&daemon);
        let close = daemon.wait_for_close(client.address);
        assert_fields!(close, "reason": "write_timeout", "level": "WARN");
        assert!(number(&close, "tx_bytes") > 0, "{close}");
        let kept = number(&close, "rx_bytes") - number(&close, "tx_bytes");
        assert!((1..=64 * 1024).contains(&kept), "something is kept for a peer, not much: {close}");
        assert!(number(&close, "unechoed_bytes") >= kept, "nor has what our kernel has arrived: {close}");
        assert!(number(&close, "lifetime_ms") >= 300, "{close}");
        client.wait_until_over();
    });
}

/// The write deadline holds for the last bytes too, after the peer has finished.
#[test]
fn write_timeout_of_a_peer_that_finished_but_does_not_read() {
    let daemon = Daemon::start("deadlines.write = '500ms'");
    for_both_protocols(|protocol| {
        let mut client = Client::with_small_buffer(daemon.address(protocol));
        client.send_until_blocked(&daemon);
        let _ = client.stream.shutdown(Shutdown::Write); // on a busy machine it is over already
        let close = daemon.wait_for_close(client.address);
        assert_fields!(close, "reason": "write_timeout");
        assert!(number(&close, "unechoed_bytes") > 0, "{close}");
    });
}

#[test]
fn heartbeat_timeout_of_a_peer_that_reads_but_never_answers() {
    let daemon = Daemon::start("heartbeat = { interval = '200ms', timeout = '100ms', max_missed = 3 }");
    let mut client = Client::connect(daemon.address("line"));
    assert_eq!(client.rest(), b"PING 1\nPING 2\nPING 3\n");
    let close = daemon.wait_for_close(client.address);
    assert_fields!(close,
        "reason": "heartbeat_timeout",
        "level": "WARN",
        "rx_bytes": 0,
        "tx_bytes": 21,
        "unechoed_bytes": 0,
        "probes_sent": 3,
        "probes_answered": 0,
        "probes_missed": 3,
    );
    assert!(close["rtt_us"].is_null(), "{close}");
    // The first probe comes a fifth earlier at most, the rest is the deadlines': never less, on a busy machine more.
    let lifetime_ms = number(&close, "lifetime_ms");
    assert!((460..10_000).contains(&lifetime_ms), "{close}");
}

#[test]
fn lifetime_over_however_busy() {
    let daemon = Daemon::start("deadlines.lifetime = '400ms'");
    for_both_protocols(|protocol| {
        let mut client = Client::connect(daemon.address(protocol));
        let mut sent = 0;
        // Until the daemon's FIN comes instead of an echo.
        loop {
            client.send("tick\n");
            sent += 5;
            let mut echo = [0; 5];
            if std::io::Read::read_exact(&mut client.stream, &mut echo).is_err() {
                break;
            }
        }
        let peer = client.address;
        drop(client);
        let close = daemon.wait_for_close(peer);
        assert_fields!(close, "reason": "lifetime_over", "level": "INFO");
        let unechoed = number(&close, "unechoed_bytes");
        assert!(number(&close, "rx_bytes") <= sent && unechoed <= 5, "{sent} sent, {close}");
        let lifetime = number(&close, "lifetime_ms");
        assert!(lifetime >= 360, "ends within the last tenth: {close}");
    });
}

#[test]
fn lifetime_over_of_an_idle_peer() {
    let daemon = Daemon::start("deadlines.lifetime = '200ms'");
    let mut client = Client::connect(daemon.address("raw"));
    client.expect_end();
    let peer = client.address;
    drop(client);
    let close = daemon.wait_for_close(peer);
    assert_fields!(close, "reason": "lifetime_over", "rx_bytes": 0, "tx_bytes": 0, "unechoed_bytes": 0);
}

#[test]
fn server_shutdown_of_peers_that_did_nothing_wrong() {
    let mut daemon = Daemon::start("");
    let mut clients = PROTOCOLS.map(|protocol| Client::connect(daemon.address(protocol)));
    clients.iter_mut().for_each(|client| client.echo("before the end\n"));
    daemon.signal(Signal::SIGTERM);
    let peers = clients.map(|mut client| {
        client.expect_end();
        client.address
    });
    assert_eq!(daemon.wait_exit().code(), Some(0));
    for peer in peers {
        let close = daemon.wait_for_close(peer);
        assert_fields!(close,
            "reason": "server_shutdown", "level": "INFO", "rx_bytes": 15, "tx_bytes": 15, "unechoed_bytes": 0);
    }
    daemon.final_summary();
}
