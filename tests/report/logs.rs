//! Logs for the report: one that the daemon wrote, in all formats, and made-up ones whose contents are known.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// What the daemon wrote of a few peers that closed, reset, hung and were there at the stop.
pub const FAULTS: &str = include_str!("faults.json");

fn records(log: &str) -> Vec<Map<String, Value>> {
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The same log as text.
pub fn as_text(log: &str) -> String {
    let mut text = String::new();
    for record in records(log) {
        let [timestamp, level, message] = ["timestamp", "level", "message"].map(|name| plain(&record[name]));
        write!(text, "{timestamp} {level:>5} {message} event={}", plain(&record["event"])).unwrap();
        let is_told = |name: &str| ["timestamp", "level", "message", "event"].contains(&name);
        for (name, value) in record.iter().filter(|(name, _)| !is_told(name)) {
            let value = plain(value);
            let quote = if name == "configuration" { "\"" } else { "" };
            write!(text, " {name}={quote}{value}{quote}").unwrap();
        }
        text.push('\n');
    }
    text
}

/// The same log from `journalctl -o json`: every third message is given as bytes, with a field of `null`.
pub fn as_journal(log: &str) -> String {
    let mut text = String::new();
    for (number, record) in records(log).iter().enumerate() {
        let time: jiff::Timestamp = plain(&record["timestamp"]).parse().unwrap();
        let message = plain(&record["message"]);
        let message = if number % 3 == 0 { json!(message.as_bytes()) } else { json!(message) };
        let mut entry = json!({ "__REALTIME_TIMESTAMP": time.as_microsecond().to_string(), "PRIORITY": "6", "MESSAGE": message });
        for (name, value) in
            record.iter().filter(|(name, _)| !["timestamp", "level", "message"].contains(&name.as_str()))
        {
            entry[format!("PULSE_ECHO_{}", name.to_uppercase())] = json!(plain(value));
        }
        if number % 3 == 0 {
            entry["CODE_FILE"] = Value::Null;
        }
        writeln!(text, "{entry}").unwrap();
    }
    text
}

/// A close to be written.
#[derive(Debug, Clone)]
pub struct Close {
    /// Microseconds after the begin.
    pub time: i64,
    pub reason: &'static str,
    pub verdict: Option<&'static str>,
    pub peer: [u8; 4],
    pub idle_ms: u64,
}

/// 2026-11-24T20:00:00Z
const BEGIN: i64 = 1_795_550_400;

/// A whole log as the daemon writes it, from its start to its stop.
pub fn written(mut closes: Vec<Close>) -> String {
    closes.sort_by_key(|close| close.time);
    let stamp = |time: i64| {
        let time = jiff::Timestamp::from_microsecond(BEGIN * 1_000_000 + time).unwrap();
        time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
    };
    let mut log = format!(
        "{{\"timestamp\":\"{}\",\"level\":\"INFO\",\"message\":\"starts\",\"event\":\"starting\",\"version\":\"0.1.0\"}}\n",
        stamp(0)
    );
    for (conn, close) in (1..).zip(&closes) {
        let Close { time, reason, verdict, peer: [a, b, c, d], idle_ms } = close;
        let verdict = verdict.map(|verdict| format!("\"verdict\":\"{verdict}\",")).unwrap_or_default();
        writeln!(
            log,
            "{{\"timestamp\":\"{}\",\"level\":\"INFO\",\"message\":\"{a}.{b}.{c}.{d}:1: it ended\",\"event\":\"close\",\"reason\":\"{reason}\",\
             {verdict}\"listener\":\"line\",\"peer\":\"{a}.{b}.{c}.{d}:1\",\"local\":\"10.0.0.1:7007\",\"conn\":{conn},\"lifetime_ms\":{},\
             \"idle_ms\":{idle_ms},\"rx_bytes\":6,\"tx_bytes\":6,\"unechoed_bytes\":0,\"rtt_us\":80}}",
            stamp(*time),
            idle_ms + 1000
        )
        .unwrap();
    }
    let (end, count) = (closes.last().map_or(0, |close| close.time), closes.len());
    writeln!(
        log,
        "{{\"timestamp\":\"{}\",\"level\":\"INFO\",\"message\":\"totals\",\"event\":\"summary\",\"open\":0,\"accepted\":{count},\"refused\":0,\
         \"closed\":{count},\"log_lost\":0}}",
        stamp(end)
    )
    .unwrap();
    log
}

/// A quiet night of eight hours: ends of every kind come one by one, by day's rhythm more at its end than at its beginning.
pub fn night(seed: u64, count: usize) -> Vec<Close> {
    let mut random = fastrand::Rng::with_seed(seed);
    let kinds = [
        ("peer_closed", None),
        ("peer_closed", None),
        ("peer_reset", None),
        ("heartbeat_timeout", Some("path_lost")),
        ("heartbeat_timeout", Some("peer_hung")),
    ];
    let mut close = || {
        let (reason, verdict) = kinds[random.usize(..kinds.len())];
        let time = random.i64(0..28_800_000_000).max(random.i64(0..28_800_000_000));
        let idle_ms = if verdict.is_some() { 30_000 } else { random.u64(..600_000) };
        Close { time, reason, verdict, peer: [10, random.u8(..4), random.u8(..), random.u8(1..)], idle_ms }
    };
    (0..count).map(|_| close()).collect()
}
