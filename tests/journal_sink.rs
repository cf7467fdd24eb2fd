//! The journal gets the records only where it takes them; else they are text on standard error, which says so.
//!
//! Each test has a /run of its own, which takes root; without, it is skipped.

mod support;

use std::fs;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::panic::resume_unwind;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::Signal;
use support::network::run;
use support::process::{Process, TempFile, pulse_echo};
use support::{PATIENCE, eventually, skip};

const SOCKET: &str = "/run/systemd/journal/socket";

/// Runs `test` in a thread, with an empty /run for it and the processes it starts.
fn with_own_run(test: impl FnOnce() + Send) {
    let own = || match empty_run() {
        Ok(()) => test(),
        Err(why) => skip(&why),
    };
    thread::scope(|scope| scope.spawn(own).join().unwrap_or_else(|panic| resume_unwind(panic)));
}

fn empty_run() -> Result<(), String> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(|error| format!("no mount namespace: {error}"))?;
    run("mount", &["--make-rprivate", "/"])?;
    run("mount", &["-t", "tmpfs", "tmpfs", "/run"])?;
    Ok(())
}

/// What a daemon with standard error "in the journal" writes there until it listens, or until `done`.
fn standard_error(format: &str, done: impl Fn() -> bool) -> String {
    let config = TempFile::new(support::daemon::LISTENERS);
    let (mut reader, writer) = io::pipe().expect("a pipe");
    let writer = fs::File::from(OwnedFd::from(writer));
    let pipe = writer.metadata().expect("it is open");
    let mut command = pulse_echo(["serve", "--log-format", format, "--config", config.path()]);
    command.env("JOURNAL_STREAM", format!("{}:{}", pipe.dev(), pipe.ino())).stderr(writer);
    let mut daemon = Process::spawn(&mut command);
    drop(command);
    let mut text = Vec::new();
    while !done() && !String::from_utf8_lossy(&text).contains("listener=raw ") {
        let mut some = [0; 4096];
        let length = reader.read(&mut some).expect("a pipe");
        assert!(length > 0, "it ended early: {}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&some[..length]);
    }
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_exit().code(), Some(0));
    reader.read_to_end(&mut text).expect("a pipe");
    String::from_utf8(text).expect("plain text")
}

#[test]
fn where_the_journal_takes_no_records_they_are_text_and_the_first_says_so() {
    with_own_run(|| {
        for format in ["auto", "journald"] {
            let text = standard_error(format, || false);
            let first = text.lines().next().expect("a first record");
            assert!(first.contains("event=journal_missed") && first.contains(SOCKET), "{first}");
            assert_eq!(text.matches("event=journal_missed").count(), 1, "said once");
            assert!(first.starts_with("<3>"), "an error, also for the journal: {first}");
            assert!(
                text.lines().any(|line| line.starts_with("<6>") && line.contains("event=stopped")),
                "{text}"
            );
        }
    });
}

#[test]
fn where_the_journal_takes_records_it_gets_them() {
    with_own_run(|| {
        fs::create_dir_all("/run/systemd/journal").expect("a directory of ours");
        let journal = UnixDatagram::bind(SOCKET).expect("nobody else is there");
        journal.set_read_timeout(Some(PATIENCE)).expect("an option of sockets");
        let taken = || {
            let mut entry = [0; 4096];
            let length = journal.recv(&mut entry).expect("it comes");
            let entry = String::from_utf8_lossy(&entry[..length]).into_owned();
            assert!(entry.starts_with("PRIORITY=6\n"), "{entry}");
            entry.contains("PULSE_ECHO_LISTENER=raw\n")
        };
        let text = standard_error("auto", || eventually("it listens", || taken().then_some(true)));
        assert_eq!(text, "", "nothing is left for standard error");
    });
}
