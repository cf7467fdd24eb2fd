//! What the contract says of log records, held against every record of every test.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use serde_json::Value;

/// One line of the log.
pub type Record = Value;

/// Every close reason, and the level it is logged at.
pub const REASONS: [(&str, &str); 14] = [
    ("peer_closed", "INFO"),
    ("peer_reset", "WARN"),
    ("broken_pipe", "WARN"),
    ("read_timeout", "WARN"),
    ("write_timeout", "WARN"),
    ("heartbeat_timeout", "WARN"),
    ("lifetime_over", "INFO"),
    ("network_timeout", "WARN"),
    ("network_unreachable", "WARN"),
    ("server_shutdown", "INFO"),
    ("proxy_header", "WARN"),
    ("handover_lost", "WARN"),
    ("io_error", "WARN"),
    ("internal_error", "ERROR"),
];

/// An error of the operating system decided these, and only these.
const WITH_ERRNO: [&str; 5] =
    ["peer_reset", "broken_pipe", "network_timeout", "network_unreachable", "io_error"];

/// The server gave up on a silent or stalled peer: these have a verdict, and only these.
const WITH_VERDICT: [&str; 3] = ["read_timeout", "write_timeout", "heartbeat_timeout"];

const VERDICTS: [&str; 6] =
    ["path_lost", "peer_hung", "peer_not_reading", "peer_idle", "beyond_proxy", "unknown"];

const ALWAYS: [&str; 6] = ["conn", "lifetime_ms", "idle_ms", "rx_bytes", "tx_bytes", "unechoed_bytes"];

const PROBES: [&str; 3] = ["probes_sent", "probes_answered", "probes_missed"];

const EVIDENCE: [&str; 6] =
    ["tcp_unacked", "tcp_retransmits", "tcp_notsent_bytes", "tcp_snd_wnd", "tcp_last_ack_ms", "tcp_rtt_us"];

/// A field that is a number, and must be there.
#[track_caller]
pub fn number(record: &Record, field: &str) -> u64 {
    record[field].as_u64().unwrap_or_else(|| panic!("no number {field} in {record}"))
}

/// A field that is a text, and must be there.
#[track_caller]
pub fn text<'r>(record: &'r Record, field: &str) -> &'r str {
    record[field].as_str().unwrap_or_else(|| panic!("no text {field} in {record}"))
}

/// Holds a whole log to what is true of every log.
pub fn check_log(records: &[Record]) {
    let mut protocols = HashMap::new();
    let mut closed = HashSet::new();
    for record in records {
        check_form(record);
        match text(record, "event") {
            "listening" => {
                protocols.insert(text(record, "listener"), text(record, "protocol"));
            }
            // Its description was damaged: hardly anything is known of it.
            "close" if record["reason"] == "handover_lost" && record["lifetime_ms"].is_null() => {}
            "close" => {
                assert!(closed.insert(number(record, "conn")), "closed a second time: {record}");
                let protocol = protocols.get(text(record, "listener"));
                check_close(record, protocol.copied().expect("it listened before"));
            }
            "summary" => check_summary(record),
            "panic" => panic!("a bug: {record}"),
            _ => {}
        }
    }
}

/// Flat, and with what every record has.
fn check_form(record: &Record) {
    let fields = record.as_object().unwrap_or_else(|| panic!("not an object: {record}"));
    let flat = fields.values().all(|value| !(value.is_object() || value.is_array() || value.is_null()));
    assert!(flat, "a field is not a plain value: {record}");
    for field in ["timestamp", "level", "event", "message"] {
        assert!(!text(record, field).is_empty(), "{field} is empty: {record}");
    }
}

fn check_close(record: &Record, protocol: &str) {
    let reason = text(record, "reason");
    check_level(record, reason);
    for field in ["peer", "local", "proxy"] {
        let absent = field == "proxy" && record[field].is_null();
        let is_address = absent || text(record, field).parse::<SocketAddr>().is_ok();
        assert!(is_address, "{field} is no address: {record}");
    }
    ALWAYS.iter().for_each(|field| assert!(number(record, field) < u64::MAX, "{field}: {record}"));
    assert!(number(record, "idle_ms") <= number(record, "lifetime_ms"), "{record}");
    check_bytes(record, reason, protocol);
    check_probes(record, protocol);
    for field in ["errno", "op"] {
        let expected = WITH_ERRNO.contains(&reason);
        assert!(record[field].is_string() == expected || reason == "proxy_header", "{field}: {record}");
    }
    check_verdict(record, reason);
}

/// Who came and went without a byte is no loss, whatever the reason.
fn check_level(record: &Record, reason: &str) {
    let is_null =
        number(record, "rx_bytes") == 0 && ["peer_closed", "peer_reset", "broken_pipe"].contains(&reason);
    assert_eq!(record["null_connection"].as_bool(), is_null.then_some(true), "{record}");
    let level = REASONS.iter().find(|(known, _)| *known == reason).map(|(_, level)| *level);
    let level = if is_null { Some("INFO") } else { level };
    let only_counted = is_null && record["level"] == "DEBUG";
    assert!(only_counted || record["level"].as_str() == level, "{record}");
}

fn check_bytes(record: &Record, reason: &str, protocol: &str) {
    let [received, sent, unechoed] =
        ["rx_bytes", "tx_bytes", "unechoed_bytes"].map(|field| number(record, field));
    if protocol == "raw" {
        // What our kernel took may still be unacknowledged, so some bytes are in both.
        assert!(sent <= received && received <= sent + unechoed, "added or swallowed: {record}");
    }
    if reason == "peer_closed" {
        assert_eq!(unechoed, 0, "everything received was echoed: {record}");
    }
    assert!(unechoed <= received, "{record}");
}

/// The raw protocol's probes are the kernel's, who does not tell: what is not known is absent.
fn check_probes(record: &Record, protocol: &str) {
    for field in PROBES {
        assert_eq!(record[field].is_u64(), protocol == "line", "{field}: {record}");
    }
    if protocol == "line" {
        // A probe that never left this host is missed, and not sent.
        let [sent, answered, _missed] = PROBES.map(|field| number(record, field));
        assert!(answered <= sent, "{record}");
    }
    let answered = record["probes_answered"].as_u64().is_some_and(|answered| answered > 0);
    assert!(answered || record["rtt_us"].is_null(), "a round trip without an answer: {record}");
}

/// A silence has a verdict, with its evidence; nothing else has. Every kernel since 5.4 knows all of the evidence.
fn check_verdict(record: &Record, reason: &str) {
    let silence = WITH_VERDICT.contains(&reason);
    let verdict = record["verdict"].as_str();
    assert_eq!(verdict.is_some(), silence, "{record}");
    assert!(verdict.is_none_or(|verdict| VERDICTS.contains(&verdict)), "{record}");
    for field in EVIDENCE {
        assert_eq!(record[field].is_u64(), silence, "{field}: {record}");
    }
}

/// The totals reconcile.
fn check_summary(summary: &Record) {
    let [open, accepted, closed] = ["open", "accepted", "closed"].map(|field| number(summary, field));
    assert_eq!(accepted, open + closed, "{summary}");
    let by_reason = REASONS.iter().filter_map(|(reason, _)| summary[reason].as_u64());
    assert_eq!(closed, by_reason.sum::<u64>(), "{summary}");
    number(summary, "refused");
    number(summary, "log_lost");
}

/// The counts of the last summary are those of the close records.
#[track_caller]
pub fn reconcile(summary: &Record, closes: &[Record]) {
    check_summary(summary);
    assert_eq!(
        number(summary, "closed"),
        closes.len() as u64 + number(summary, "null_only_counted"),
        "{summary}"
    );
    let null = closes.iter().filter(|close| close["null_connection"] == true).count() as u64;
    assert_eq!(number(summary, "null_connections"), null + number(summary, "null_only_counted"), "{summary}");
    for (reason, _) in REASONS {
        let count = closes.iter().filter(|close| close["reason"] == reason).count() as u64;
        assert_eq!(summary[reason].as_u64().unwrap_or(0), count, "{reason}: {summary}");
    }
}
