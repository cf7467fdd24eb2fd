//! Clients that nobody here wrote: what goes in at their standard input comes out at their standard output, and the
//! daemon sees an orderly end.

mod support;

use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use support::daemon::Daemon;
use support::load::{random_bytes, tricky_bytes};
use support::process::{Process, TempFile};
use support::{PROTOCOLS, skip};

const LENGTH: usize = 300_000;

/// Runs a client for each protocol. At the end of its input it must half-close and read on.
fn pipe_through(client: impl Fn(SocketAddr) -> Command) {
    for (protocol, bytes) in PROTOCOLS.into_iter().zip([tricky_bytes, random_bytes]) {
        let daemon = Daemon::start("");
        let sent = bytes(42, LENGTH);
        let (input, output) = (TempFile::new(&sent), TempFile::new(""));
        let mut command = client(daemon.address(protocol));
        command.stdin(File::open(&input).expect("a file of ours")).stderr(Stdio::null());
        command.stdout(File::create(&output).expect("a file of ours"));
        assert_eq!(Process::spawn(&mut command).wait_exit().code(), Some(0), "{command:?}");
        assert!(fs::read(&output).expect("a file of ours") == sent, "{command:?} got another echo");
        let close = daemon.wait_for_event("close");
        assert_eq!(close["reason"], "peer_closed", "{close}");
        assert_eq!(close["rx_bytes"], LENGTH, "{close}");
        assert_eq!(close["tx_bytes"], LENGTH, "{close}");
        assert_eq!(daemon.stop()["accepted"], 1);
    }
}

/// What a program says of itself; `None` where it is not installed.
fn introduction(program: &str, option: &str) -> Option<String> {
    let output = Command::new(program).arg(option).stdin(Stdio::null()).output().ok()?;
    Some([output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat())
}

#[test]
fn socat() {
    if introduction("socat", "-V").is_none() {
        return skip("socat is not installed");
    }
    pipe_through(|server| {
        let mut command = Command::new("socat");
        // So long it waits for the echo after the end of its input.
        command.args(["-t30", "-", &format!("TCP:{server}")]);
        command
    });
}

#[test]
fn ncat() {
    if introduction("ncat", "--version").is_none() {
        return skip("ncat is not installed");
    }
    pipe_through(|server| {
        let mut command = Command::new("ncat");
        command.args([server.ip().to_string(), server.port().to_string()]);
        command
    });
}

/// OpenBSD's. The others of that name half-close by other options, or never, and are not asked for.
#[test]
fn nc() {
    if !introduction("nc", "-h").is_some_and(|text| text.contains("OpenBSD")) {
        return;
    }
    pipe_through(|server| {
        let mut command = Command::new("nc");
        command.args(["-N", &server.ip().to_string(), &server.port().to_string()]);
        command
    });
}
