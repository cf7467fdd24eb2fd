//! Child processes that never outlive their test.

use std::fs;
use std::io::Read as _;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::kernel::all_threads_are;
use super::{eventually, eventually_true};

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_pulse-echo");

/// A child process, killed when it is dropped.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    #[track_caller]
    pub fn spawn(command: &mut Command) -> Process {
        Process(command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}")))
    }

    /// SIGSTOP is in force when this returns: on a busy machine its threads run on for a while.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).expect("a process id"));
        kill(pid, signal).expect("a running child takes signals");
        if signal == Signal::SIGSTOP {
            eventually_true("it is stopped", || all_threads_are(self.0.id(), 'T'));
        }
    }

    /// Runs a command that writes until somebody stops it, into a pipe that nobody reads; returns what it complains of.
    #[track_caller]
    pub fn without_reader(command: &mut Command) -> String {
        let mut process = Process::spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        drop(process.stdout.take());
        process.wait_exit();
        let mut said = String::new();
        process.stderr.take().expect("it is piped").read_to_string(&mut said).expect("plain text");
        said
    }

    #[track_caller]
    pub fn wait_exit(&mut self) -> ExitStatus {
        eventually("the process ends", || self.0.try_wait().expect("it is our child"))
    }
}

impl Deref for Process {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `pulse-echo` with `arguments`, and no environment that could change what it does.
pub fn pulse_echo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).env_remove("JOURNAL_STREAM").env_remove("NO_COLOR");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Runs `pulse-echo` with `arguments` to its end.
#[track_caller]
pub fn run<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Output {
    let mut command = pulse_echo(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"))
}

/// A file with a name of its own, removed when it is dropped.
#[derive(Debug)]
pub struct TempFile(PathBuf);

impl TempFile {
    pub fn new(content: impl AsRef<[u8]>) -> TempFile {
        TempFile::with_name("test", content)
    }

    /// A file with `name` in its name.
    pub fn with_name(name: &str, content: impl AsRef<[u8]>) -> TempFile {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("pulse-echo-{name}-{}-{number}", std::process::id());
        let file = TempFile(std::env::temp_dir().join(name));
        file.write(content);
        file
    }

    pub fn write(&self, content: impl AsRef<[u8]>) {
        fs::write(&self.0, content).expect("the directory for temporary files takes some");
    }

    pub fn path(&self) -> &str {
        self.0.to_str().expect("a path of plain characters")
    }
}

impl AsRef<Path> for TempFile {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
