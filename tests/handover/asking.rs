//! The program that is asked whether it can take over: it may be another, hang, or talk without end. Service goes on.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::support::client::Client;
use crate::support::daemon::{Daemon, LISTENERS, serve};
use crate::support::eventually;
use crate::support::eventually_true;
use crate::support::process::{BINARY, TempFile};
use crate::support::record::text;
use crate::{Installed, hand_over};

/// SIGUSR2, and why that failed.
#[track_caller]
fn failure(daemon: &Daemon) -> String {
    let before = daemon.records("handover_failed").len();
    daemon.signal(Signal::SIGUSR2);
    eventually_true("it fails", || daemon.records("handover_failed").len() > before);
    text(&daemon.records("handover_failed").remove(before), "message").to_owned()
}

#[test]
fn who_cannot_take_over_changes_nothing() {
    let program = Installed::new();
    let daemon = program.start();
    let mut client = Client::connect(daemon.address("line"));
    client.echo("hello\n");
    let fails = |why: &str| {
        let failure = failure(&daemon);
        assert!(failure.contains(why), "{failure}");
    };
    daemon.config().write("nonsense");
    fails("the new program cannot take over");
    client.echo("hello\n");
    daemon.config().write(LISTENERS);
    program.replace_by("exit 1");
    fails("it does not say why");
    program.replace_by("echo older and without an idea >&2; exit 2");
    fails("older and without an idea");
    program.replace_by("exec yes >&2");
    fails("y\ny\ny");
    program.replace_by("exec sleep 1000");
    fails("did not say within 10s");
    fs::remove_file(program.path()).expect("the program");
    fails("cannot start");
    client.echo("still here\n");
    program.replace_by_this();
    assert_eq!(hand_over(&daemon)["connections"], 1);
    client.echo("and now by another program\n");
}

#[test]
fn a_stop_does_not_wait_for_an_answer() {
    let program = Installed::new();
    let mut daemon = program.start();
    let process = TempFile::new("");
    program.replace_by(&format!("echo $$ > {}; exec sleep 1000", process.path()));
    let mut client = Client::connect(daemon.address("line"));
    client.echo("hello\n");
    daemon.signal(Signal::SIGUSR2);
    let asked = eventually("it is asked", || {
        let number = fs::read_to_string(&process).ok()?;
        number.ends_with('\n').then(|| number.trim().to_owned())
    });
    client.echo("served meanwhile\n");
    daemon.signal(Signal::SIGTERM);
    client.expect_end();
    eventually_true("who was asked is gone", || !Path::new("/proc").join(&asked).exists());
    drop(client);
    assert_eq!(daemon.wait_exit().code(), Some(0));
    assert!(daemon.records("handover_failed").is_empty(), "it was given up, not waited for");
    daemon.final_summary();
}

/// Two versions side by side, and a link to the one in use.
#[test]
fn a_link_is_followed_to_where_it_points_by_then() {
    let [first, second] = [Installed::new(), Installed::new()];
    let link = TempFile::with_name("link", "");
    let point_to = |version: &Installed| {
        let new = link.path().to_owned() + ".new";
        symlink(version.path(), &new).expect("a link");
        fs::rename(&new, &link).expect("a switch");
    };
    let runs = |daemon: &Daemon| fs::read_link(format!("/proc/{}/exe", daemon.pid())).expect("it runs");
    point_to(&first);
    for name in Name::ALL {
        let config = TempFile::new(LISTENERS);
        let daemon = Daemon::start_command(name.command(Path::new(link.path()), &config), config);
        assert_eq!(runs(&daemon), Path::new(first.path()));
        for version in [&second, &first] {
            point_to(version);
            hand_over(&daemon);
            assert_eq!(runs(&daemon), Path::new(version.path()), "{name:?}");
        }
        daemon.stop();
    }
}

/// How a program may be told its own name.
#[derive(Debug, Clone, Copy)]
enum Name {
    Path,
    RelativePath,
    OnPath,
}

impl Name {
    const ALL: [Name; 3] = [Name::Path, Name::RelativePath, Name::OnPath];

    fn command(self, program: &Path, config: &TempFile) -> Command {
        let direct = serve(config);
        let (folder, name) = (program.parent().expect("a folder"), program.file_name().expect("a name"));
        let mut command = Command::new("sh");
        command.current_dir(folder).env("PATH", format!("/nonexistent:{}:/usr/bin:/bin", folder.display()));
        command.args(["-c", "exec \"$0\" \"$@\""]);
        match self {
            Name::Path => command.arg(program),
            Name::RelativePath => command.arg(Path::new(".").join(name)),
            Name::OnPath => command.arg(name),
        };
        command.args(direct.get_args());
        command
    }
}

/// A name is chosen by whoever starts a program.
#[test]
fn a_name_that_lies_is_not_believed() {
    use std::os::unix::process::CommandExt as _;
    for name in ["-pulse-echo", "/bin/sh", ""] {
        let config = TempFile::new(LISTENERS);
        let mut command = serve(&config);
        command.arg0(name);
        assert_eq!(command.get_program(), BINARY);
        let daemon = Daemon::start_command(command, config);
        hand_over(&daemon);
        daemon.stop();
    }
}

/// What it is asked, and what it says: here as the running program does it.
#[test]
fn who_is_asked_reads_all_of_the_description() {
    const FIRST_FORMAT: &str = include_str!("format-1.jsonl");
    let config = TempFile::new(LISTENERS);
    let ask = |description: &str| {
        let description = File::open(TempFile::new(description).path()).expect("a file");
        let mut command = serve(&config);
        command.env("PULSE_ECHO_HANDOVER_QUESTION", "5").stdin(description);
        let said = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("it runs");
        String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr)
    };
    assert_eq!(ask(FIRST_FORMAT), "can take over");
    let answer = ask(&FIRST_FORMAT.replacen("\"stage\"", "\"step\"", 1));
    assert!(answer.contains("of 5 connections 1 are in other words"), "{answer}");
    let answer = ask(&FIRST_FORMAT.replacen("\"format\":1", "\"format\":9", 1));
    assert!(answer.contains("it is of format 9"), "{answer}");
    assert!(ask("").contains("is not understood"));
}
