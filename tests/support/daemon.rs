//! A running `pulse-echo serve`, and its log as it grows.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use nix::sys::signal::Signal;

use super::process::{Process, TempFile, pulse_echo};
use super::record::{Record, check_log, reconcile};
use super::{PATIENCE, eventually_true, now};

/// One listener for each protocol, on free ports.
pub const LISTENERS: &str = r#"
[[listener]]
name = "line"
address = "127.0.0.1:0"
protocol = "line"

[[listener]]
name = "raw"
address = "127.0.0.1:0"
protocol = "raw"
"#;

/// A daemon that has begun to listen. Dropped, it is killed, and its log checked.
#[derive(Debug)]
pub struct Daemon {
    process: Process,
    log: Log,
    config: TempFile,
}

impl Daemon {
    /// Starts it on [`LISTENERS`] with `settings`: lines like `deadlines.read = "1s"`. What they leave out is the
    /// default, and the default deadlines are too long to matter in a test.
    #[track_caller]
    pub fn start(settings: &str) -> Daemon {
        Daemon::start_with_file(&format!("{settings}\n{LISTENERS}"))
    }

    /// Starts it with all of a configuration file.
    #[track_caller]
    pub fn start_with_file(text: &str) -> Daemon {
        let config = TempFile::new(text);
        let command = serve(&config);
        Daemon::start_command(command, config)
    }

    /// Starts it by `command`, which must have come from [`serve`] or run the same in the end.
    #[track_caller]
    pub fn start_command(mut command: Command, config: TempFile) -> Daemon {
        let text = std::fs::read_to_string(&config).expect("the file was just written");
        let mut process = Process::spawn(command.stderr(Stdio::piped()));
        let log = Log::of(process.stderr.take().expect("it is piped"));
        let daemon = Daemon { process, log, config };
        let listeners = text.matches("[[listener]]").count();
        daemon.log.wait("it listens", |records| {
            let listening = records.iter().filter(|record| record["event"] == "listening");
            (listening.count() == listeners).then_some(())
        });
        daemon
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn config(&self) -> &TempFile {
        &self.config
    }

    /// The real address of a listener.
    #[track_caller]
    pub fn address(&self, listener: &str) -> SocketAddr {
        let listening = self.wait_for_record("its address", |record| {
            record["event"] == "listening" && record["listener"] == listener
        });
        listening["address"].as_str().and_then(|address| address.parse().ok()).expect("an address")
    }

    /// All records of an event so far.
    pub fn records(&self, event: &str) -> Vec<Record> {
        let records = self.log.lock();
        records.list.iter().filter(|record| record["event"] == event).cloned().collect()
    }

    /// The first record that is `wanted`, as soon as there is one.
    #[track_caller]
    pub fn wait_for_record(&self, what: &str, wanted: impl Fn(&Record) -> bool) -> Record {
        self.log.wait(what, |records| records.iter().find(|record| wanted(record)).cloned())
    }

    /// The first record of an event, as soon as there is one.
    #[track_caller]
    pub fn wait_for_event(&self, event: &str) -> Record {
        self.wait_for_record(event, |record| record["event"] == event)
    }

    /// Why the connection of the client at `peer` ended, as soon as it has.
    #[track_caller]
    pub fn wait_for_close(&self, peer: SocketAddr) -> Record {
        let peer = peer.to_string();
        self.wait_for_record("a close", |record| {
            record["event"] == "close" && record["peer"] == peer.as_str()
        })
    }

    /// Waits until so many connections have ended.
    #[track_caller]
    pub fn wait_for_closes(&self, count: usize) {
        eventually_true("connections end", || {
            let records = self.log.lock();
            records.list.iter().filter(|record| record["event"] == "close").count() >= count
        });
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Lets the log wait in its pipe, from the next record on.
    pub fn hold_log(&self) {
        self.log.set_reading(Reading::Held);
    }

    /// Reads the log again.
    pub fn release_log(&self) {
        self.log.set_reading(Reading::Eagerly);
    }

    /// Closes the pipe of the log with the next record, which `provoke` must bring about: whatever the daemon writes
    /// from then on fails.
    pub fn close_log(&mut self, provoke: impl FnOnce(&Daemon)) {
        self.log.set_reading(Reading::Over);
        provoke(self);
        eventually_true("the pipe is closed", || self.log.lock().ended);
    }

    /// Opens the pipe of the log again.
    pub fn reopen_log(&mut self) {
        let pipe =
            File::open(format!("/proc/{}/fd/2", self.pid())).expect("a pipe can be opened by its name");
        let mut records = self.log.lock();
        (records.reading, records.ended) = (Reading::Eagerly, false);
        drop(records);
        self.log.read_from(pipe);
    }

    /// Waits for the end of the process, and of its log.
    #[track_caller]
    pub fn wait_exit(&mut self) -> ExitStatus {
        let status = self.process.wait_exit();
        self.log.wait_for_end();
        status
    }

    /// Stops it in good order. Its clients must have gone, or go now. Returns the last summary, which was held
    /// against the close records.
    #[track_caller]
    pub fn stop(mut self) -> Record {
        self.signal(Signal::SIGTERM);
        assert_eq!(self.wait_exit().code(), Some(0), "a clean stop");
        self.final_summary()
    }

    /// The last summary of a daemon that has ended, which must agree with all its close records.
    #[track_caller]
    pub fn final_summary(&self) -> Record {
        let summary = self.records("summary").pop().expect("a stop ends with a summary");
        reconcile(&summary, &self.records("close"));
        assert_eq!(summary["open"], 0);
        let stopped = self.log.lock().list.last().cloned().expect("records");
        assert_eq!(stopped["event"], "stopped", "the last record");
        summary
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        self.log.wait_for_end();
        let log = self.log.lock();
        if thread::panicking() {
            log.list.iter().for_each(|record| eprintln!("{record}"));
            log.garbage.iter().for_each(|line| eprintln!("not JSON: {line}"));
        } else {
            assert_eq!(log.garbage, Vec::<String>::new(), "every line of the log is JSON");
            check_log(&log.list);
        }
    }
}

/// `pulse-echo serve` as [`Daemon`] runs it.
pub fn serve(config: &TempFile) -> Command {
    pulse_echo(["serve", "--log-format", "json", "--config", config.path()])
}

/// The same with a listening socket passed to it, as systemd does.
pub fn serve_with_socket(config: &TempFile, listener: &str, socket: impl Into<OwnedFd>) -> Command {
    let direct = serve(config);
    let mut passing = Command::new("sh");
    passing.arg("-c");
    passing.arg(format!(
        "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES='{listener}' exec \"$0\" \"$@\" 3<&0 </dev/null"
    ));
    passing.arg(direct.get_program()).args(direct.get_args()).stdin(socket.into());
    passing
}

/// What the daemon wrote, read by a thread that never lets it wait, unless told otherwise.
#[derive(Debug)]
struct Log {
    shared: Arc<(Mutex<Records>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Records {
    list: Vec<Record>,
    /// Whole lines that are not JSON.
    garbage: Vec<String>,
    reading: Reading,
    /// Nothing more comes.
    ended: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Reading {
    #[default]
    Eagerly,
    /// Not now: the pipe fills.
    Held,
    /// Never again: the pipe is closed.
    Over,
}

impl Log {
    fn of(stderr: impl Read + Send + 'static) -> Log {
        let mut log = Log { shared: Arc::default(), reader: None };
        log.read_from(stderr);
        log
    }

    fn read_from(&mut self, stderr: impl Read + Send + 'static) {
        let shared = Arc::clone(&self.shared);
        self.reader = Some(thread::spawn(move || read_log(stderr, &shared)));
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        lock(&self.shared.0)
    }

    /// Takes effect with the next line.
    fn set_reading(&self, reading: Reading) {
        self.lock().reading = reading;
        self.shared.1.notify_all();
    }

    /// Looks at the records each time there are more, until `look` has found something.
    #[track_caller]
    fn wait<T>(&self, what: &str, look: impl Fn(&[Record]) -> Option<T>) -> T {
        let began = now();
        let mut records = self.lock();
        loop {
            if let Some(found) = look(&records.list) {
                return found;
            }
            let left = PATIENCE.saturating_sub(began.elapsed());
            let over = records.ended || left.is_zero();
            if over {
                drop(records);
                panic!("waited in vain: {what}");
            }
            let waited = self.shared.1.wait_timeout(records, left);
            records = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn wait_for_end(&mut self) {
        if self.lock().reading == Reading::Held {
            self.set_reading(Reading::Eagerly);
        }
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn read_log(stderr: impl Read, shared: &(Mutex<Records>, Condvar)) {
    let (records, news) = shared;
    let mut lines = BufReader::new(stderr);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let mut records = lock(records);
        match serde_json::from_slice(&line) {
            Ok(record) => records.list.push(record),
            Err(_) if line.ends_with(b"\n") => records.garbage.push(String::from_utf8_lossy(&line).into()),
            Err(_) => {} // torn: it was killed while it wrote
        }
        line.clear();
        news.notify_all();
        let held = news.wait_while(records, |records| records.reading == Reading::Held);
        if held.unwrap_or_else(PoisonError::into_inner).reading == Reading::Over {
            break;
        }
    }
    drop(lines);
    lock(records).ended = true;
    news.notify_all();
}

fn lock(records: &Mutex<Records>) -> MutexGuard<'_, Records> {
    records.lock().unwrap_or_else(PoisonError::into_inner)
}
