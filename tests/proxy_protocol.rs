//! A listener behind a proxy: whose the connection is, what becomes of one without a header, and who came for nothing.

mod support;

use std::net::SocketAddr;

use nix::sys::signal::Signal;
use support::client::Client;
use support::daemon::Daemon;
use support::record::{Record, number, text};
use support::{PROTOCOLS, eventually_true, for_both_protocols};

const CLIENT: &str = "192.0.2.7:8080";
const TEXT: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 8080 7\r\n";
const BINARY: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x13\xc0\x00\x02\x07\xc6\x33\x64\x01\x1f\x90\x00\x07\xee\x00\x04abcd";

/// Both protocols behind a proxy, and one listener without.
fn start(settings: &str) -> Daemon {
    let behind_proxy = |protocol| {
        format!(
            "[[listener]]\nname = '{protocol}'\naddress = '127.0.0.1:0'\nprotocol = '{protocol}'\nproxy_protocol = 'required'\n"
        )
    };
    let plain = "[[listener]]\nname = 'plain'\naddress = '127.0.0.1:0'\nprotocol = 'line'\n";
    let listeners: String = PROTOCOLS.map(behind_proxy).concat();
    Daemon::start_with_file(&format!("{settings}\n{listeners}{plain}"))
}

/// The record of the connection that came from there, whomever it is with.
#[track_caller]
fn close_of(daemon: &Daemon, proxy: SocketAddr) -> Record {
    let proxy = proxy.to_string();
    daemon.wait_for_record("a close", |record| {
        record["event"] == "close" && (record["proxy"] == *proxy || record["peer"] == *proxy)
    })
}

#[test]
fn the_peer_is_whom_the_proxy_names_in_either_version_and_any_pieces() {
    let daemon = start("log.level = 'debug'");
    for_both_protocols(|protocol| {
        for header in [TEXT, BINARY] {
            for size in [1, 13, header.len()] {
                let mut client = Client::connect(daemon.address(protocol));
                header.chunks(size).for_each(|piece| client.send(piece));
                client.echo("and then the stream\n");
                client.finish();
                let close = close_of(&daemon, client.address);
                assert_eq!(text(&close, "peer"), CLIENT, "{close}");
                assert_eq!(text(&close, "proxy"), client.address.to_string(), "{close}");
                assert_eq!((number(&close, "rx_bytes"), number(&close, "tx_bytes")), (20, 20), "{close}");
                assert!(text(&close, "message").starts_with(CLIENT), "{close}");
                let conn = &close["conn"];
                let open = daemon.wait_for_record("it opened", |record| {
                    record["event"] == "open" && record["conn"] == *conn
                });
                assert_eq!((&open["peer"], &open["proxy"]), (&close["peer"], &close["proxy"]));
            }
        }
    });
}

#[test]
fn a_proxy_that_speaks_for_itself_is_the_peer() {
    let daemon = start("");
    for header in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"] {
        let mut client = Client::connect(daemon.address("line"));
        client.send(header);
        client.send("PING check\n");
        client.expect("PONG check\n");
        client.finish();
        let close = daemon.wait_for_close(client.address);
        assert!(close["proxy"].is_null(), "{close}");
        assert_eq!(close["reason"], "peer_closed", "{close}");
    }
}

#[test]
fn without_a_header_a_connection_ends_and_says_what_came_instead() {
    let daemon = start("");
    for_both_protocols(|protocol| {
        let mut client = Client::connect(daemon.address(protocol));
        client.send("PING 1\nwithout a header, and long enough to be cut\n");
        client.wait_until_over();
        let close = daemon.wait_for_close(client.address);
        assert_eq!((&close["reason"], &close["level"]), (&"proxy_header".into(), &"WARN".into()), "{close}");
        let told = r#"(it begins with "PING 1\nwithout a header, and lon")"#;
        assert!(text(&close, "message").ends_with(told), "{close}");
        assert_eq!(number(&close, "rx_bytes"), 0, "{close}");
    });
    let silent = Client::connect(daemon.address("line"));
    let close = daemon.wait_for_close(silent.address);
    assert_eq!(close["reason"], "proxy_header", "{close}");
    assert!((5_000..8_000).contains(&number(&close, "lifetime_ms")), "{close}");
    let summary = daemon.stop();
    assert_eq!(number(&summary, "proxy_header"), 3);
}

#[test]
fn a_peer_that_hangs_behind_a_proxy_is_beyond_it() {
    let daemon = start("heartbeat = { interval = '200ms', timeout = '200ms', max_missed = 2 }");
    let mut client = Client::connect(daemon.address("line"));
    client.send(TEXT);
    client.wait_until_over();
    let close = close_of(&daemon, client.address);
    assert_eq!(close["reason"], "heartbeat_timeout", "{close}");
    assert_eq!(close["verdict"], "beyond_proxy", "{close}");
    assert!(text(&close, "message").contains("the proxy's host acknowledged our probe"), "{close}");
}

#[test]
fn a_half_header_and_a_named_peer_outlive_the_program() {
    let daemon = start("log.level = 'debug'");
    let mut whole = Client::connect(daemon.address("line"));
    whole.send(TEXT);
    whole.echo("before\n");
    let mut half = Client::connect(daemon.address("line"));
    half.send(&BINARY[..20]);
    let mut none = Client::connect(daemon.address("raw"));
    none.send(TEXT);
    none.echo("the last that was accepted, so the others were too\n");
    daemon.signal(Signal::SIGUSR2);
    daemon.wait_for_event("adopted");
    half.send([&BINARY[20..], b"x\n"].concat());
    half.expect("x\n");
    for client in [&mut whole, &mut half, &mut none] {
        client.echo("after\n");
        client.finish();
        let close = close_of(&daemon, client.address);
        assert_eq!((text(&close, "peer"), close["proxy"].is_string()), (CLIENT, true), "{close}");
    }
    assert_eq!(number(&daemon.stop(), "peer_closed"), 3);
}

#[test]
fn a_header_where_none_is_expected_is_data_and_told_once() {
    let daemon = start("");
    for header in [TEXT, BINARY, TEXT] {
        let mut client = Client::connect(daemon.address("plain"));
        client.echo(header);
        client.finish();
        assert_eq!(number(&daemon.wait_for_close(client.address), "rx_bytes"), header.len() as u64);
    }
    let told = daemon.records("unexpected_proxy_header");
    assert_eq!(told.len(), 1, "once per listener and hour");
    assert_eq!((&told[0]["level"], &told[0]["listener"]), (&"WARN".into(), &"plain".into()));
    assert!(text(&told[0], "message").contains("is proxy_protocol = \"required\" meant"), "{}", told[0]);
}

/// A FIN or a reset, at once, on every kind of listener.
fn come_and_go(daemon: &Daemon) -> usize {
    let listeners = ["line", "raw", "plain"];
    for listener in listeners {
        Client::connect(daemon.address(listener)).reset();
        let mut client = Client::connect(daemon.address(listener));
        client.finish();
    }
    2 * listeners.len()
}

#[test]
fn null_connections_are_no_losses() {
    let daemon = start("");
    let count = come_and_go(&daemon);
    daemon.wait_for_closes(count);
    for close in daemon.records("close") {
        assert_eq!((&close["level"], &close["null_connection"]), (&"INFO".into(), &true.into()), "{close}");
        assert!(text(&close, "message").contains("came and went without a byte"), "{close}");
    }
    // A health check that says something is a connection like any other.
    let mut check = Client::connect(daemon.address("plain"));
    check.send("PING x\n");
    check.expect("PONG x\n");
    check.reset();
    daemon.wait_for_closes(count + 1);
    let close = daemon.records("close").pop().expect("the last");
    assert_eq!((&close["reason"], &close["level"]), (&"peer_reset".into(), &"WARN".into()), "{close}");
    let summary = daemon.stop();
    assert_eq!(number(&summary, "null_connections"), count as u64);
    assert_eq!(number(&summary, "closed"), count as u64 + 1);
}

#[test]
fn null_connections_can_be_only_counted() {
    let daemon = start("log.null_connections = 'count'");
    let count = come_and_go(&daemon) as u64;
    let summary = || {
        daemon.signal(Signal::SIGUSR1);
        daemon.records("summary").pop()
    };
    eventually_true("they are counted", || {
        summary().is_some_and(|summary| number(&summary, "null_connections") == count)
    });
    let last = summary().expect("a summary");
    assert_eq!((number(&last, "closed"), number(&last, "accepted")), (count, count), "{last}");
    assert_eq!(daemon.records("close").len(), 0);

    daemon
        .config()
        .write("log = { null_connections = 'count', level = 'debug' }\n".to_owned() + &file(&daemon));
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_record("a reload", |record| record["event"] == "reload" && record["changes"].is_u64());
    Client::connect(daemon.address("plain")).reset();
    let close = daemon.wait_for_event("close");
    assert_eq!((&close["level"], &close["null_connection"]), (&"DEBUG".into(), &true.into()), "{close}");
}

/// The listeners of its configuration.
fn file(daemon: &Daemon) -> String {
    let text = std::fs::read_to_string(daemon.config().path()).expect("its configuration");
    text.split_once('\n').map(|(_, listeners)| listeners.to_owned()).expect("more than a line")
}
