//! The echo: whatever is sent comes back, unchanged and in order, however much, however split, whatever it looks like.

mod support;

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use support::client::Client;
use support::daemon::Daemon;
use support::load::{exchange, random_bytes, tricky_bytes};
use support::record::number;
use support::{PROTOCOLS, for_both_protocols, skip};

#[test]
fn many_at_once_get_back_what_each_of_them_sent() {
    const CLIENTS: u64 = 20;
    const LENGTH: usize = 256 * 1024;
    let daemon = Daemon::start("");
    thread::scope(|scope| {
        for seed in 0..CLIENTS {
            for (protocol, bytes) in PROTOCOLS.into_iter().zip([tricky_bytes, random_bytes]) {
                let server = daemon.address(protocol);
                scope.spawn(move || {
                    let sent = bytes(seed, LENGTH);
                    let returned = exchange(&mut Client::connect(server), &sent);
                    assert!(returned == sent, "seed {seed}, {protocol}: the echo differs from what was sent");
                });
            }
        }
    });
    let summary = daemon.stop();
    assert_eq!(number(&summary, "peer_closed"), 2 * CLIENTS, "{summary}");
}

/// How the stream is cut into segments changes nothing.
#[test]
fn the_smallest_pieces_make_the_same_stream() {
    let daemon = Daemon::start("");
    for_both_protocols(|protocol| {
        let sent = tricky_bytes(7, 2000);
        let mut client = Client::connect(daemon.address(protocol));
        sent.iter().for_each(|byte| client.send([*byte]));
        client.finish();
        assert_eq!(client.rest().escape_ascii().to_string(), sent.escape_ascii().to_string());
    });
}

#[test]
fn every_byte_value_comes_back_at_once() {
    let daemon = Daemon::start("");
    for_both_protocols(|protocol| {
        let mut client = Client::connect(daemon.address(protocol));
        for byte in 0..=255 {
            client.echo([byte; 3]);
        }
        client.echo("\n");
    });
}

/// As telnet sends them. To TCP they are a mark in the stream, and no less bytes for it.
#[test]
fn urgent_bytes_come_back_like_others() {
    let daemon = Daemon::start("");
    for_both_protocols(|protocol| {
        let mut client = Client::connect(daemon.address(protocol));
        client.send("abc");
        socket2::SockRef::from(&client.stream).send_out_of_band(b"d").expect("an urgent byte");
        client.send("ef\n");
        client.finish();
        assert_eq!(client.rest(), b"abcdef\n");
        let close = daemon.wait_for_close(client.address);
        assert_eq!((number(&close, "rx_bytes"), number(&close, "tx_bytes")), (7, 7), "{close}");
    });
}

/// Whatever a peer says, at worst its own connection ends; and no end is left without a reason.
#[test]
fn garbage_kills_nothing() {
    let daemon = Daemon::start("");
    let mut bystanders = PROTOCOLS.map(|protocol| Client::connect(daemon.address(protocol)));
    let garbage: [&[u8]; 8] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PONG 18446744073709551616\nPONG -1\nPONG 1\nPONG 1\nPONG\n",
        b"PING \0\xff\n\n\n\r\n\r",
        b"PONG \xf0\x9f\x92\xa9\nPING",
        &[b'\n'; 70_000],
        &[0xff; 70_000],
        &b"PING 1\n".repeat(10_000),
    ];
    for (index, bytes) in garbage.into_iter().cycle().take(64).enumerate() {
        for protocol in PROTOCOLS {
            let mut client = Client::connect(daemon.address(protocol));
            match index % 3 {
                0 => assert!(exchange(&mut client, bytes).len() <= bytes.len()),
                1 => {
                    client.send(&bytes[..bytes.len().min(1000)]);
                    client.reset();
                }
                _ => client.send(&bytes[..bytes.len().min(1000)]),
            }
        }
    }
    bystanders.iter_mut().for_each(|client| client.echo("not disturbed\n"));
    drop(bystanders);
    daemon.wait_for_closes(64 * 2 + 2);
    daemon.stop();
}

#[test]
fn ipv6_is_served() {
    if let Err(why) = TcpListener::bind("[::1]:0") {
        return skip(&format!("no IPv6: {why}"));
    }
    let daemon =
        Daemon::start_with_file("[[listener]]\nname = 'six'\naddress = '[::1]:0'\nprotocol = 'line'");
    let mut client = Client::connect(daemon.address("six"));
    client.echo("hello\n");
    client.finish();
    client.expect_end();
    let close = daemon.wait_for_close(client.address);
    assert_eq!(close["peer"], client.address.to_string(), "{close}");
    let peer: SocketAddr = client.address;
    assert!(peer.is_ipv6());
}

/// Listeners of one daemon differ in what was set for them alone.
#[test]
fn each_listener_has_its_own_deadlines() {
    let daemon = Daemon::start_with_file(
        "heartbeat.interval = 'off'
        deadlines.read = '30s'
        [[listener]]\nname = 'patient'\naddress = '127.0.0.1:0'\nprotocol = 'raw'
        [[listener]]\nname = 'hasty'\naddress = '127.0.0.1:0'\nprotocol = 'raw'\ndeadlines.read = '200ms'",
    );
    let mut patient = Client::connect(daemon.address("patient"));
    let mut hasty = Client::connect(daemon.address("hasty"));
    hasty.expect_end();
    assert_eq!(daemon.wait_for_close(hasty.address)["reason"], "read_timeout");
    patient.echo("still here");
}

/// Connections that come and go in every way at once. Each is accounted for, at every moment.
#[test]
fn ten_thousand_short_connections_are_all_accounted_for() {
    const CONNECTIONS: usize = 10_000;
    const AT_A_TIME: usize = 16;
    let daemon = Daemon::start("log.summary_interval = '1s'");
    let addresses = PROTOCOLS.map(|protocol| daemon.address(protocol));
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= CONNECTIONS {
                        break;
                    }
                    come_and_go(addresses[index % 2], index / 2);
                }
            });
        }
    });
    daemon.wait_for_closes(CONNECTIONS);
    // That there is one close record for each of them, with a number of its own, is asserted with every stop.
    let summary = daemon.stop();
    assert_eq!((number(&summary, "accepted"), number(&summary, "closed")), (10_000, 10_000), "{summary}");
    let [closed, reset, broken] =
        ["peer_closed", "peer_reset", "broken_pipe"].map(|reason| summary[reason].as_u64().unwrap_or(0));
    assert_eq!(closed + reset + broken, 10_000, "{summary}");
    assert!(closed >= 5000 && reset > 0, "those by FIN, and some by RST: {summary}");
}

fn come_and_go(server: SocketAddr, index: usize) {
    let mut client = Client::connect(server);
    match index % 4 {
        0 => drop(client),
        1 => {
            client.echo("hello\n");
            client.finish();
            client.expect_end();
        }
        2 => client.reset(),
        _ => {
            client.send("bye\n");
            client.reset();
        }
    }
}

/// The last bytes before a FIN arrive even if the connection is closed right after.
#[test]
fn the_last_bytes_are_not_lost_to_a_reset() {
    let daemon = Daemon::start("");
    for_both_protocols(|protocol| {
        for length in [1, 1000, 100_000] {
            let mut client = Client::connect(daemon.address(protocol));
            let sent = vec![b'z'; length];
            let mut sender = client.try_clone();
            thread::scope(|scope| {
                scope.spawn(|| {
                    sender.send(&sent);
                    sender.finish();
                });
                daemon.wait_for_close(client.address); // small enough for the buffers between us
                assert!(client.rest() == sent);
            });
        }
    });
}
