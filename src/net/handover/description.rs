//! The description: text, line by line, so that damage to one connection's is damage to that alone.
//!
//! The first line is the header. The format is JSON, every value by its name: a newer version knows the older names.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::fd::RawFd;

use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::{Deserialize, Serialize};

use crate::net::connection::ConnectionState;

/// Of this format. It changes where an older program could misunderstand.
const FORMAT: u32 = 1;

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
    /// [`CarriedConnection`]s, in words.
    pub connections: Vec<String>,
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

    /// In words.
    pub fn to_line(&self) -> String {
        to_line(self)
    }

    /// Reads a first line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(line: &str) -> anyhow::Result<Header> {
        /// Enough to know whether the rest can be understood.
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_str(line)?;
        anyhow::ensure!(format == FORMAT, "it is of format {format}, and this version understands {FORMAT}");
        Ok(serde_json::from_str(line)?)
    }
}

impl Description {
    /// As text.
    pub fn to_text(&self) -> String {
        let header = to_line(&self.header);
        let lines = [&header].into_iter().chain(&self.connections);
        lines.flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// Writes it into a file in memory.
    ///
    /// # Errors
    /// There is no descriptor or no memory left.
    pub fn write(&self) -> io::Result<File> {
        let mut file = File::from(memfd_create(c"pulse-echo connections", MFdFlags::MFD_CLOEXEC)?);
        file.write_all(self.to_text().as_bytes())?;
        Ok(file)
    }

    /// Reads it. A last line without its end is there no less.
    ///
    /// # Errors
    /// The header is none of ours. Connections are looked at one by one, later.
    pub fn read(text: &str) -> anyhow::Result<Description> {
        let mut lines = text.lines();
        let header = Header::read(lines.next().unwrap_or_default())?;
        Ok(Description { header, connections: lines.map(str::to_owned).collect() })
    }
}

/// One line; there is no line end in it.
pub fn to_line(value: &impl Serialize) -> String {
    // It fails for maps whose keys are no strings, and there are none.
    serde_json::to_string(value).unwrap_or_default()
}

impl CarriedConnection {
    /// In words.
    pub fn to_line(&self) -> String {
        to_line(self)
    }

    /// From words; `None`: they are damaged.
    pub fn read(line: &str) -> Option<CarriedConnection> {
        serde_json::from_str(line).ok()
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
        let description = Description { header, connections: vec!["{}".to_owned(), "damaged".to_owned()] };
        let read = Description::read(&description.to_text()).unwrap();
        assert_eq!((read.header, read.connections), (description.header, description.connections));
    }

    #[test]
    fn what_is_foreign_is_refused_with_a_reason() {
        for (text, why) in [("", "EOF"), ("PNG", "expected"), (r#"{"format":2}"#, "it is of format 2")] {
            let refused = Description::read(text).unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }

    /// What version 0.1.0 wrote of five connections: one has held back half a control line, one is in the middle of a line, one
    /// does not read.
    const FIRST_FORMAT: &str = include_str!("../../../tests/handover/format-1.jsonl");

    fn figures(text: &str) -> Option<Vec<(u64, Report)>> {
        let description = Description::read(text).ok()?;
        let connections = description.connections.iter().filter_map(|line| CarriedConnection::read(line));
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
