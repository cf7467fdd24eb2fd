//! The connections outlive the program: in its process (SIGUSR2), or in the next one that a service manager starts.

mod asking;
mod crowd;
mod in_place;
mod next_process;
mod under_way;

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;

use support::daemon::{Daemon, LISTENERS, serve};
use support::eventually_true;
use support::process::{BINARY, TempFile};
use support::record::Record;

/// Lets another program take over, and returns what it says of that.
#[track_caller]
fn hand_over(daemon: &Daemon) -> Record {
    let before = daemon.records("adopted").len();
    daemon.signal(Signal::SIGUSR2);
    eventually_true("another program took over", || daemon.records("adopted").len() > before);
    daemon.records("adopted").remove(before)
}

/// A path to start the program by, and others in its place.
struct Installed(TempFile);

impl Installed {
    fn new() -> Installed {
        let installed = Installed(TempFile::with_name("program", ""));
        installed.replace_by_this();
        installed
    }

    fn path(&self) -> &str {
        self.0.path()
    }

    /// A daemon that was started by this path.
    #[track_caller]
    fn start(&self) -> Daemon {
        let config = TempFile::new(LISTENERS);
        let mut command = Command::new(self.path());
        command.args(serve(&config).get_args());
        Daemon::start_command(command, config)
    }

    /// Puts the real one there.
    fn replace_by_this(&self) {
        self.replace(Command::new("cp").arg(BINARY));
    }

    /// Puts a script there.
    fn replace_by(&self, script: &str) {
        let write = "printf '#!/bin/sh\\n%s\\n' \"$0\" > \"$1\"";
        self.replace(Command::new("sh").args(["-c", write, script]));
    }

    /// As a package does: in one step. Another process writes it: a test beside this one may start a program at any moment, which
    /// has a file that is open for writing here for as long, and such a file cannot be executed.
    fn replace(&self, write: &mut Command) {
        let new = PathBuf::from(self.path().to_owned() + ".new");
        assert!(write.arg(&new).status().expect("a shell").success());
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("a file of ours");
        fs::rename(&new, self.path()).expect("an upgrade");
    }
}
