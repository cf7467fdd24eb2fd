//! A listening socket that dies under the daemon: shut down by who shares it, or destroyed by an administrator.

mod support;

use std::net::{Shutdown, SocketAddr, TcpListener};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::process::Command;

use nix::sys::signal::Signal;
use socket2::Socket;
use support::client::Client;
use support::daemon::{Daemon, serve_with_socket};
use support::process::TempFile;
use support::{PROTOCOLS, eventually, eventually_true, skip};

/// A descriptor of ours for the daemon's listening socket, as a child has that inherited it. `None`: not allowed here.
#[expect(unsafe_code, reason = "no safe crate has pidfd_getfd(2)")]
fn shared_socket(daemon: &Daemon, address: SocketAddr) -> Option<Socket> {
    // SAFETY: system calls that take numbers alone, and return a descriptor of ours.
    let get = |number: i32| unsafe {
        let process =
            OwnedFd::from_raw_fd(i32::try_from(libc::syscall(libc::SYS_pidfd_open, daemon.pid(), 0)).ok()?);
        let ours = libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0);
        (ours >= 0).then(|| OwnedFd::from_raw_fd(i32::try_from(ours).unwrap_or(-1)))
    };
    (3..64).filter_map(get).map(Socket::from).find(|socket| {
        socket.is_listener().unwrap_or(false)
            && socket.local_addr().is_ok_and(|local| local.as_socket() == Some(address))
    })
}

fn serves(address: SocketAddr) {
    eventually("it is served again", || Client::try_connect(address).ok()).echo("hello\n");
}

#[test]
fn a_socket_that_was_shut_down_is_opened_anew_on_the_same_port() {
    let daemon = Daemon::start("");
    for protocol in PROTOCOLS {
        let address = daemon.address(protocol);
        let mut client = Client::connect(address);
        client.echo("before\n");
        let Some(shared) = shared_socket(&daemon, address) else {
            return skip("no descriptor of another process can be had");
        };
        shared.shutdown(Shutdown::Both).expect("it listens");
        let reopened = daemon.wait_for_record("another socket", |record| {
            record["event"] == "listener_reopened" && record["listener"] == protocol
        });
        assert_eq!(reopened["address"], address.to_string(), "{reopened}");
        serves(address);
        client.echo("after\n");
    }
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_event("reload");
    PROTOCOLS.into_iter().for_each(|protocol| serves(daemon.address(protocol)));
    assert_eq!(daemon.records("accept_error").len(), 0);
    daemon.stop();
}

#[test]
fn a_socket_that_was_destroyed_is_opened_anew() {
    let daemon = Daemon::start("");
    let address = daemon.address("raw");
    let port = address.port().to_string();
    let kill = Command::new("ss").args(["--kill", "--listening", "--tcp", "sport", "=", &port]).output();
    if !kill.is_ok_and(|kill| String::from_utf8_lossy(&kill.stdout).contains(&port)) {
        return skip("ss --kill destroys no socket here");
    }
    daemon.wait_for_event("listener_reopened");
    serves(address);
    daemon.stop();
}

/// The service manager holds it, and would pass the dead one again to nobody but a new process.
#[test]
fn the_loss_of_a_passed_socket_ends_the_daemon_in_good_order() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("it is bound");
    let shared = Socket::from(socket.try_clone().expect("a descriptor"));
    let config =
        TempFile::new(format!("[[listener]]\nname = 'line'\nprotocol = 'line'\naddress = '{address}'"));
    let mut daemon = Daemon::start_command(serve_with_socket(&config, "line", socket), config);
    let mut client = Client::connect(address);
    client.echo("before\n");
    shared.shutdown(Shutdown::Both).expect("it listens");
    let lost = daemon.wait_for_event("listener_lost");
    assert_eq!((lost["listener"].as_str(), lost["errno"].as_str()), (Some("line"), Some("EINVAL")), "{lost}");
    client.expect_end();
    client.finish();
    let close = daemon.wait_for_close(client.address);
    assert_eq!(close["reason"], "server_shutdown", "{close}");
    drop(client);
    assert_eq!(daemon.wait_exit().code(), Some(1));
    let fatal = daemon.wait_for_event("fatal");
    assert!(fatal["message"].as_str().is_some_and(|message| message.contains("\"line\"")), "{fatal}");
}

/// Whoever shut it down listens there instead.
#[test]
fn a_port_that_another_has_taken_ends_the_daemon() {
    let mut daemon = Daemon::start("");
    let address = daemon.address("raw");
    let Some(shared) = shared_socket(&daemon, address) else {
        return skip("no descriptor of another process can be had");
    };
    let usurper = Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    usurper.set_reuse_address(true).expect("an option");
    daemon.signal(Signal::SIGSTOP);
    let state = format!("/proc/{}/stat", daemon.pid());
    eventually_true("it is stopped", || std::fs::read_to_string(&state).expect("it runs").contains(") T "));
    shared.shutdown(Shutdown::Both).expect("it listens");
    drop(shared);
    usurper.bind(&address.into()).expect("nobody listens there");
    usurper.listen(1).expect("nobody listens there");
    daemon.signal(Signal::SIGCONT);
    let lost = daemon.wait_for_event("listener_lost");
    assert_eq!(
        (lost["listener"].as_str(), lost["errno"].as_str()),
        (Some("raw"), Some("EADDRINUSE")),
        "{lost}"
    );
    assert_eq!(daemon.wait_exit().code(), Some(1));
}
