//! What is read from where, and what it may be.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeTable;

use super::address::Address;
use super::duration::Within;
use super::problems::Findings;
use super::rules;
use super::section::Section;
use super::setting::{Found, Setting};
use super::values::{AutoOrUpTo, Name, OffOr, Whole, Word};
use super::{Config, Listener, Log, Server};
use crate::core::{Deadlines, Heartbeat, Protocol};
use crate::ops::logging::{LogFormat, LogLevel};

const MOST_WORKERS: usize = 1024;
const MOST_CONNECTIONS: usize = 10_000_000;
const GRACE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(60 * 60);

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const SUMMARY_INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=YEAR;
const DEADLINE: RangeInclusive<Duration> = Duration::from_millis(1)..=YEAR;

/// Linux takes no more for TCP_KEEPIDLE and TCP_KEEPINTVL.
const PROBE_TIME: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(32_767);
/// Linux takes no more for TCP_KEEPCNT.
const MISSED: RangeInclusive<u32> = 1..=127;

/// Reads the whole file. What is reported on the way has a stand-in in the result.
pub(super) fn read(document: &Spanned<DeTable<'_>>, findings: &Findings<'_>) -> Config {
    let top = Section::top(document, findings);
    let server = read_server(&top.section("server"));
    let log = read_log(&top.section("log"));
    let defaults = Timing::read(&top, &Timing::default());
    let sections = top.sections("listener");
    let drafts: Vec<Draft> = sections.iter().map(|section| Draft::read(section, &defaults)).collect();
    rules::check(&drafts, findings);
    let listeners = drafts.into_iter().filter_map(Draft::finish).collect();
    Config { server, log, listeners }
}

fn read_server(section: &Section<'_>) -> Server {
    let default = Server::default();
    Server {
        workers: section.value("workers", AutoOrUpTo(MOST_WORKERS), default.workers),
        max_connections: section.value(
            "max_connections",
            AutoOrUpTo(MOST_CONNECTIONS),
            default.max_connections,
        ),
        shutdown_grace: section.value("shutdown_grace", Within(GRACE), default.shutdown_grace),
    }
}

fn read_log(section: &Section<'_>) -> Log {
    let default = Log::default();
    let format = Word { all: &LogFormat::ALL, name: LogFormat::name };
    let level = Word { all: &LogLevel::ALL, name: LogLevel::name };
    let summary_interval = OffOr(Within(SUMMARY_INTERVAL));
    Log {
        format: section.value("format", format, default.format),
        level: section.value("level", level, default.level),
        summary_interval: section.value("summary_interval", summary_interval, default.summary_interval),
    }
}

/// What `[deadlines]` and `[heartbeat]` set, for all listeners or for one.
pub(super) struct Timing {
    pub read: Setting<Option<Duration>>,
    pub write: Setting<Option<Duration>>,
    pub lifetime: Setting<Option<Duration>>,
    pub interval: Setting<Option<Duration>>,
    pub timeout: Setting<Duration>,
    pub max_missed: Setting<u32>,
}

impl Timing {
    /// From the two sections in `parent`; what they do not set is `inherited`.
    fn read(parent: &Section<'_>, inherited: &Timing) -> Timing {
        let deadlines = parent.section("deadlines");
        let deadline = |key, inherited| deadlines.setting(key, OffOr(Within(DEADLINE)), inherited);
        let heartbeat = parent.section("heartbeat");
        let probe_time = || Within(PROBE_TIME);
        Timing {
            read: deadline("read", &inherited.read),
            write: deadline("write", &inherited.write),
            lifetime: deadline("lifetime", &inherited.lifetime),
            interval: heartbeat.setting("interval", OffOr(probe_time()), &inherited.interval),
            timeout: heartbeat.setting("timeout", probe_time(), &inherited.timeout),
            max_missed: heartbeat.setting("max_missed", Whole(MISSED), &inherited.max_missed),
        }
    }

    pub fn deadlines(&self) -> Deadlines {
        Deadlines { read: self.read.value, write: self.write.value, lifetime: self.lifetime.value }
    }

    pub fn heartbeat(&self) -> Option<Heartbeat> {
        Some(Heartbeat {
            interval: self.interval.value?,
            timeout: self.timeout.value,
            max_missed: self.max_missed.value,
        })
    }
}

/// A listener as far as its section told.
pub(super) struct Draft {
    pub name: Option<Found<String>>,
    pub address: Option<Found<SocketAddr>>,
    pub protocol: Option<Found<Protocol>>,
    pub timing: Timing,
}

impl Draft {
    fn read(section: &Section<'_>, defaults: &Timing) -> Draft {
        let protocol = Word { all: &Protocol::ALL, name: Protocol::name };
        Draft {
            name: section.required("name", Name),
            address: section.required("address", Address),
            protocol: section.required("protocol", protocol),
            timing: Timing::read(section, defaults),
        }
    }

    fn finish(self) -> Option<Listener> {
        Some(Listener {
            name: self.name?.value,
            address: self.address?.value,
            protocol: self.protocol?.value,
            deadlines: self.timing.deadlines(),
            heartbeat: self.timing.heartbeat(),
        })
    }
}
