//! Records as journald's native entries, with fields of their own: `journalctl PULSE_ECHO_REASON=heartbeat_timeout`.
//!
//! The wire format is <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>: one datagram per record, one `NAME=value` line per
//! field; a value with a line feed in it is sent by its length instead. An entry too large for a datagram is sent as a file.

use std::fmt::Write as _;
use std::fmt::{Debug, Display};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::log_queue::{Batch, Sink};

/// Where journald takes records.
pub const SOCKET: &str = "/run/systemd/journal/socket";

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
    /// A sink for the machine's journal, which takes records now and need not do so all the time.
    ///
    /// # Errors
    /// Nobody takes records there, or not from us.
    pub fn new() -> io::Result<JournalSink> {
        JournalSink::at(SOCKET.into())
    }

    fn at(path: PathBuf) -> io::Result<JournalSink> {
        // To find out. Records find their way one by one, to whatever journald there is then.
        UnixDatagram::unbound()?.connect(&path)?;
        Ok(JournalSink { socket: UnixDatagram::unbound()?, path })
    }

    fn send(&self, entry: &[u8]) -> io::Result<()> {
        match self.socket.send_to(entry, &self.path) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EMSGSIZE | libc::ENOBUFS)) => {
                self.send_as_file(entry)
            }
            sent => sent.map(drop),
        }
    }

    /// A file in memory, sealed, so that journald can rely on it: an empty datagram carries its descriptor.
    fn send_as_file(&self, entry: &[u8]) -> io::Result<()> {
        let mut file =
            File::from(memfd_create("entry", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?);
        file.write_all(entry)?;
        let seals =
            SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
        let (socket, journal) = (self.socket.as_raw_fd(), UnixAddr::new(&self.path)?);
        let descriptors = [file.as_raw_fd()];
        let carried = [ControlMessage::ScmRights(&descriptors)];
        sendmsg(socket, &[], &carried, MsgFlags::empty(), Some(&journal))?;
        Ok(())
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
        let sent = |record: &&[u8]| self.send(record).is_ok();
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
pub fn priority(level: Level) -> u8 {
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
    use std::io::{Read as _, Seek as _};
    use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

    use nix::sys::socket::{ControlMessageOwned, recvmsg};
    use socket2::SockRef;

    use super::*;

    #[test]
    fn values_with_line_feeds_are_sent_by_length() {
        let mut entry = Entry::default();
        entry.line("PRIORITY", 6);
        entry.line("MESSAGE", "two\nlines");
        assert_eq!(entry.bytes, b"PRIORITY=6\nMESSAGE\n\x09\0\0\0\0\0\0\0two\nlines\n");
    }

    /// A journal, and a sink for it.
    fn journal(name: &str) -> (UnixDatagram, JournalSink) {
        let path = std::env::temp_dir().join(format!("pulse-echo-{name}-{}", std::process::id()));
        let journal = UnixDatagram::bind(&path).unwrap();
        let sink = JournalSink::at(path).unwrap();
        (journal, sink)
    }

    #[test]
    fn the_end_waits_until_the_last_entry_was_read() {
        let (journal, mut sink) = journal("end");
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
        std::fs::remove_file(&sink.path).unwrap();
    }

    #[test]
    fn an_entry_too_large_for_a_datagram_is_a_sealed_file() {
        let (journal, mut sink) = journal("large");
        SockRef::from(&sink.socket).set_send_buffer_size(4096).unwrap();
        let large = format!("MESSAGE={}\n", "x".repeat(1024 * 1024));
        let mut batch = Batch::default();
        batch.push(b"MESSAGE=small\n");
        batch.push(large.as_bytes());
        thread::scope(|scope| {
            let sent = scope.spawn(|| sink.write(&batch));
            let mut small = [0; 64];
            let length = journal.recv(&mut small).unwrap();
            assert_eq!(&small[..length], b"MESSAGE=small\n");
            assert_eq!(read_file(&journal), large);
            assert_eq!(sent.join().unwrap(), 0);
        });
        std::fs::remove_file(&sink.path).unwrap();
    }

    /// What a file holds that comes with an empty datagram.
    #[expect(unsafe_code, reason = "the kernel names received descriptors by number")]
    fn read_file(journal: &UnixDatagram) -> String {
        let mut space = nix::cmsg_space!(RawFd);
        let received =
            recvmsg::<UnixAddr>(journal.as_raw_fd(), &mut [], Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC);
        let received = received.unwrap();
        assert_eq!(received.bytes, 0);
        let ControlMessageOwned::ScmRights(files) = received.cmsgs().unwrap().next().unwrap() else {
            panic!("no file");
        };
        // SAFETY: the kernel has just opened it for us.
        let mut file = File::from(unsafe { OwnedFd::from_raw_fd(files[0]) });
        assert!(file.write_all(b"more").is_err(), "it is sealed");
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_journal_that_takes_no_records_is_noticed_at_once() {
        let (journal, sink) = journal("deaf");
        drop(journal);
        assert!(JournalSink::at(sink.path.clone()).is_err(), "nobody listens on it any more");
        std::fs::remove_file(&sink.path).unwrap();
        assert!(JournalSink::at(sink.path).is_err(), "it is not there");
    }

    #[test]
    fn while_there_is_no_journal_every_record_is_lost_and_counted() {
        let (_, mut sink) = journal("gone");
        std::fs::remove_file(&sink.path).unwrap();
        let mut batch = Batch::default();
        batch.push(b"MESSAGE=one\n");
        batch.push(b"MESSAGE=two\n");
        assert_eq!(sink.write(&batch), 2);
    }
}
