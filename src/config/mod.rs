//! The configuration: one TOML file, read into a `Config` that cannot be wrong.
//!
//! Everything a file says is checked here, once: `settings` tells what is read from where, `values`
//! what a value may be, `rules` what values must keep with one another. Nothing stops at the first
//! problem; all of them come back together, each with its place, as `Problems`.

mod address;
mod changes;
mod defaults;
mod duration;
mod file;
mod print;
mod problems;
mod rules;
mod schema;
mod section;
mod setting;
mod settings;
mod syntax;
mod values;
mod wording;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

pub use changes::{Change, changes};
pub use problems::{Place, Problem, Problems};

use crate::core::Protocol;
use crate::core::{Deadlines, Heartbeat};
use crate::ops::logging::{LogFormat, LogLevel};

/// The annotated default file; its values are the built-in default.
pub const DEFAULT_FILE: &str = include_str!("../../config/pulse-echo.toml");

/// All settings of the daemon, checked and complete.
///
/// Its `Display` is the effective settings as TOML, which parses to the same `Config` again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[log]`
    pub log: Log,
    /// `[[listener]]`: one or more, names and addresses unique
    pub listeners: Vec<Listener>,
}

/// What concerns the daemon as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Event-loop threads: 1 to 1024; auto: one per core
    pub workers: Count,
    /// Connections served at a time, over all listeners: 1 to 10,000,000; auto: what the
    /// descriptor limit allows
    pub max_connections: Count,
    /// How long a stop waits for the peers to finish: 0 s (not at all) to 1 h
    pub shutdown_grace: Duration,
}

/// A number, or what suits the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Whatever suits the machine
    Auto,
    /// This many
    Exactly(usize),
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// How records are written
    pub format: LogFormat,
    /// The least severe records that are written
    pub level: LogLevel,
    /// Time between two summaries: 1 s to 365 d; `None` (off): only one, at the end
    pub summary_interval: Option<Duration>,
}

/// One address to listen on, with all that holds for its connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Unique, in every log line: 1 to 64 of `A-Z a-z 0-9 _ . -`
    pub name: String,
    /// Where it listens; port 0: any free one
    pub address: SocketAddr,
    /// What its connections speak
    pub protocol: Protocol,
    /// 1 ms to 365 d each; `None`: off
    pub deadlines: Deadlines,
    /// Interval and timeout 1 ms to 32,767 s, `max_missed` 1 to 127; `None`: no probes
    /// (`interval = "off"`)
    pub heartbeat: Option<Heartbeat>,
}

impl Config {
    /// The settings of `file`; without one, the built-in ones.
    pub fn of(file: Option<&Path>) -> Result<Config, Problems> {
        file.map_or_else(|| Ok(Config::built_in()), Config::load)
    }

    /// Reads the file at `path`, or says all that is wrong with it.
    pub fn load(path: &Path) -> Result<Config, Problems> {
        let text = file::read(path)?;
        Config::parse(&text, &path.display().to_string())
    }

    /// Reads `text`, which messages call `file`, or says all that is wrong with it.
    pub fn parse(text: &str, file: &str) -> Result<Config, Problems> {
        let text = text.strip_prefix(file::BYTE_ORDER_MARK).unwrap_or(text);
        let findings = problems::Findings::new(text);
        let document = syntax::parse(&findings);
        let config = document.map(|document| settings::read(&document, &findings));
        findings.settle(file, config)
    }

    /// The settings of [`DEFAULT_FILE`]: loopback only.
    #[expect(clippy::expect_used, reason = "the text is a constant, which a test parses")]
    pub fn built_in() -> Config {
        Config::parse(DEFAULT_FILE, "the built-in default").expect("the default file is right")
    }
}
