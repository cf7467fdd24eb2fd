//! Every key there is, once: its default, its range, its words.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::values::{Address, AutoOrUpTo, Count, Kind, Name, OffOr, Switch, Whole, Within};
use crate::core::{Deadlines, Heartbeat, MOST_MISSED, Protocol};
use crate::ops::logging::{LogFormat, LogLevel};

// In milliseconds.
const MILLISECOND: u64 = 1;
const SECOND: u64 = 1000;
const HOUR: u64 = 60 * 60 * SECOND;
const YEAR: u64 = 365 * 24 * HOUR;

/// Linux takes no more for TCP_KEEPIDLE and TCP_KEEPINTVL.
const LONGEST_PROBE: u64 = 32_767 * SECOND;

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

impl Config {
    /// What `wanted` asks for, but what only a restart can bring into effect as it is now.
    pub(super) fn without_restart(&self, wanted: Config) -> Config {
        Config {
            server: Server { workers: self.server.workers, ..wanted.server },
            log: Log { format: self.log.format, ..wanted.log },
            listeners: wanted.listeners,
        }
    }
}

/// What concerns the daemon as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Server {
    /// Event-loop threads: 1 to 1024; auto: one per core
    #[serde(default = "auto", with = "AutoOrUpTo::<1024>")]
    pub workers: Count,
    /// Connections served at a time, over all listeners: 1 to 10,000,000; auto: what the
    /// descriptor limit allows
    #[serde(default = "auto", with = "AutoOrUpTo::<10_000_000>")]
    pub max_connections: Count,
    /// How long a stop waits for the peers to finish: 0 s (not at all) to 1 h
    #[serde(default = "seconds::<10>", with = "Within::<0, HOUR>")]
    pub shutdown_grace: Duration,
    /// Whether connections outlive the program, over an upgrade or a restart
    #[serde(default = "yes", with = "Switch")]
    pub keep_connections: bool,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Log {
    /// How records are written
    #[serde(default)]
    pub format: LogFormat,
    /// The least severe records that are written
    #[serde(default)]
    pub level: LogLevel,
    /// Time between two summaries: 1 s to 365 d; `None` (off): only one, at the end
    #[serde(default = "every_seconds::<60>", with = "OffOr::<Within<SECOND, YEAR>>")]
    pub summary_interval: Option<Duration>,
    /// What becomes of connections whose peers came and went without a byte
    #[serde(default)]
    pub null_connections: NullConnections,
}

/// The words for what becomes of null connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NullConnections {
    /// Each has its record
    #[default]
    Log,
    /// Only the summary has their number
    Count,
}

/// One address to listen on, with all that holds for its connections.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Listener {
    /// Unique, in every log line: 1 to 64 of `A-Z a-z 0-9 _ . -`
    #[serde(with = "Name")]
    pub name: String,
    /// Where it listens; port 0: any free one
    #[serde(with = "Address")]
    pub address: SocketAddr,
    /// What its connections speak
    #[serde(with = "ProtocolWord")]
    pub protocol: Protocol,
    /// Whether every connection begins with a PROXY header
    #[serde(default)]
    pub proxy_protocol: ProxyProtocol,
    /// 1 ms to 365 d each; `None`: off
    #[serde(with = "DeadlineKeys")]
    pub deadlines: Deadlines,
    /// Interval and timeout 1 ms to 32,767 s, `max_missed` 1 to 127; `None`: no probes
    /// (`interval = "off"`)
    #[serde(with = "HeartbeatKeys")]
    pub heartbeat: Option<Heartbeat>,
}

/// The words for the PROXY protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyProtocol {
    /// No header is expected: what looks like one is data
    #[default]
    Off,
    /// Without a valid header a connection ends
    Required,
}

/// The words for [`Protocol`].
#[derive(Deserialize, Serialize)]
#[serde(remote = "Protocol", rename_all = "lowercase")]
enum ProtocolWord {
    Line,
    Raw,
}

/// `[deadlines]`, for all listeners or for one.
#[derive(Deserialize, Serialize)]
#[serde(remote = "Deadlines")]
pub(super) struct DeadlineKeys {
    #[serde(default = "every_seconds::<60>", with = "OffOr::<Within<MILLISECOND, YEAR>>")]
    read: Option<Duration>,
    #[serde(default = "every_seconds::<10>", with = "OffOr::<Within<MILLISECOND, YEAR>>")]
    write: Option<Duration>,
    #[serde(default, with = "OffOr::<Within<MILLISECOND, YEAR>>")]
    lifetime: Option<Duration>,
}

/// `[heartbeat]`, for all listeners or for one.
#[derive(Deserialize, Serialize)]
#[serde(rename = "Heartbeat")]
pub(super) struct HeartbeatKeys {
    #[serde(default = "every_seconds::<15>", with = "OffOr::<Within<MILLISECOND, LONGEST_PROBE>>")]
    interval: Option<Duration>,
    #[serde(default = "seconds::<5>", with = "Within::<MILLISECOND, LONGEST_PROBE>")]
    timeout: Duration,
    #[serde(default = "number::<3>", with = "Whole::<1, MOST_MISSED>")]
    max_missed: u32,
}

impl HeartbeatKeys {
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Heartbeat>, D::Error> {
        let HeartbeatKeys { interval, timeout, max_missed } = Deserialize::deserialize(from)?;
        Ok(interval.map(|interval| Heartbeat { interval, timeout, max_missed }))
    }

    fn serialize<S: Serializer>(heartbeat: &Option<Heartbeat>, to: S) -> Result<S::Ok, S::Error> {
        match *heartbeat {
            Some(Heartbeat { interval, timeout, max_missed }) => {
                let interval = Some(interval);
                Serialize::serialize(&HeartbeatKeys { interval, timeout, max_missed }, to)
            }
            // Without probes the other keys mean nothing.
            None => to.collect_map([("interval", "off")]),
        }
    }
}

fn yes() -> bool {
    true
}

fn auto() -> Count {
    Count::Auto
}

fn seconds<const SECONDS: u64>() -> Duration {
    Duration::from_secs(SECONDS)
}

fn every_seconds<const SECONDS: u64>() -> Option<Duration> {
    Some(Duration::from_secs(SECONDS))
}

fn number<const NUMBER: u32>() -> u32 {
    NUMBER
}
