//! What was found, ready to be told: as a page, as JSON, as a picture. The names are those of `--format json`.

use serde::Serialize;

use super::idle_clusters::Cluster;
use super::losses::Losses;
use super::mass::Together;
use super::options::By;
use super::runs::Totals;
use super::top::Count;

/// Everything the report says.
#[derive(Debug, Serialize)]
pub struct Findings {
    /// Of the first and the last record, RFC 3339; absent where no record has a time.
    pub since: Option<String>,
    pub until: Option<String>,
    pub period_us: i64,
    pub hosts: Vec<String>,
    pub versions: Vec<String>,
    pub records: u64,
    /// Those of them that `--since` and `--until` leave out.
    pub outside: Outside,
    pub totals: Totals,
    /// Close records that the filters let through.
    pub closes: u64,
    /// Those of them whose peer sent no byte and ended it itself.
    pub null_closes: u64,
    pub refused_records: u64,
    pub by_reason: Vec<Row>,
    pub by_verdict: Vec<Row>,
    pub by_listener: Vec<Row>,
    pub by_peer: Vec<Row>,
    pub by_network: Vec<Row>,
    pub by_hour: Vec<Row>,
    /// Where there were too many peers to count each: a count may be too low by so much.
    pub by_peer_error: u64,
    pub by_network_error: u64,
    pub lifetime_ms: Option<Quantiles>,
    pub rtt_us: Option<Quantiles>,
    pub probes_missed: Option<Quantiles>,
    pub timeline: Line,
    pub mass_events: Vec<MassEvent>,
    pub stalls: u64,
    pub longest_stall_ms: u64,
    pub losses: Losses,
}

impl Findings {
    /// Whether nothing is in the time asked for.
    pub fn is_outside(&self) -> bool {
        self.outside.records > 0 && self.outside.records == self.records
    }
}

/// Records outside of the time asked for.
#[derive(Debug, Default, Serialize)]
pub struct Outside {
    pub records: u64,
    /// Of the first and the last of them.
    pub since: Option<String>,
    pub until: Option<String>,
}

/// A row of a table.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub name: String,
    pub closes: u64,
    /// Those of them that were no orderly ends.
    pub lost: u64,
}

impl Row {
    pub fn new(name: impl Into<String>, count: Count) -> Row {
        Row { name: name.into(), closes: count.closes, lost: count.lost }
    }
}

/// A distribution, within a thousandth.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Quantiles {
    pub count: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub max: u64,
}

/// The time line.
#[derive(Debug, Serialize)]
pub struct Line {
    pub bucket_s: i64,
    pub begin_us: i64,
    pub buckets: Vec<Bucket>,
    pub marks: Vec<Moment>,
    /// Closes at times too far from the others to be shown.
    pub stray: u64,
}

/// A bucket of the time line.
#[derive(Debug, Clone, Serialize)]
pub struct Bucket {
    /// In local time.
    pub begin: String,
    pub closes: u64,
    pub lost: u64,
    pub is_unusual: bool,
}

/// A start, reload, stall, hand-over or stop.
#[derive(Debug, Clone, Serialize)]
pub struct Moment {
    pub time: String,
    pub what: &'static str,
    #[serde(skip)]
    pub time_us: i64,
}

/// Ends of one kind that have something in common.
#[derive(Debug, Serialize)]
pub struct MassEvent {
    pub reason: String,
    pub verdict: Option<String>,
    pub since: Option<String>,
    /// They came together in time.
    pub together: Option<Together>,
    /// They came after the same silence.
    pub same_idle: Option<Cluster>,
    pub sentence: String,
    pub what_to_do: Option<&'static str>,
    /// For `pulse-echo explain`.
    pub explain: String,
}

impl Findings {
    pub fn rows(&self, by: By) -> &[Row] {
        match by {
            By::Reason => &self.by_reason,
            By::Verdict => &self.by_verdict,
            By::Listener => &self.by_listener,
            By::Peer => &self.by_peer,
            By::Network => &self.by_network,
            By::Hour => &self.by_hour,
        }
    }
}
