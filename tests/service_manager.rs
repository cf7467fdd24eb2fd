//! What a service manager says to the daemon in its environment, and hears from it; a real systemd is in `systemd.rs`.

mod support;

use std::fs;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use support::client::Client;
use support::daemon::{Daemon, LISTENERS, serve};
use support::process::TempFile;
use support::{PATIENCE, dawdle};

/// Somebody who wants to be told, in the abstract namespace.
struct Manager {
    socket: UnixDatagram,
    name: String,
}

impl Manager {
    fn new() -> Manager {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("pulse-echo-manager-{}-{number}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).expect("a short name"));
        let socket = socket.expect("a name of our own");
        socket.set_read_timeout(Some(PATIENCE)).expect("an option of sockets");
        Manager { socket, name }
    }

    /// Makes whoever sends to it wait, or fail.
    fn fill(&self) {
        let sender = UnixDatagram::unbound().expect("a socket");
        sender.set_nonblocking(true).expect("an option of sockets");
        let address = SocketAddr::from_abstract_name(&self.name).expect("a short name");
        while sender.send_to_addr(b"full", &address).is_ok() {}
    }

    /// The next message that says anything but how things are.
    fn told(&self) -> String {
        loop {
            let mut message = [0; 256];
            let length = self.socket.recv(&mut message).expect("it is told something");
            let message = String::from_utf8_lossy(&message[..length]).into_owned();
            if !["STATUS=", "WATCHDOG=", "full"].iter().any(|start| message.starts_with(start)) {
                return message;
            }
        }
    }

    fn start(&self) -> Daemon {
        let config = TempFile::new(LISTENERS);
        let mut command = serve(&config);
        command.env("NOTIFY_SOCKET", format!("@{}", self.name)).env("WATCHDOG_USEC", "200000");
        Daemon::start_command(command, config)
    }
}

#[test]
fn a_manager_is_told_of_start_reload_and_stop() {
    let manager = Manager::new();
    let daemon = manager.start();
    assert_eq!(manager.told(), "READY=1");
    daemon.signal(Signal::SIGHUP);
    assert!(manager.told().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(manager.told(), "READY=1");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(manager.told(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000");
    daemon.stop();
}

/// Whatever is told waits in vain, and nothing else waits for it.
#[test]
fn a_manager_that_does_not_read_holds_up_nothing_and_is_told_later() {
    let manager = Manager::new();
    manager.fill();
    let mut daemon = manager.start();
    daemon.signal(Signal::SIGUSR1);
    daemon.wait_for_event("summary");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_event("reload");
    Client::connect(daemon.address("line")).echo("hello\n");
    assert_eq!(manager.told(), "READY=1");
    assert!(manager.told().starts_with("RELOADING=1\n"));
    assert_eq!(manager.told(), "READY=1");
    manager.fill();
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_exit().code(), Some(0));
}

#[test]
fn a_manager_that_is_not_there_is_missed_once_and_the_daemon_serves() {
    for socket in ["/nonexistent/notify", "@pulse-echo-nobody", "vsock:2:1234", "garbage"] {
        let config = TempFile::new(LISTENERS);
        let mut command = serve(&config);
        command.env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", "1000000");
        let daemon = Daemon::start_command(command, config);
        let missed = daemon.wait_for_event("service_manager_unreachable");
        assert_eq!(missed["level"], "WARN", "{missed}");
        assert!(missed["message"].as_str().is_some_and(|message| message.contains(socket)), "{missed}");
        daemon.signal(Signal::SIGHUP);
        daemon.wait_for_event("reload");
        assert_eq!(daemon.records("service_manager_unreachable").len(), 1);
        daemon.stop();
    }
}

/// `sh` becomes the daemon, and so knows its process id.
fn with_environment(variables: &str, config: &TempFile) -> Command {
    let direct = serve(config);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("export {variables}; exec \"$0\" \"$@\"")]);
    command.arg(direct.get_program()).args(direct.get_args());
    command
}

#[test]
fn what_is_meant_for_another_process_or_is_garbage_is_not_taken() {
    let others = [
        "LISTEN_PID=1 LISTEN_FDS=3",
        "LISTEN_PID=garbage LISTEN_FDS=garbage",
        "LISTEN_FDS=3",
        "LISTEN_PID=$$",
        "LISTEN_PID=$$ LISTEN_FDS=0",
        "WATCHDOG_USEC=garbage",
        "WATCHDOG_USEC=0",
        "WATCHDOG_USEC=99999999999999999999999",
        "WATCHDOG_USEC=18446744073709551615",
        "WATCHDOG_PID=1 WATCHDOG_USEC=1",
        "WATCHDOG_USEC=1",
        "NOTIFY_SOCKET=",
        "JOURNAL_STREAM=garbage",
    ];
    for variables in others {
        let config = TempFile::new(LISTENERS);
        let daemon = Daemon::start_command(with_environment(variables, &config), config);
        Client::connect(daemon.address("line")).echo("hello\n");
        daemon.stop();
    }
}

/// The kernel tells how much a process has worked, in ticks of 10 ms.
#[test]
fn the_shortest_watchdog_does_not_keep_the_daemon_busy() {
    let config = TempFile::new(LISTENERS);
    let daemon = Daemon::start_command(with_environment("WATCHDOG_USEC=1", &config), config);
    let ticks = || -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).expect("it runs");
        let times = stat.rsplit_once(") ").expect("after the name").1.split(' ').skip(11).take(2);
        times.map(|time| time.parse::<u64>().expect("a number")).sum()
    };
    let before = ticks();
    dawdle(Duration::from_secs(1));
    assert!(ticks() - before <= 25, "a quarter of a second of work in one of idleness");
}

#[test]
fn sockets_that_are_promised_must_be_there() {
    for promise in ["LISTEN_FDS=1", "LISTEN_FDS=65535", "LISTEN_FDS=2000000000", "LISTEN_FDS=many"] {
        let config = TempFile::new(LISTENERS);
        let mut command = with_environment(&format!("LISTEN_PID=$$ {promise}"), &config);
        let output = command.stderr(Stdio::piped()).output().expect("a shell");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("LISTEN_FDS"), "{promise}: {said}");
    }
}
