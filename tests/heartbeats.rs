//! Heartbeats over real connections: who is probed, what counts as an answer, what does not end a connection.

mod support;

use std::net::TcpListener;
use std::time::Duration;

use socket2::SockRef;
use support::client::Client;
use support::daemon::{Daemon, serve_with_socket};
use support::process::TempFile;
use support::record::number;
use support::{PROTOCOLS, dawdle, eventually, eventually_true};

/// Probes come often, and a busy machine has time to answer.
const OFTEN: &str = "heartbeat = { interval = '100ms', timeout = '5s', max_missed = 3 }";

#[test]
fn a_peer_that_answers_lives_on() {
    let daemon = Daemon::start(OFTEN);
    let mut client = Client::connect(daemon.address("line"));
    // Also as IRC and NATS clients say it.
    let answers = ["PONG 1\n", "PONG :2\n", "PONG 3\r\n", "PONG\n", "PONG\r\n", "PONG of another kind\n"];
    for (index, answer) in answers.into_iter().enumerate() {
        assert_eq!(client.receive_line(), format!("PING {}\n", index + 1));
        client.send(answer);
    }
    client.finish();
    let more = client.rest().len() as u64; // there may be time for a probe before our FIN arrives
    let close = daemon.wait_for_close(client.address);
    assert_eq!(close["reason"], "peer_closed", "{close}");
    assert_eq!(close["probes_answered"], answers.len(), "{close}");
    assert_eq!(close["probes_missed"], 0, "{close}");
    assert_eq!(close["rx_bytes"], answers.concat().len(), "{close}");
    assert_eq!(number(&close, "tx_bytes"), 7 * answers.len() as u64 + more, "no answer is echoed: {close}");
    assert!((1..5_000_000).contains(&number(&close, "rtt_us")), "{close}");
}

#[test]
fn any_byte_is_a_sign_of_life() {
    let daemon = Daemon::start(OFTEN);
    let mut client = Client::connect(daemon.address("line"));
    // A probe that was not taken for answered would keep the next one waiting for its timeout.
    for number in 1..=6 {
        assert_eq!(client.receive_line(), format!("PING {number}\n"));
        client.echo("still here\n");
    }
    client.finish();
    client.wait_until_over();
    let close = daemon.wait_for_close(client.address);
    assert_eq!(close["probes_answered"], 0, "{close}");
    assert_eq!(close["probes_missed"], 0, "{close}");
    assert!(number(&close, "lifetime_ms") < 5000, "{close}");
}

#[test]
fn a_late_answer_is_a_sign_of_life_too() {
    let daemon = Daemon::start("heartbeat = { interval = '100ms', timeout = '300ms', max_missed = 20 }");
    let mut client = Client::connect(daemon.address("line"));
    assert_eq!(client.receive_line(), "PING 1\n");
    assert_eq!(client.receive_line(), "PING 2\n", "the first was missed");
    client.send("PONG 1\n");
    client.finish();
    client.wait_until_over();
    let close = daemon.wait_for_close(client.address);
    assert_eq!(close["reason"], "peer_closed", "{close}");
    assert_eq!(close["probes_answered"], 1, "{close}");
    assert_eq!(close["probes_missed"], 0, "{close}");
    assert!(close["rtt_us"].is_null(), "the newest probe has no answer yet: {close}");
}

#[test]
fn traffic_saves_the_probes() {
    let daemon = Daemon::start("heartbeat.interval = '1500ms'");
    let mut client = Client::connect(daemon.address("line"));
    for _ in 0..20 {
        dawdle(Duration::from_millis(100));
        client.echo("busy\n");
    }
    client.finish();
    client.expect_end();
    let close = daemon.wait_for_close(client.address);
    assert!(number(&close, "lifetime_ms") >= 2000, "{close}");
    assert_eq!(close["probes_sent"], 0, "{close}");
}

/// Neither our own probe nor an answer to theirs may break a line that we are sending.
#[test]
fn a_probe_goes_between_lines_only() {
    let daemon = Daemon::start(OFTEN);
    let mut client = Client::connect(daemon.address("line"));
    client.echo("half a line");
    dawdle(Duration::from_millis(300));
    client.echo(", the other half\n");
    assert_eq!(client.receive_line(), "PING 1\n");
}

#[test]
fn a_peer_may_probe_too() {
    let daemon = Daemon::start("");
    let mut client = Client::connect(daemon.address("line"));
    let longest = "x".repeat(64 - "PING \n".len());
    let dialogue = [
        ("PING\n".to_owned(), "PONG\n".to_owned()),
        ("PING\r\n".to_owned(), "PONG\r\n".to_owned()),
        ("PING any text, PING\n".to_owned(), "PONG any text, PING\n".to_owned()),
        (format!("PING {longest}\n"), format!("PONG {longest}\n")),
        (format!("PING {longest}x\n"), format!("PING {longest}x\n")),
        ("PINGS\n".to_owned(), "PINGS\n".to_owned()),
        ("ping\n".to_owned(), "ping\n".to_owned()),
        (" PING\n".to_owned(), " PING\n".to_owned()),
    ];
    for (said, heard) in &dialogue {
        client.send(said);
        client.expect(heard);
        // And in the smallest pieces.
        said.bytes().for_each(|byte| client.send([byte]));
        client.expect(heard);
    }
    client.finish();
    client.expect_end();
    let close = daemon.wait_for_close(client.address);
    assert_eq!(close["rx_bytes"], close["tx_bytes"], "{close}");
    assert_eq!(close["unechoed_bytes"], 0, "{close}");
}

/// The beginning of what may be a control line is held until it is decided, and not a byte longer.
#[test]
fn only_what_may_become_a_control_line_waits() {
    let daemon = Daemon::start("");
    let mut client = Client::connect(daemon.address("line"));
    client.echo("no line end");
    client.echo(" PONG 1");
    client.echo("\n");
    client.send("PON");
    client.send("E");
    client.expect("PONE");
    client.echo("\n");
    client.send("PONG 1\nafter\nPONG");
    client.expect("after\n");
    client.finish();
    assert_eq!(client.rest(), b"PONG", "at the end of the stream what was held is data");
    let close = daemon.wait_for_close(client.address);
    assert_eq!(close["reason"], "peer_closed", "{close}");
    assert_eq!(close["unechoed_bytes"], 0, "{close}");
}

/// The raw protocol's heartbeat is the kernel's keepalive; in the line protocol that is a witness beside our own.
#[test]
fn the_kernel_probes_the_host_in_whole_seconds_rounded_up() {
    let with = Daemon::start("heartbeat.interval = '6500ms'");
    let without = Daemon::start("heartbeat.interval = 'off'");
    for protocol in PROTOCOLS {
        let mut probed = Client::connect(with.address(protocol));
        probed.echo("data\n");
        // It shows once the echo is acknowledged.
        let rest = eventually("keepalive", || probed.next_keepalive());
        assert!((Duration::from_secs(4)..=Duration::from_secs(7)).contains(&rest), "{rest:?}");
        let mut left_alone = Client::connect(without.address(protocol));
        left_alone.echo("data\n");
        eventually_true("no timer at all", || left_alone.is_without_timer());
    }
}

/// As under systemd, where the first client starts the service: what it inherits from the socket is not ours.
#[test]
fn who_waited_at_a_passed_socket_before_the_start_is_served_like_those_after_it() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("it is bound");
    let mut early = Client::connect(address);
    let config = TempFile::new(format!(
        "[[listener]]\nname = 'raw'\nprotocol = 'raw'\naddress = '{address}'\nheartbeat.interval = '7s'"
    ));
    let daemon = Daemon::start_command(serve_with_socket(&config, "raw", socket), config);
    let mut late = Client::connect(daemon.address("raw"));
    for client in [&mut early, &mut late] {
        client.echo("data\n");
        eventually("keepalive", || client.next_keepalive());
        SockRef::from(&client.stream).send_out_of_band(b"!").expect("an open connection");
        client.send("\n");
        client.expect("!\n");
    }
    drop((early, late));
    daemon.stop();
}
