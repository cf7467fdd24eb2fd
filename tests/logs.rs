//! The log: its formats, and that writing it never holds up a connection.
//!
//! That every line is flat JSON, and what each record must have, is asserted for every daemon of every test: see
//! `support/record.rs`.

mod support;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use support::client::Client;
use support::daemon::{Daemon, LISTENERS};
use support::process::{Process, TempFile, pulse_echo};
use support::record::number;
use support::{PROTOCOLS, eventually, eventually_true, skip};

#[test]
fn listening_tells_the_real_address() {
    let daemon = Daemon::start("");
    for protocol in PROTOCOLS {
        let listening = daemon.wait_for_record("it listens", |record| record["listener"] == protocol);
        assert_eq!(listening["event"], "listening");
        assert_eq!(listening["protocol"], protocol);
        assert_ne!(daemon.address(protocol).port(), 0, "{listening}");
    }
}

#[test]
fn open_is_a_debug_record_with_the_number_of_the_close() {
    let quiet = Daemon::start("");
    let talkative = Daemon::start("log.level = 'debug'");
    for daemon in [&quiet, &talkative] {
        let client = Client::connect(daemon.address("line"));
        let peer = client.address;
        drop(client);
        daemon.wait_for_close(peer);
    }
    assert_eq!(quiet.records("open").len(), 0);
    let open = talkative.wait_for_event("open");
    let close = talkative.wait_for_event("close");
    assert_eq!(open["level"], "DEBUG", "{open}");
    for field in ["conn", "listener", "peer", "local"] {
        assert_eq!(open[field], close[field], "{field}");
    }
}

#[test]
fn totals_are_told_again_and_again() {
    let daemon = Daemon::start("log.summary_interval = '1s'");
    let mut client = Client::connect(daemon.address("line"));
    client.echo("hello\n");
    let summary = daemon.wait_for_event("summary");
    assert_eq!((number(&summary, "accepted"), number(&summary, "open")), (1, 1), "{summary}");
    client.finish();
    client.expect_end();
    daemon.wait_for_record("a later summary", |record| record["peer_closed"] == 1);
    daemon.stop();
}

/// A daemon that logs as text, into a file.
struct TextDaemon {
    process: Process,
    log: TempFile,
    _config: TempFile,
}

impl TextDaemon {
    fn start(config: TempFile) -> TextDaemon {
        let log = TempFile::new("");
        let mut command = pulse_echo(["serve", "--log-format", "text", "--config", config.path()]);
        let process = Process::spawn(command.stderr(File::create(&log).expect("a file of ours")));
        TextDaemon { process, log, _config: config }
    }

    /// The first whole line with all of `parts`, as soon as there is one.
    fn line(&self, parts: &[&str]) -> String {
        eventually(&format!("a line with {parts:?}"), || {
            let log = fs::read_to_string(&self.log).expect("plain text");
            let whole = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            whole
                .map(str::trim_end)
                .find(|line| parts.iter().all(|part| line.contains(part)))
                .map(str::to_owned)
        })
    }

    fn connect(&self, listener: &str) -> Client {
        let listening = self.line(&["event=listening", &format!("listener={listener} ")]);
        let address = listening.split_once("address=").expect("an address").1;
        Client::connect(address.parse().expect("nothing but the address after its name"))
    }

    /// All lines of its life.
    fn stop(mut self) -> Vec<String> {
        self.process.signal(Signal::SIGTERM);
        assert_eq!(self.process.wait_exit().code(), Some(0));
        fs::read_to_string(&self.log).expect("plain text").lines().map(str::to_owned).collect()
    }
}

#[test]
fn text_is_one_line_per_record_for_people_and_grep() {
    let daemon = TextDaemon::start(TempFile::new(LISTENERS));
    let mut client = daemon.connect("line");
    client.echo("hello\n");
    client.finish();
    client.expect_end();
    let close = daemon.line(&["event=close", "reason=peer_closed"]);
    for field in
        ["rx_bytes=6", "tx_bytes=6", "unechoed_bytes=0", "listener=line", &format!("peer={}", client.address)]
    {
        assert!(close.split(' ').any(|word| word == field), "no {field} in {close}");
    }
    assert!(!close.contains("errno"), "what is not known is absent: {close}");
    let mut client = daemon.connect("raw");
    client.echo("hello");
    client.reset();
    daemon.line(&["event=close", "WARN", "reason=peer_reset", "errno=ECONNRESET", "op=read"]);
    let mut lines = daemon.stop();
    lines.retain(|line| !line.contains("event=stall")); // this machine may be busy
    let events = ["starting", "listening", "listening", "close", "close", "drain", "summary", "stopped"];
    assert_eq!(lines.len(), events.len(), "{lines:#?}");
    for (line, event) in lines.iter().zip(events) {
        assert!(line.contains(&format!("event={event}")), "no {event} in {line}");
        assert!(line.starts_with("20"), "when: {line}");
        assert!(!line.chars().any(char::is_control), "a file is no terminal: {line:?}");
    }
}

/// Whatever a file is called, it neither breaks a line nor reaches a terminal as a command.
#[test]
fn text_stays_one_line_per_record_whatever_is_logged() {
    let config = TempFile::with_name("two\nlines, \x1b[31mred", LISTENERS);
    let daemon = TextDaemon::start(config);
    daemon.line(&["event=listening", "listener=raw"]);
    for line in daemon.stop() {
        assert!(line.contains("event=") && !line.chars().any(char::is_control), "{line:?}");
    }
}

/// Twenty connections, a heartbeat and an echo on each protocol.
fn serve_some(daemon: &Daemon) {
    for protocol in PROTOCOLS {
        for _ in 0..10 {
            Client::connect(daemon.address(protocol)).echo("served\n");
        }
    }
    let mut client = Client::connect(daemon.address("line"));
    assert_eq!(client.receive_line(), "PING 1\n");
    client.echo("PONGO\n");
    assert_eq!(client.receive_line(), "PING 2\n");
}

const HEARTBEAT: &str = "heartbeat = { interval = '100ms', timeout = '5s', max_missed = 3 }";

#[test]
fn a_log_whose_reader_is_gone_costs_records_and_they_are_counted() {
    let mut daemon = Daemon::start(HEARTBEAT);
    daemon.close_log(|daemon| drop(Client::connect(daemon.address("raw"))));
    serve_some(&daemon);
    let before = daemon.records("close").len();
    daemon.reopen_log();
    eventually_true("records come again", || {
        Client::connect(daemon.address("raw")).echo("served\n");
        daemon.records("close").len() > before
    });
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_exit().code(), Some(0));
    let summary = daemon.records("summary").pop().expect("a last summary");
    let missing = number(&summary, "closed") - daemon.records("close").len() as u64;
    assert!(missing >= 20, "{summary}");
    assert!(number(&summary, "log_lost") >= missing, "{summary}");
}

/// A pipe holds 64 KiB: some 200 records.
#[test]
fn a_log_that_nobody_reads_holds_nobody_up() {
    let daemon = Daemon::start(HEARTBEAT);
    daemon.hold_log();
    for _ in 0..400 {
        Client::connect(daemon.address("raw")).echo("not held up\n");
    }
    serve_some(&daemon);
    assert!(daemon.records("close").len() < 300, "the pipe was to be full");
    daemon.release_log();
    let summary = daemon.stop();
    assert_eq!(summary["log_lost"], 0, "what waited was written in the end: {summary}");
    assert_eq!(summary["closed"], 421, "{summary}");
}

#[test]
fn a_log_that_nobody_reads_does_not_hold_up_the_stop() {
    let mut daemon = Daemon::start("");
    daemon.hold_log();
    for _ in 0..400 {
        Client::connect(daemon.address("line")).echo("not held up\n");
    }
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_exit().code(), Some(0));
}

/// A file system of 64 KiB, which is some hundred records, and of more when asked.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`: not allowed here.
    fn mount() -> Option<SmallDisk> {
        let disk = SmallDisk(std::env::temp_dir().join(format!("pulse-echo-disk-{}", std::process::id())));
        fs::create_dir(&disk.0).expect("a directory of ours");
        disk.run("mount", &["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).then_some(disk)
    }

    fn grow(&self) {
        assert!(self.run("mount", &["-o", "remount,size=16m"]));
    }

    fn run(&self, command: &str, arguments: &[&str]) -> bool {
        let output = Command::new(command).args(arguments).arg(&self.0).output();
        output.is_ok_and(|output| output.status.success())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        self.run("umount", &[]);
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_full_disk_costs_records_and_they_are_counted_one_by_one() {
    let Some(disk) = SmallDisk::mount() else {
        return skip("no file system can be mounted");
    };
    let log = disk.0.join("log");
    let config = TempFile::new(LISTENERS);
    let mut command = pulse_echo(["serve", "--log-format", "json", "--config", config.path()]);
    let mut daemon = Process::spawn(command.stderr(File::create(&log).expect("there is room")));
    let records = || -> Vec<serde_json::Value> {
        let text = fs::read_to_string(&log).expect("plain text");
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(|line| serde_json::from_str(line).expect("a line is one record")).collect()
    };
    let closes = || records().iter().filter(|record| record["event"] == "close").count();
    let address = eventually("it listens", || {
        let records = records();
        let line = records.iter().find(|record| record["listener"] == "line")?;
        line["address"].as_str()?.parse().ok()
    });

    (0..300).for_each(|_| Client::connect(address).echo("not held up\n"));
    assert!(closes() < 200, "the disk was to be full");
    disk.grow();
    eventually_true("records come again", || {
        let before = closes();
        Client::connect(address).echo("served\n");
        closes() > before
    });
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_exit().code(), Some(0));

    let summary = records().into_iter().rfind(|record| record["event"] == "summary").expect("the last one");
    assert!(number(&summary, "log_lost") >= 100, "{summary}");
    assert_eq!(number(&summary, "closed"), closes() as u64 + number(&summary, "log_lost"), "{summary}");
}
