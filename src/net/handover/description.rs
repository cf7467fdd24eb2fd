//! The description: text, line by line, so that damage to one connection's is damage to that alone.
//!
//! The first line is the header. The format is JSON, every value by its name: a newer version knows the older names.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek as _, Write as _};
use std::net::SocketAddr;
use std::os::fd::RawFd;

use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::{Deserialize, Serialize};

use crate::net::connection::ConnectionState;

/// Of this format. It changes where an older program could misunderstand.
const FORMAT: u32 = 1;

/// More than a connection has to say: what it holds back and what waits to be sent, each byte as an escape of six.
const LONGEST_LINE: u64 = 128 * 1024;

/// More than listeners, totals and the numbers of descriptors take.
const LONGEST_HEADER: u64 = 16 * 1024 * 1024;

/// What concerns the server as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// How to read what follows.
    pub format: u32,
    /// Which program wrote it, for the log.
    pub version: String,
    /// When its connections stopped to be served, by the clock that goes on over it: CLOCK_MONOTONIC, in nanoseconds.
    pub frozen_at_ns: u64,
    /// Connections taken into service since the first program.
    pub accepted: u64,
    /// Connections refused before service.
    pub refused: u64,
    /// Closes by reason.
    pub closed: BTreeMap<String, u64>,
    /// Of them: null connections.
    #[serde(default)]
    pub null_connections: u64,
    /// Of these: those that were lost by their reason.
    #[serde(default)]
    pub null_lost: u64,
    /// Null connections without a record of their own.
    #[serde(default)]
    pub null_only_counted: u64,
    /// Records that could not be written.
    pub log_lost: u64,
    /// Sockets that listen.
    pub listeners: Vec<CarriedListener>,
    /// How many lines follow.
    pub connections: u64,
    /// Where the descriptors are sent, by which numbers they are spoken of, in the order of sending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sent: Vec<RawFd>,
}

/// A socket that listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedListener {
    /// The name of the listener.
    pub name: String,
    /// As it was configured, which may leave the port open.
    pub address: SocketAddr,
    /// Its descriptor.
    pub descriptor: RawFd,
    /// The service manager opened it, and keeps it open.
    #[serde(default)]
    pub passed: bool,
}

/// One connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CarriedConnection {
    /// Its number.
    pub conn: u64,
    /// The far end.
    pub peer: SocketAddr,
    /// The name of its listener.
    pub listener: String,
    /// Its descriptor.
    pub descriptor: RawFd,
    /// All that it knows.
    pub state: ConnectionState,
}

/// A header and the lines of the connections.
#[derive(Debug)]
pub struct Description {
    /// What concerns the server as a whole.
    pub header: Header,
    /// [`CarriedConnection`]s, in words, a line each: so many texts as there were event loops.
    pub connections: Vec<Vec<u8>>,
}

impl Header {
    /// The header of today's format, with nothing in it yet.
    pub fn new(frozen_at_ns: u64) -> Header {
        Header {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            frozen_at_ns,
            accepted: 0,
            refused: 0,
            closed: BTreeMap::new(),
            null_connections: 0,
            null_lost: 0,
            null_only_counted: 0,
            log_lost: 0,
            listeners: Vec::new(),
            connections: 0,
            sent: Vec::new(),
        }
    }

    /// Reads a first line.
    ///
    /// # Errors
    /// What is wrong with it.
    fn read(line: &[u8]) -> anyhow::Result<Header> {
        /// Enough to know whether the rest can be understood.
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_slice(line)?;
        anyhow::ensure!(format == FORMAT, "it is of format {format}, and this version understands {FORMAT}");
        Ok(serde_json::from_slice(line)?)
    }
}

impl Description {
    /// Writes it into a file in memory.
    ///
    /// # Errors
    /// There is no descriptor or no memory left.
    pub fn write(&self) -> io::Result<File> {
        let mut file = File::from(memfd_create(c"pulse-echo connections", MFdFlags::MFD_CLOEXEC)?);
        let mut header = Vec::new();
        write_line(&self.header, &mut header);
        [&header].into_iter().chain(&self.connections).try_for_each(|text| file.write_all(text))?;
        file.rewind()?;
        Ok(file)
    }

    /// Reads it, of as many connections as there are descriptors at most, or as `at_most` says. A last line without its end is
    /// there no less.
    ///
    /// # Errors
    /// The header is none of ours. Connections are looked at one by one, later.
    pub fn read(file: impl Read, at_most: Option<u64>) -> anyhow::Result<Description> {
        let longest = LONGEST_LINE * at_most.unwrap_or_else(open_descriptors);
        let mut text = BufReader::new(file.take(LONGEST_HEADER + longest));
        let (mut header, mut connections) = (Vec::new(), Vec::new());
        text.by_ref().take(LONGEST_HEADER).read_until(b'\n', &mut header)?;
        let header = Header::read(&header)?;
        text.read_to_end(&mut connections)?;
        Ok(Description { header, connections: vec![connections] })
    }

    /// The connections, in words.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let lines = self.connections.iter().flat_map(|text| text.split(|byte| *byte == b'\n'));
        lines.filter(|line| !line.is_empty())
    }
}

/// How many this process has. The socket of each connection is one of them.
fn open_descriptors() -> u64 {
    const MOST: u64 = 1 << 20;
    fs::read_dir("/proc/self/fd").map_or(MOST, |descriptors| descriptors.count() as u64)
}

/// Adds a line; there is no line end in it.
fn write_line(value: &impl Serialize, text: &mut Vec<u8>) {
    // It fails for maps whose keys are no strings, and there are none.
    let _ = serde_json::to_writer(&mut *text, value);
    text.push(b'\n');
}

impl CarriedConnection {
    /// Adds it, in words.
    pub fn write(&self, text: &mut Vec<u8>) {
        write_line(self, text);
    }

    /// From words; `None`: they are damaged.
    pub fn read(line: &[u8]) -> Option<CarriedConnection> {
        serde_json::from_slice(line).ok()
    }

    /// Whether it can be gone on with, as far as words tell.
    pub fn is_understood(&self) -> bool {
        self.state.is_possible(self.peer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::core::{Evidence, Report};

    #[test]
    fn a_description_is_read_as_it_was_written() {
        let mut header = Header::new(5);
        header.closed.insert("peer_closed".to_owned(), 3);
        header.listeners.push(CarriedListener {
            name: "line".to_owned(),
            address: "[::1]:7".parse().unwrap(),
            descriptor: 9,
            passed: false,
        });
        let connections = [&b"{}\ndamaged\n"[..], b"", b"\xff\n"].map(<[u8]>::to_vec).to_vec();
        let description = Description { header, connections };
        let read = Description::read(description.write().unwrap(), None).unwrap();
        assert_eq!(read.header, description.header);
        assert_eq!(read.lines().collect::<Vec<_>>(), [&b"{}"[..], b"damaged", b"\xff"]);
    }

    #[test]
    fn what_is_foreign_is_refused_with_a_reason() {
        for (text, why) in [("", "EOF"), ("PNG", "expected"), (r#"{"format":2}"#, "it is of format 2")] {
            let refused = Description::read(text.as_bytes(), None).unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn what_has_no_end_is_read_for_so_long_only() {
        assert!(Description::read(io::repeat(b'x'), Some(1)).is_err());
        let header = br#"{"format":1,"version":"","frozen_at_ns":0,"accepted":0,"refused":0,"closed":{},"log_lost":0,"listeners":[],"connections":0}"#;
        let endless = [header, &b"\n"[..]].concat();
        let read = Description::read(Read::chain(&*endless, io::repeat(b'x')), Some(2)).unwrap();
        assert!(read.lines().map(<[u8]>::len).sum::<usize>() as u64 <= LONGEST_HEADER + 2 * LONGEST_LINE);
    }

    /// What version 0.1.0 wrote of five connections: one has held back half a control line, one is in the middle of a line, one
    /// does not read.
    const FIRST_FORMAT: &str = include_str!("../../../tests/handover/format-1.jsonl");

    fn figures(text: &str) -> Option<Vec<(u64, Report)>> {
        let description = Description::read(text.as_bytes(), None).ok()?;
        let connections = description.lines().filter_map(CarriedConnection::read);
        let figures = connections.filter_map(|connection| {
            let report = connection.state.report(Duration::ZERO, &Evidence::default())?;
            Some((connection.conn, report))
        });
        Some(figures.collect())
    }

    #[test]
    fn the_first_format_is_understood_from_now_on() {
        let mut figures = figures(FIRST_FORMAT).unwrap();
        figures.sort_by_key(|(conn, _)| *conn);
        let received: Vec<_> = figures.iter().map(|(conn, report)| (*conn, report.received_bytes)).collect();
        assert_eq!(received, [(1, 12), (2, 11), (3, 0), (4, 49_152), (5, 5)]);
    }

    #[test]
    fn damage_anywhere_is_no_panic() {
        for seed in 0..3_000 {
            let mut chance = fastrand::Rng::with_seed(seed);
            let mut bytes = FIRST_FORMAT.as_bytes().to_vec();
            for _ in 0..chance.usize(1..6) {
                let place = chance.usize(..6_000);
                bytes[place] = chance.choice(*b"0123456789-\"{}[],:enull").unwrap();
            }
            if chance.bool() {
                bytes.truncate(chance.usize(..bytes.len()));
            }
            let _ = figures(&String::from_utf8_lossy(&bytes));
        }
    }
}
