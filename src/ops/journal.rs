//! Records as journald's native entries, with fields of their own: `journalctl PULSE_ECHO_REASON=heartbeat_timeout`.
//!
//! The wire format is <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>: one datagram per record, one `NAME=value` line per
//! field; a value with a line feed in it is sent by its length instead.

use std::fmt::Write as _;
use std::fmt::{Debug, Display};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::log_queue::{Batch, Sink};

const SOCKET: &str = "/run/systemd/journal/socket";

/// How often to look whether journald has read what was sent.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// What journald needs from reading an entry to knowing its sender.
const TIME_TO_LOOK_US_UP: Duration = Duration::from_millis(10);

/// Sends records to journald. A datagram is sent whole or not at all; while journald is slow this waits, in the
/// log thread.
#[derive(Debug)]
pub struct JournalSink {
    socket: UnixDatagram,
    path: PathBuf,
}

impl JournalSink {
    /// A sink for the machine's journal, which need not be there yet, or all the time.
    ///
    /// # Errors
    /// The system has no socket left.
    pub fn new() -> io::Result<JournalSink> {
        if !Path::new(SOCKET).exists() {
            // The log itself cannot say it.
            let _ = writeln!(
                io::stderr(),
                "pulse-echo: no journal at {SOCKET}: records are lost until there is one"
            );
        }
        JournalSink::at(SOCKET.into())
    }

    fn at(path: PathBuf) -> io::Result<JournalSink> {
        Ok(JournalSink { socket: UnixDatagram::unbound()?, path })
    }

    #[expect(unsafe_code, reason = "no safe crate asks a socket for its unsent bytes")]
    fn has_unread_entries(&self) -> bool {
        let mut bytes: libc::c_int = 0;
        // SAFETY: TIOCOUTQ, which is SIOCOUTQ on a socket, writes one int, and `bytes` is one.
        let asked = unsafe { libc::ioctl(self.socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
        asked == 0 && bytes > 0
    }
}

impl Sink for JournalSink {
    fn write(&mut self, batch: &Batch) -> u64 {
        let sent = |record: &&[u8]| self.socket.send_to(record, &self.path).is_ok();
        batch.records().filter(|record| !sent(record)).count() as u64
    }

    /// journald looks up who sent an entry when it reads it. Of a process that is gone by then it does not learn the unit,
    /// and `journalctl -u` would not show the last words. So this waits until they were read; whoever asked for the end
    /// does not wait for ever.
    fn finish(&mut self) -> u64 {
        while self.has_unread_entries() {
            thread::sleep(LOOK_AGAIN);
        }
        thread::sleep(TIME_TO_LOOK_US_UP);
        0
    }
}

/// The entry of a record.
pub fn entry(event: &Event<'_>) -> Vec<u8> {
    let mut entry = Entry::default();
    entry.line("PRIORITY", priority(*event.metadata().level()));
    entry.line("SYSLOG_IDENTIFIER", env!("CARGO_PKG_NAME"));
    event.record(&mut entry);
    entry.bytes
}

/// The severity as syslog(3) numbers it.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// One journal entry.
#[derive(Debug, Default)]
struct Entry {
    bytes: Vec<u8>,
    value: String,
}

impl Entry {
    fn line(&mut self, name: &str, value: impl Display) {
        self.value.clear();
        let _ = write!(self.value, "{value}"); // writing to a String cannot fail
        self.bytes.extend_from_slice(name.as_bytes());
        if self.value.contains('\n') {
            self.bytes.push(b'\n');
            self.bytes.extend_from_slice(&(self.value.len() as u64).to_le_bytes());
        } else {
            self.bytes.push(b'=');
        }
        self.bytes.extend_from_slice(self.value.as_bytes());
        self.bytes.push(b'\n');
    }

    fn field(&mut self, field: &Field, value: impl Display) {
        match field.name() {
            "message" => self.line("MESSAGE", value),
            name => self.line(&format!("PULSE_ECHO_{}", name.to_ascii_uppercase()), value),
        }
    }
}

impl Visit for Entry {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.field(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.field(field, format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_line_feeds_are_sent_by_length() {
        let mut entry = Entry::default();
        entry.line("PRIORITY", 6);
        entry.line("MESSAGE", "two\nlines");
        assert_eq!(entry.bytes, b"PRIORITY=6\nMESSAGE\n\x09\0\0\0\0\0\0\0two\nlines\n");
    }

    #[test]
    fn the_end_waits_until_the_last_entry_was_read() {
        let path = std::env::temp_dir().join(format!("pulse-echo-journal-{}", std::process::id()));
        let journal = UnixDatagram::bind(&path).unwrap();
        let mut sink = JournalSink::at(path.clone()).unwrap();
        let mut batch = Batch::default();
        batch.push(b"MESSAGE=one\n");
        assert_eq!(sink.write(&batch), 0);
        assert!(sink.has_unread_entries());
        thread::scope(|scope| {
            let end = scope.spawn(|| sink.finish());
            thread::sleep(2 * TIME_TO_LOOK_US_UP);
            assert!(!end.is_finished());
            journal.recv(&mut [0; 64]).unwrap();
            assert_eq!(end.join().unwrap(), 0);
        });
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn without_a_journal_every_record_is_lost_and_counted() {
        let mut sink = JournalSink::at("/nonexistent/socket".into()).unwrap();
        let mut batch = Batch::default();
        batch.push(b"MESSAGE=one\n");
        batch.push(b"MESSAGE=two\n");
        assert_eq!(sink.write(&batch), 2);
    }
}
