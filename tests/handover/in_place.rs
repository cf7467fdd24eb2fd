//! SIGUSR2: another program goes on in this process.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::signal::Signal;

use crate::hand_over;
use crate::support::client::Client;
use crate::support::daemon::{Daemon, LISTENERS, serve};
use crate::support::process::TempFile;
use crate::support::record::{number, text};
use crate::support::{PROTOCOLS, eventually_true, now};

fn descriptors(daemon: &Daemon) -> usize {
    fs::read_dir(format!("/proc/{}/fd", daemon.pid())).expect("its descriptors").count()
}

#[test]
fn streams_go_on_exactly_and_nobody_is_refused() {
    const CLIENTS: usize = 40;
    const HANDOVERS: usize = 4;
    let daemon = Daemon::start("");
    let addresses = PROTOCOLS.map(|protocol| daemon.address(protocol));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = &over;
        for number in 0..CLIENTS {
            let mut client = Client::connect(addresses[number % 2]);
            scope.spawn(move || {
                for turn in 0.. {
                    client.echo(format!("{number} {turn} {}\n", "x".repeat(turn * 7 % 1000)));
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                Client::connect(addresses[0]).echo("a visitor\n");
            }
        });
        for _ in 0..HANDOVERS {
            let adopted = hand_over(&daemon);
            assert!(number(&adopted, "connections") >= CLIENTS as u64, "{adopted}");
            assert_eq!(number(&adopted, "lost"), 0);
        }
        over.store(true, Ordering::Relaxed);
    });
    let summary = daemon.stop();
    // The last visitor may still be there when the server stops.
    let stopped = summary["server_shutdown"].as_u64().unwrap_or_default();
    assert_eq!(number(&summary, "peer_closed") + stopped, number(&summary, "accepted"));
}

#[test]
fn what_is_under_way_goes_on() {
    let daemon = Daemon::start("");
    let mut undecided = Client::connect(daemon.address("line"));
    undecided.echo("\n");
    undecided.send("PING 1");
    undecided.wait_until_delivered();
    let mut mid_line = Client::connect(daemon.address("line"));
    mid_line.echo("half a line");
    let mut busy = PROTOCOLS.map(|protocol| {
        let mut client = Client::with_small_buffer(daemon.address(protocol));
        let sent = client.send_until_blocked(&daemon);
        (client, sent)
    });
    hand_over(&daemon);
    undecided.send("2\n");
    undecided.expect("PONG 12\n");
    mid_line.echo(" and the rest\n");
    for (client, sent) in &mut busy {
        client.finish();
        assert!(client.rest() == *sent, "all that was received before comes back after");
    }
    drop((undecided, mid_line, busy));
    daemon.wait_for_closes(4);
    daemon.stop();
}

#[test]
fn a_silent_peer_is_found_all_the_same() {
    let settings = "heartbeat.interval = '300ms'\nheartbeat.timeout = '300ms'\nheartbeat.max_missed = 2";
    let daemon = Daemon::start(settings);
    let silent = Client::connect(daemon.address("line"));
    eventually_true("it is accepted", || hand_over(&daemon)["connections"] == 1);
    let known_since = now();
    hand_over(&daemon);
    let known_for = known_since.elapsed();
    let close = daemon.wait_for_close(silent.address);
    assert_eq!((text(&close, "reason"), text(&close, "verdict")), ("heartbeat_timeout", "peer_hung"));
    assert_eq!((number(&close, "probes_sent"), number(&close, "probes_missed")), (2, 2));
    assert!(u128::from(number(&close, "lifetime_ms")) >= known_for.as_millis(), "{close}");
}

#[test]
fn it_costs_no_descriptor() {
    let daemon = Daemon::start("");
    let mut client = Client::connect(daemon.address("raw"));
    client.echo("hello");
    hand_over(&daemon);
    let before = descriptors(&daemon);
    for _ in 0..10 {
        hand_over(&daemon);
    }
    assert_eq!(descriptors(&daemon), before);
    client.echo("again");
}

#[test]
fn a_connection_whose_listener_speaks_another_protocol_ends_alone() {
    let daemon = Daemon::start("");
    let mut line = Client::connect(daemon.address("line"));
    line.echo("hello\n");
    daemon.config().write(LISTENERS.replacen("protocol = \"line\"", "protocol = \"raw\"", 1));
    let adopted = hand_over(&daemon);
    assert_eq!((number(&adopted, "connections"), number(&adopted, "lost")), (0, 1));
    let close = daemon.wait_for_close(line.address);
    assert_eq!(text(&close, "reason"), "handover_lost");
    assert!(text(&close, "message").ends_with("its listener speaks another protocol"), "{close}");
}

#[test]
fn a_connection_without_its_listener_ends_alone() {
    let daemon = Daemon::start("");
    let mut line = Client::connect(daemon.address("line"));
    let mut raw = Client::connect(daemon.address("raw"));
    line.echo("hello\n");
    raw.echo("hello");
    let (without_raw, _) = LISTENERS.split_once("[[listener]]\nname = \"raw\"").expect("two listeners");
    daemon.config().write(without_raw);
    let adopted = hand_over(&daemon);
    assert_eq!((number(&adopted, "connections"), number(&adopted, "lost")), (1, 1));
    let close = daemon.wait_for_close(raw.address);
    assert_eq!(text(&close, "reason"), "handover_lost");
    assert!(text(&close, "message").ends_with("its listener is gone"), "{close}");
    line.echo("still here\n");
}

/// A new address that somebody else has is no reason to give up what is served.
#[test]
fn an_address_that_cannot_be_had_costs_no_connection() {
    let daemon = Daemon::start("");
    let mut client = Client::connect(daemon.address("line"));
    client.echo("hello\n");
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = other.local_addr().expect("its address");
    let third =
        format!("{LISTENERS}\n[[listener]]\nname = \"third\"\naddress = \"{address}\"\nprotocol = \"raw\"\n");
    daemon.config().write(&third);
    assert_eq!(number(&hand_over(&daemon), "lost"), 0);
    daemon.wait_for_event("listener_missing");
    client.echo("still here\n");
    drop(other);
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_record("a reload listens there", |record| {
        record["event"] == "listening" && record["listener"] == "third"
    });
}

#[test]
fn it_can_be_switched_off() {
    let daemon = Daemon::start("server.keep_connections = false");
    daemon.signal(Signal::SIGUSR2);
    let failed = daemon.wait_for_event("handover_failed");
    assert!(text(&failed, "message").contains("server.keep_connections is false"), "{failed}");
}

#[test]
fn what_is_damaged_keeps_nobody_from_starting() {
    for damaged in ["", "\0\0\0", "{\"format\":1}", "{\"format\":99999}"] {
        let description = File::open(TempFile::new(damaged).path()).expect("a file");
        let config = TempFile::new(LISTENERS);
        let direct = serve(&config);
        let mut passing = Command::new("sh");
        passing.args(["-c", "PULSE_ECHO_HANDOVER=3 exec \"$0\" \"$@\" 3<&0 </dev/null"]);
        assert!(description.as_raw_fd() > 2);
        passing.arg(direct.get_program()).args(direct.get_args()).stdin(description);
        let daemon = Daemon::start_command(passing, config);
        let failed = daemon.wait_for_event("handover_failed");
        assert!(text(&failed, "message").ends_with("starting without"), "{failed}");
        Client::connect(daemon.address("raw")).echo("hello");
    }
}

/// A line that is damaged, and more of them claimed than there are.
#[test]
fn what_is_left_of_a_description_is_told() {
    const HEADER: &str = r#"{"format":1,"version":"0","frozen_at_ns":1,"accepted":0,"refused":0,"closed":{},"log_lost":0,"listeners":[],"connections":5000}"#;
    let before = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut client = Client::connect(before.local_addr().expect("its address"));
    let (socket, _) = before.accept().expect("a connection");
    let line = r#"{"conn":7,"peer":"damaged","listener":"line","descriptor":4,"state":{"stage""#;
    let config = TempFile::new(LISTENERS);
    let direct = serve(&config);
    let mut passing = Command::new("sh");
    passing.args(["-c", "PULSE_ECHO_HANDOVER=3 exec \"$0\" \"$@\" 3<&0 4<&1 </dev/null >/dev/null"]);
    passing.arg(direct.get_program()).args(direct.get_args()).stdout(OwnedFd::from(socket));
    passing.stdin(File::open(TempFile::new(format!("{HEADER}\n{line}")).path()).expect("a file"));
    let daemon = Daemon::start_command(passing, config);
    let adopted = daemon.wait_for_event("adopted");
    let figures = ["connections", "lost", "untold"].map(|field| number(&adopted, field));
    assert_eq!(figures, [0, 5_000, 4_000], "{adopted}");
    let close = daemon.wait_for_close(client.address);
    assert_eq!((number(&close, "conn"), text(&close, "listener")), (7, "line"), "{close}");
    assert_eq!(text(&close, "local"), client.server.to_string());
    client.wait_until_over();
    daemon.signal(Signal::SIGUSR1);
    let summary = daemon.wait_for_event("summary");
    let figures = ["accepted", "handover_lost", "log_lost"].map(|field| number(&summary, field));
    assert_eq!(figures, [5_000, 5_000, 4_000], "{summary}");
    assert_eq!(daemon.records("close").len(), 1_000);
    Client::connect(daemon.address("raw")).echo("hello");
}
