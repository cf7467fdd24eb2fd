//! A configuration file on a mount that hangs holds up its start or reload, and nothing else.

mod support;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::client::Client;
use support::daemon::{Daemon, LISTENERS, serve};
use support::process::{BINARY, Process, TempFile};
use support::{eventually_true, skip};

/// A file system whose server never answers.
struct HungMount {
    directory: PathBuf,
    /// Closed, whoever waits gets an error.
    server: Option<File>,
}

impl HungMount {
    /// `None`: not allowed here.
    fn mount(name: &str) -> Option<HungMount> {
        let directory = std::env::temp_dir().join(format!("pulse-echo-hung-{name}-{}", std::process::id()));
        fs::create_dir(&directory).expect("a directory of ours");
        let server = File::options().read(true).write(true).open("/dev/fuse").ok();
        let mut hung = HungMount { directory, server: None };
        hung.server = Some(server?);
        let descriptor = hung.server.as_ref()?.as_raw_fd();
        let options = format!("fd={descriptor},rootmode=40000,user_id=0,group_id=0");
        let mounted =
            mount(Some("hung"), &hung.directory, Some("fuse"), MsFlags::empty(), Some(options.as_str()));
        mounted.is_ok().then_some(hung)
    }

    fn recover(&mut self) {
        self.server = None;
    }
}

impl Drop for HungMount {
    fn drop(&mut self) {
        self.recover();
        let _ = umount2(&self.directory, MntFlags::MNT_DETACH);
        let _ = fs::remove_dir(&self.directory);
    }
}

/// Points the file of the daemon elsewhere.
fn point(daemon: &Daemon, target: impl AsRef<Path>) {
    let file = daemon.config().path();
    fs::remove_file(file).expect("it is there");
    symlink(target, file).expect("a name that is free now");
}

#[test]
fn signals_are_heard_meanwhile_and_another_reload_begins_anew() {
    let Some(mut hung) = HungMount::mount("reload") else {
        return skip("no file system can be mounted, or there is no /dev/fuse");
    };
    let good = TempFile::new(format!("log.level = 'debug'\n{LISTENERS}"));
    let daemon = Daemon::start("");
    point(&daemon, hung.directory.join("file"));
    daemon.signal(Signal::SIGHUP);
    let waits = daemon.wait_for_event("reload_waits");
    assert_eq!(waits["level"], "WARN", "{waits}");
    daemon.signal(Signal::SIGUSR1);
    daemon.wait_for_event("summary");
    Client::connect(daemon.address("line")).echo("hello\n");

    point(&daemon, good.path());
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_record("the second one", |record| record["key"] == "log.level");
    hung.recover();
    assert!(daemon.records("reload_failed").is_empty(), "the first one is forgotten");

    daemon.stop();
}

#[test]
fn it_does_not_hold_up_a_stop() {
    let Some(hung) = HungMount::mount("stop") else {
        return skip("no file system can be mounted, or there is no /dev/fuse");
    };
    let config = TempFile::new(LISTENERS);
    let command = serve(&config);
    let mut daemon = Daemon::start_command(command, config);
    point(&daemon, hung.directory.join("file"));
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_event("reload_waits");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_exit().code(), Some(0));
    assert_eq!(daemon.records("reload_failed").len(), 1, "it is told what became of the reload");
}

/// Each SIGHUP that hangs costs a thread: there is an end to that.
#[test]
fn reloads_that_hang_are_bounded() {
    let Some(hung) = HungMount::mount("bounded") else {
        return skip("no file system can be mounted, or there is no /dev/fuse");
    };
    let daemon = Daemon::start("");
    point(&daemon, hung.directory.join("file"));
    let threads = || fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("it runs").count();
    let before = threads();
    eventually_true("one is refused", || {
        daemon.signal(Signal::SIGHUP);
        !daemon.records("reload_failed").is_empty()
    });
    assert_eq!(threads() - before, 8);
    drop(hung);
    eventually_true("the threads are gone", || threads() == before);
}

/// As process 1, the way a container starts it, and as any other.
#[test]
fn a_start_that_hangs_says_so_and_can_be_stopped() {
    let Some(hung) = HungMount::mount("start") else {
        return skip("no file system can be mounted, or there is no /dev/fuse");
    };
    let file = hung.directory.join("file");
    let file = file.to_str().expect("a path of plain characters");
    for wrapper in [&["env"][..], &["unshare", "--pid", "--fork", "--kill-child", "--"]] {
        let mut command = Command::new(wrapper[0]);
        command.args(&wrapper[1..]).args([BINARY, "serve", "--config", file]).env_remove("JOURNAL_STREAM");
        let mut daemon = Process::spawn(command.stderr(Stdio::piped()));
        let mut said = String::new();
        let mut errors = BufReader::new(daemon.stderr.take().expect("it is piped"));
        errors.read_line(&mut said).expect("plain text");
        if said.starts_with("unshare: ") {
            return skip("no namespace of processes");
        }
        assert!(said.contains("is not read after 5 s, as on a mount that hangs"), "{said}");
        match child_of(&daemon) {
            Some(process_1) => kill(process_1, Signal::SIGTERM).expect("it runs"),
            None => daemon.signal(Signal::SIGTERM),
        }
        assert_eq!(daemon.wait_exit().code(), Some(0), "a clean stop: nothing was served");
    }
}

fn child_of(process: &Process) -> Option<Pid> {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", process.id())).ok()?;
    children.trim().parse().ok().map(Pid::from_raw)
}
