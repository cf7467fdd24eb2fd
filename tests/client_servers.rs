//! `idle-limit` and `ping` against echo servers that others wrote, and at every stage of what they do.

mod support;

use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use support::daemon::Daemon;
use support::network::{Fate, cut_to, in_own_network};
use support::process::{BINARY, Process, TempFile, pulse_echo, run};
use support::{eventually, eventually_true, skip};

/// In a network of the test's own any port is free.
const PORT: &str = "127.0.0.1:7007";

/// What a command told as JSON, and its status.
fn told(arguments: &str) -> (Vec<Value>, Option<i32>) {
    let output = run(arguments.split_whitespace().chain(["--format", "json"]));
    let text = String::from_utf8(output.stdout).expect("plain text");
    (text.lines().map(|line| serde_json::from_str(line).expect(line)).collect(), output.status.code())
}

fn is_installed(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$0\"", program]).stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

/// Starts an echo server in a network of its own, and asks it with both commands.
fn asks(program: &str, arguments: &[&str]) {
    if !is_installed(program) {
        return skip(&format!("{program} is not installed"));
    }
    in_own_network(|| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let _server = Process::spawn(&mut command);
        eventually("it listens", || TcpStream::connect(PORT).ok());
        let (told_by_ping, status) = told(&format!("ping {PORT} --count 3 --every 10ms --size 5000"));
        assert_eq!(status, Some(0), "{told_by_ping:?}");
        let (told, status) = told(&format!("idle-limit {PORT} --max 2s --resolution 500ms"));
        let result = told.last().expect("a result");
        assert_eq!((status, &result["lived_ms"]), (Some(0), &2000.into()), "{told:?}");
    });
}

#[test]
fn socat() {
    asks("socat", &["TCP-LISTEN:7007,bind=127.0.0.1,fork", "EXEC:cat"]);
}

#[test]
fn ncat() {
    asks("ncat", &["--listen", "--keep-open", "--exec", "/bin/cat", "127.0.0.1", "7007"]);
}

#[test]
fn the_timeout_of_a_proxy_is_found_out() {
    if !is_installed("haproxy") {
        return skip("haproxy is not installed");
    }
    in_own_network(|| {
        let daemon = Daemon::start("heartbeat.interval = 'off'\ndeadlines.read = 'off'");
        let configuration = format!(
            "defaults\n mode tcp\n timeout connect 4s\n timeout client 4s\n timeout server 4s\n\
             listen echo\n bind {PORT}\n server pulse {}\n",
            daemon.address("raw")
        );
        let file = TempFile::with_name("haproxy", configuration);
        let mut command = Command::new("haproxy");
        command.args(["-db", "-f", file.path()]).stdout(Stdio::null()).stderr(Stdio::null());
        let _proxy = Process::spawn(&mut command);
        eventually("it listens", || TcpStream::connect(PORT).ok());
        let (told, status) = told(&format!("idle-limit {PORT} --max 12s --resolution 1s"));
        let result = told.last().expect("a result");
        assert_eq!((status, &result["how"]), (Some(0), &"closed".into()), "{told:?}");
        let after = result["died_ms"].as_u64().expect("a time");
        assert!((3900..5000).contains(&after), "{told:?}");
        assert!(result["interval_ms"].as_u64() <= Some(2000), "{result}");
    });
}

/// A server that echoes the first message of each connection, and does `act` with the rest.
fn server(act: fn(TcpStream, &[u8])) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut message = [0; 22];
                for nth in 0..2 {
                    if stream.read_exact(&mut message).is_err() {
                        return;
                    }
                    if nth == 0 {
                        stream.write_all(&message).expect("it is read");
                    }
                }
                act(stream, &message);
            });
        }
    });
    address
}

fn outcome(act: fn(TcpStream, &[u8])) -> Value {
    let (told, _) = told(&format!("idle-limit {} --max 500ms --timeout 2s", server(act)));
    told.first().expect("a step").clone()
}

#[test]
fn a_probe_while_we_ask_is_answered_and_no_lack_of_an_echo() {
    let step = outcome(|mut stream, message| {
        stream.write_all(b"PING 7\n").expect("it is read");
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"PONG 7\n");
        stream.write_all(message).expect("it is read");
    });
    assert_eq!((&step["outcome"], &step["by"]), (&"kept_alive".into(), &"ping".into()), "{step}");
}

#[test]
fn a_reset_when_asked_is_told_from_one_by_itself() {
    let step = outcome(|stream, _| {
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("it is open");
    });
    assert_eq!(step["outcome"], "reset", "{step}");
    assert!(step["since_asked_us"].is_u64(), "{step}");
}

#[test]
fn a_server_that_hangs_proves_nothing() {
    let step = outcome(|mut stream, _| _ = stream.read(&mut [0; 1]));
    assert_eq!(step["outcome"], "unanswered", "{step}");
}

#[test]
fn what_cannot_be_is_said_before_anything_is_opened() {
    let daemon = Daemon::start("");
    let few = format!("ulimit -n 40; exec {BINARY} idle-limit {}", daemon.address("raw"));
    let output = Command::new("sh").args(["-c", &few]).output().expect("a shell");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("ulimit -n") && said.contains("--samples"), "{said}");
    for command in ["ping", "idle-limit"] {
        let output = run([command, "name.invalid:7"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(69), "{said}");
        assert!(said.contains("cannot connect to name.invalid:7"), "{said}");
    }
}

/// Waits until a process listens for SIGINT and SIGTERM.
fn wait_until_interruptible(process: &Process) {
    eventually_true("it listens for signals", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).expect("our child");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("proc(5)");
        let caught = u64::from_str_radix(caught.trim(), 16).expect("a mask");
        [Signal::SIGINT, Signal::SIGTERM].iter().all(|signal| caught >> (*signal as i32 - 1) & 1 == 1)
    });
}

#[test]
fn an_interrupt_while_connecting_ends_at_once() {
    in_own_network(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        cut_to(address, Fate::Lost);
        for (command, words) in [("ping", "0 sent"), ("idle-limit", "Nothing is known")] {
            for signal in [Signal::SIGINT, Signal::SIGTERM] {
                let arguments = [command, &address.to_string(), "--timeout", "60s"];
                let mut process = Process::spawn(pulse_echo(arguments).stdout(Stdio::piped()));
                wait_until_interruptible(&process);
                process.signal(signal);
                let mut text = String::new();
                process.stdout.take().expect("it is piped").read_to_string(&mut text).expect("plain text");
                assert!(text.contains(words), "{text}");
                process.wait_exit();
            }
        }
    });
}

#[test]
fn a_closed_pipe_ends_a_search_quietly() {
    let daemon = Daemon::start("heartbeat.interval = 'off'\ndeadlines.read = 'off'");
    let address = daemon.address("raw").to_string();
    let mut command =
        pulse_echo(["idle-limit", &address, "--max", "20s", "--resolution", "100ms", "--format", "json"]);
    assert_eq!(Process::without_reader(&mut command), "");
}
