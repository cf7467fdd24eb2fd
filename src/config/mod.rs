//! The configuration: one TOML file, read into a `Config` that cannot be wrong.
//!
//! Everything a file says is checked here, once: `sections` has every key with its default and its
//! range, `values` says what a value may be, `rules` what values must keep with one another. Nothing stops at the first
//! problem; all of them come back together, each with its place, as `Problems`.

mod changes;
mod file;
mod problems;
mod reader;
mod rules;
mod schema;
mod sections;
mod syntax;
mod values;
mod wording;

use std::io::Read;
use std::path::Path;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::DeTable;

pub use changes::Change;
pub use problems::{Place, Problem, Problems};
pub use sections::{Config, Listener, Log, NullConnections, ProxyProtocol, Server};
pub use values::{Count, parse_duration};

use problems::Findings;
use reader::Section;
use sections::{DeadlineKeys, HeartbeatKeys};

/// The annotated default file; its values are the built-in default.
pub const DEFAULT_FILE: &str = include_str!("../../config/pulse-echo.toml");

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

    /// Reads `input`, which messages call `path`, to its end; waits where it is a pipe.
    pub fn read(input: impl Read, path: &Path) -> Result<Config, Problems> {
        let text = file::read_from(input, path)?;
        Config::parse(&text, &path.display().to_string())
    }

    /// Reads `text`, which messages call `file`, or says all that is wrong with it.
    pub fn parse(text: &str, file: &str) -> Result<Config, Problems> {
        let text = text.strip_prefix(file::BYTE_ORDER_MARK).unwrap_or(text);
        let findings = Findings::new(text);
        let document = syntax::parse(&findings);
        let config = document.and_then(|document| read(&document, &findings));
        findings.settle(file, config)
    }

    /// The settings of [`DEFAULT_FILE`]: loopback only.
    #[expect(clippy::expect_used, reason = "the text is a constant, which a test parses")]
    pub fn built_in() -> Config {
        Config::parse(DEFAULT_FILE, "the built-in default").expect("the default file is right")
    }
}

/// Reads the whole file. What is reported on the way has a stand-in in the result.
fn read(document: &Spanned<DeTable<'_>>, findings: &Findings<'_>) -> Option<Config> {
    let top = Section::top(document, findings);
    let server = top.section("server").read(Server::deserialize)?;
    let log = top.section("log").read(Log::deserialize)?;
    // Defaults must be right even where every listener has its own.
    top.section("deadlines").read(DeadlineKeys::deserialize)?;
    top.section("heartbeat").read(HeartbeatKeys::deserialize)?;
    let mut listeners: Vec<rules::Read<'_>> = Vec::new();
    for section in top.sections("listener") {
        let listener = section.read(Listener::deserialize)?;
        listeners.push((section, listener));
    }
    rules::check(&listeners, &top);
    let listeners = listeners.into_iter().map(|(_, listener)| listener).collect();
    Some(Config { server, log, listeners })
}
