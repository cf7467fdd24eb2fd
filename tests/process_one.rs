//! As process 1, the way a container starts it: signals that have no handler are not delivered there, and orphans are its own.

mod support;

use std::fs;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::client::Client;
use support::daemon::{Daemon, LISTENERS, serve};
use support::eventually;
use support::process::TempFile;
use support::{eventually_true, skip};

/// A daemon that is process 1 of a namespace of its own, and its process id outside of that. `None`: not allowed here.
fn start() -> Option<(Daemon, u32)> {
    let in_namespace = |command: &mut Command| {
        command.args(["--pid", "--fork", "--kill-child", "--"]);
    };
    let mut probe = Command::new("unshare");
    in_namespace(&mut probe);
    if !probe.arg("true").output().is_ok_and(|output| output.status.success()) {
        return None;
    }
    let config = TempFile::new(LISTENERS);
    let direct = serve(&config);
    let mut command = Command::new("unshare");
    in_namespace(&mut command);
    command.arg(direct.get_program()).args(direct.get_args());
    let daemon = Daemon::start_command(command, config);
    let children = format!("/proc/{0}/task/{0}/children", daemon.pid());
    let process = eventually("its process", || fs::read_to_string(&children).ok()?.trim().parse().ok());
    Some((daemon, process))
}

fn children(process: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let children = children.expect("the daemon runs");
    children.split_whitespace().map(|child| child.parse().expect("a process id")).collect()
}

#[test]
fn orphans_are_reaped() {
    let Some((mut daemon, process)) = start() else {
        return skip("no namespace of processes");
    };
    // Orphans that live until they are told to end, so that nobody but the daemon can have reaped them.
    let script = "sleep 1000 & sleep 1000 & sleep 1000 &";
    let mut left = Command::new("nsenter");
    left.args(["--pid", "--target", &process.to_string(), "sh", "-c", script]);
    assert!(left.status().expect("util-linux has it").success());
    let orphans = eventually("they are the daemon's", || {
        Some(children(process)).filter(|children| children.len() == 3)
    });
    for orphan in orphans {
        kill(Pid::from_raw(i32::try_from(orphan).expect("a process id")), Signal::SIGKILL).expect("it lives");
    }
    eventually_true("no orphan is left", || children(process).is_empty());
    Client::connect(daemon.address("line")).echo("hello\n");
    stop(&mut daemon, process, Signal::SIGTERM);
}

#[test]
fn it_stops_by_whatever_signal_a_container_sends() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT] {
        let Some((mut daemon, process)) = start() else {
            return skip("no namespace of processes");
        };
        stop(&mut daemon, process, signal);
    }
}

fn stop(daemon: &mut Daemon, process: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(process).expect("a process id")), signal).expect("it runs");
    assert_eq!(daemon.wait_exit().code(), Some(0), "{signal}");
    daemon.final_summary();
}
