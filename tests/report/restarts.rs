//! Totals over programs that took over from one another, and over peers that came for nothing.

use serde_json::Value;

use crate::{found, report};

/// A log of these records, a second apart.
fn log(records: &[&str]) -> String {
    let line = |(second, record): (usize, &&str)| {
        format!(
            "{{\"timestamp\":\"2026-11-24T20:00:{second:02}.000000Z\",\"level\":\"INFO\",\"message\":\"x\",{record}}}\n"
        )
    };
    records.iter().enumerate().map(line).collect()
}

fn close(conn: u64) -> String {
    let ended =
        "\"event\":\"close\",\"reason\":\"peer_closed\",\"listener\":\"line\",\"peer\":\"192.0.2.1:9\"";
    format!(
        "{ended},\"conn\":{conn},\"lifetime_ms\":5,\"idle_ms\":5,\"rx_bytes\":6,\"tx_bytes\":6,\"unechoed_bytes\":0"
    )
}

fn summary(accepted: u64, closed: u64) -> String {
    let open = accepted - closed;
    format!(
        "\"event\":\"summary\",\"open\":{open},\"accepted\":{accepted},\"refused\":0,\"closed\":{closed},\"log_lost\":0"
    )
}

const START: &str = "\"event\":\"starting\",\"version\":\"0.1.0\"";
const HANDOVER: &str = "\"event\":\"handover\",\"connections\":2,\"duration_ms\":3";
const ADOPTED: &str = "\"event\":\"adopted\",\"connections\":2,\"lost\":1,\"pause_ms\":40";
const FAILED: &str = "\"event\":\"handover_failed\"";

#[track_caller]
fn totals(records: &[&str]) -> Value {
    let totals = found(&log(records), &[])["totals"].clone();
    assert_eq!(totals["missing_close_records"], 0, "{totals}");
    totals
}

#[test]
fn the_figures_go_on_with_the_connections() {
    let (one, three, before, after) = (close(1), close(3), summary(3, 1), summary(4, 2));
    let totals = totals(&[START, &one, &before, HANDOVER, START, ADOPTED, &three, &after]);
    assert_eq!((&totals["accepted"], &totals["starts"]), (&4.into(), &2.into()), "{totals}");
    assert_eq!((&totals["unclosed_numbers"], &totals["open"]), (&1.into(), &2.into()), "{totals}");
    let carried = serde_json::json!({ "times": 1, "connections": 2, "lost": 1, "longest_pause_ms": 40 });
    assert_eq!(totals["carried"], carried);
}

#[test]
fn a_log_that_begins_inside_a_restart_counts_from_its_first_summary() {
    let (nine, ten, first, last) = (close(9), close(10), summary(12, 9), summary(13, 10));
    let totals = totals(&[START, ADOPTED, &nine, &first, &ten, &last]);
    assert_eq!((&totals["accepted"], &totals["closed"]), (&1.into(), &1.into()), "{totals}");
}

#[test]
fn a_program_that_took_nothing_over_begins_with_nothing() {
    let (one, again, before, after) = (close(1), close(1), summary(3, 1), summary(1, 1));
    let totals = totals(&[START, &one, &before, HANDOVER, START, FAILED, &again, &after]);
    assert_eq!((&totals["accepted"], &totals["carried"]["times"]), (&4.into(), &0.into()), "{totals}");
}

#[test]
fn a_program_that_refused_changes_nothing() {
    let (one, two, before, after) = (close(1), close(2), summary(3, 1), summary(3, 2));
    let totals = totals(&[START, &one, &before, HANDOVER, FAILED, &two, &after]);
    assert_eq!((&totals["accepted"], &totals["starts"]), (&3.into(), &1.into()), "{totals}");
}

#[test]
fn null_connections_reconcile_with_a_record_of_their_own_and_without() {
    let null = close(1).replace("\"rx_bytes\":6", "\"rx_bytes\":0");
    let told = format!("{},\"null_connections\":1,\"null_only_counted\":0", summary(1, 1));
    assert_eq!(totals(&[START, &null, &told])["null_only_counted"], 0);
    let counted = format!("{},\"null_connections\":1,\"null_only_counted\":1", summary(1, 1));
    assert_eq!(totals(&[START, &counted])["null_only_counted"], 1);
    let silent_on_it = format!("{},\"null_connections\":2", summary(2, 2));
    assert_eq!(totals(&[START, &null, &silent_on_it])["null_only_counted"], 1);
}

#[test]
fn the_logs_of_two_daemons_reconcile_as_well() {
    let own = |records: &[&str]| log(records);
    let (one, two, first, last) = (close(1), close(2), summary(2, 1), summary(3, 2));
    let echo1 = own(&[START, &one, &first, &two, &last]);
    let echo2 = own(&[
        START,
        &first.replace("\"closed\":1", "\"closed\":0").replace("\"open\":1", "\"open\":2"),
        &one,
        &first,
    ]);
    let page = report(&[&echo1, &echo2], &["--format", "json"]);
    let totals = serde_json::from_str::<Value>(&page).unwrap()["totals"].clone();
    assert_eq!((&totals["daemons"], &totals["missing_close_records"]), (&2.into(), &0.into()), "{totals}");
    assert_eq!((&totals["accepted"], &totals["closed"]), (&5.into(), &3.into()), "{totals}");
    let page = report(&[&echo1, &echo2], &[]);
    assert!(page.contains("the logs of 2 daemons") && page.contains("They reconcile"), "{page}");
}
