//! `ping` against the daemon, other echo servers, and whatever else may be at the far end.

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::iter;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Output, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use support::daemon::Daemon;
use support::network::{Fate, cut_to, in_own_network};
use support::process::{Process, pulse_echo, run};
use support::{dawdle, for_both_protocols, now};

fn ping(address: &str, options: &str) -> Output {
    run(["ping", address].into_iter().chain(options.split_whitespace()))
}

/// What `ping` told as JSON, and its status.
fn told(address: SocketAddr, options: &str) -> (Vec<Value>, Option<i32>) {
    let output = ping(&address.to_string(), &format!("{options} --format json"));
    let text = String::from_utf8(output.stdout).expect("plain text");
    (text.lines().map(|line| serde_json::from_str(line).expect(line)).collect(), output.status.code())
}

fn event<'a>(told: &'a [Value], name: &str) -> &'a Value {
    told.iter().find(|told| told["event"] == name).unwrap_or_else(|| panic!("no {name} in {told:?}"))
}

/// A server that does `act` with its one connection.
fn server(act: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || act(listener.accept().expect("a client").0));
    address
}

#[test]
fn everything_comes_back_from_the_daemon() {
    let daemon = Daemon::start("");
    for_both_protocols(|protocol| {
        for size in ["22", "64", "65536"] {
            let options = format!("--count 5 --every 1ms --size {size}");
            let (told, status) = told(daemon.address(protocol), &options);
            assert_eq!(status, Some(0), "{told:?}");
            assert_eq!(told.iter().filter(|told| told["event"] == "echo").count(), 5);
            let figures = told.last().expect("figures");
            assert_eq!((&figures["event"], &figures["echoed"]), (&"figures".into(), &5.into()));
            // The histogram keeps three digits.
            let mut times: Vec<f64> = told.iter().filter_map(|told| told["rtt_us"].as_f64()).collect();
            times.sort_by(f64::total_cmp);
            let median = figures["rtt_median_us"].as_f64().expect("a number");
            assert!((median / times[2] - 1.0).abs() < 0.002, "{told:?}");
        }
    });
}

#[test]
fn people_read_lines_as_of_ping() {
    let daemon = Daemon::start("");
    let output = ping(&daemon.address("raw").to_string(), "--count 2 --every 1ms");
    let text = String::from_utf8(output.stdout).expect("plain text");
    assert!(text.contains("64 bytes from 127.0.0.1:") && text.contains("seq=2 time="), "{text}");
    assert!(text.contains("2 sent, 2 echoed, 0 lost") && text.contains("median"), "{text}");
}

#[test]
fn probes_are_answered_and_idleness_is_held() {
    let settings = "heartbeat.interval = '100ms'\nheartbeat.timeout = '1s'\ndeadlines.lifetime = '2s'";
    let daemon = Daemon::start(settings);
    let (told, status) = told(daemon.address("line"), "--idle");
    assert_eq!((status, &event(&told, "close")["reason"]), (Some(1), &"peer_closed".into()), "{told:?}");
    assert!(event(&told, "figures")["probes_answered"].as_u64() > Some(1), "{told:?}");
}

#[test]
fn a_server_that_resets_is_told_of() {
    let address = server(|stream| {
        let _ = (&stream).read(&mut [0; 1]);
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("it is open");
    });
    let (told, status) = told(address, "");
    assert_eq!((status, &event(&told, "close")["reason"]), (Some(1), &"peer_reset".into()), "{told:?}");
    assert_eq!(event(&told, "figures")["lost"], 1);
}

#[test]
fn a_server_that_hangs_is_judged() {
    let daemon = Daemon::start("");
    let address = daemon.address("raw");
    daemon.signal(Signal::SIGSTOP);
    let (told, status) = told(address, "--timeout 2s --every 500ms");
    daemon.signal(Signal::SIGCONT);
    let close = event(&told, "close");
    assert_eq!(
        (status, &close["reason"], &close["verdict"]),
        (Some(1), &"read_timeout".into(), &"peer_hung".into())
    );
    assert!(event(&told, "late")["waiting_ms"].as_u64() >= Some(400), "{told:?}");
}

#[test]
fn a_server_that_does_not_read_is_judged() {
    let address = server(|stream| {
        dawdle(Duration::from_secs(8));
        drop(stream);
    });
    let (told, status) = told(address, "--timeout 3s --every 1ms --size 65536");
    let close = event(&told, "close");
    assert_eq!((status, &close["verdict"]), (Some(1), &"peer_not_reading".into()), "{close}");
}

#[test]
fn what_is_no_echo_is_said_so() {
    let address = server(|mut stream| {
        let _ = stream.write_all(b"220 welcome\r\n");
        let _ = stream.read(&mut [0; 1]);
    });
    let (told, status) = told(address, "");
    assert_eq!(status, Some(1));
    assert!(event(&told, "close")["message"].as_str().expect("text").contains("no echo server"), "{told:?}");
}

#[test]
fn a_flood_of_probes_costs_little() {
    let address = server(|mut stream| {
        let flood = b"PING 1\n".repeat(10_000);
        let began = now();
        // Its answers are not read, so it is held up before long.
        stream.set_write_timeout(Some(Duration::from_millis(500))).expect("a time");
        while stream.write_all(&flood).is_ok() && began.elapsed() < Duration::from_secs(2) {}
        let _ = stream.shutdown(Shutdown::Both);
    });
    assert_eq!(told(address, "--timeout 3s").1, Some(1));
}

#[test]
fn nobody_there_is_69() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    for place in [free.to_string(), "name.invalid:7".to_owned()] {
        let output = ping(&place, "--timeout 2s");
        assert_eq!(output.status.code(), Some(69), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("cannot connect to"), "{output:?}");
    }
    assert_eq!(ping("127.0.0.1:7", "-6").status.code(), Some(69));
}

#[test]
fn wrong_usage_is_2() {
    for wrong in ["localhost", "::1:7", "localhost:7 --every 0s", "localhost:7 --size 5", "localhost:7 -4 -6"]
    {
        let (place, options) = wrong.split_once(' ').unwrap_or((wrong, ""));
        assert_eq!(ping(place, options).status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn a_reconnect_goes_on_after_an_end() {
    let daemon = Daemon::start("deadlines.lifetime = '1s'");
    let (told, status) = told(daemon.address("raw"), "--reconnect --every 300ms --count 6");
    assert_eq!(status, Some(0), "{told:?}");
    assert!(event(&told, "figures")["connections"].as_u64() >= Some(2), "{told:?}");
}

#[test]
fn an_interrupt_ends_with_the_figures() {
    let daemon = Daemon::start("");
    let address = daemon.address("raw").to_string();
    let mut process =
        Process::spawn(pulse_echo(["ping", &address, "--every", "10ms"]).stdout(Stdio::piped()));
    let mut stdout = process.stdout.take().expect("it is piped");
    let mut text = vec![0; 200]; // the first lines
    stdout.read_exact(&mut text).expect("lines come");
    process.signal(Signal::SIGINT);
    stdout.read_to_end(&mut text).expect("the rest");
    process.wait_exit();
    let text = String::from_utf8(text).expect("plain text");
    assert!(text.contains("interrupted") && text.contains(" echoed, "), "{text}");
}

/// Starts `ping`, echoes its first message, and sends `signal` once the second is there.
fn interrupted_by(signal: Signal, options: &str) -> (Value, Option<i32>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let arguments = ["ping", &address, "--format", "json"].into_iter().chain(options.split_whitespace());
    let mut process = Process::spawn(pulse_echo(arguments).stdout(Stdio::piped()));
    let (mut stream, _) = listener.accept().expect("a client");
    let mut message = [0; 64];
    stream.read_exact(&mut message).expect("the first message");
    stream.write_all(&message).expect("it is read");
    stream.read_exact(&mut message).expect("the second message");
    dawdle(Duration::from_millis(300));
    process.signal(signal);
    let mut text = String::new();
    process.stdout.take().expect("it is piped").read_to_string(&mut text).expect("plain text");
    let figures = text.lines().last().and_then(|line| serde_json::from_str(line).ok()).expect("figures");
    (figures, process.wait_exit().code())
}

#[test]
fn what_is_on_its_way_is_not_lost() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (figures, status) = interrupted_by(signal, "--every 2s");
        assert_eq!(
            (status, &figures["lost"], &figures["in_flight"]),
            (Some(0), &0.into(), &1.into()),
            "{figures}"
        );
    }
}

#[test]
fn what_is_late_is_lost() {
    let (figures, status) = interrupted_by(Signal::SIGINT, "--every 20ms --count 2");
    assert_eq!((status, &figures["lost"]), (Some(1), &1.into()), "{figures}");
}

#[test]
fn a_path_that_loses_packets_is_judged() {
    in_own_network(|| {
        let daemon = Daemon::start("");
        let address = daemon.address("raw");
        let arguments =
            ["ping", &address.to_string(), "--every", "200ms", "--timeout", "2s", "--format", "json"];
        let mut process = Process::spawn(pulse_echo(arguments).stdout(Stdio::piped()));
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let mut next = || lines.next().map(|line| serde_json::from_str(&line.expect("text")).expect("JSON"));
        while next().is_some_and(|told: Value| told["event"] != "echo") {}
        cut_to(address, Fate::Lost);
        let close = iter::from_fn(next).find(|told| told["event"] == "close").expect("an end");
        assert_eq!(
            (&close["reason"], &close["verdict"]),
            (&"write_timeout".into(), &"path_lost".into()),
            "{close}"
        );
        assert_eq!(process.wait_exit().code(), Some(1));
    });
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let daemon = Daemon::start("");
    let address = daemon.address("raw").to_string();
    let mut command = pulse_echo(["ping", &address, "--every", "1ms"]);
    assert_eq!(Process::without_reader(&mut command), "");
}
