//! `pulse-echo report`: the same page whatever the format, exact counts, mass events, and logs that are none.

mod hostile;
mod logs;
mod packed;
mod restarts;

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use logs::{Close, FAULTS, as_journal, as_text, night, written};

/// Runs `report` over inputs, each a file of its own.
fn run(inputs: &[impl AsRef<[u8]>], arguments: &[&str]) -> Output {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("pulse-echo-report-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let files: Vec<_> = (0..inputs.len()).map(|number| folder.join(number.to_string())).collect();
    files.iter().zip(inputs).for_each(|(file, input)| fs::write(file, input).unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_pulse-echo"));
    let output = command.arg("report").args(&files).args(arguments).env("TZ", "UTC").output().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    output
}

#[track_caller]
fn report(inputs: &[impl AsRef<[u8]>], arguments: &[&str]) -> String {
    let output = run(inputs, arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn found(log: &str, arguments: &[&str]) -> Value {
    serde_json::from_str(&report(&[log], &[&["--format", "json"], arguments].concat())).unwrap()
}

#[test]
fn a_night_of_faults_is_one_page_in_every_format() {
    let page = include_str!("faults.txt");
    assert_eq!(report(&[FAULTS], &[]), page);
    assert_eq!(report(&[as_text(FAULTS)], &[]), page);
    assert_eq!(report(&[as_journal(FAULTS)], &[]), page);
    assert!(include_str!("../../README.md").contains(page), "the README shows another page");
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
}

#[test]
fn a_known_mix_comes_out_exact() {
    let closes = night(3, 20_000);
    let findings = found(&written(closes.clone()), &[]);
    for row in findings["by_reason"].as_array().unwrap() {
        let count = closes.iter().filter(|close| row["name"] == close.reason).count();
        assert_eq!(row["closes"], count, "{row}");
    }
    for row in findings["by_peer"].as_array().unwrap() {
        let count = closes
            .iter()
            .filter(|close| row["name"] == close.peer.map(|byte| byte.to_string()).join("."))
            .count();
        assert_eq!(row["closes"], count, "{row}");
    }
    let buckets = findings["timeline"]["buckets"].as_array().unwrap();
    assert_eq!(buckets.iter().map(|bucket| bucket["closes"].as_u64().unwrap()).sum::<u64>(), 20_000);
    assert_eq!(findings["totals"]["accepted"], 20_000);
    assert_eq!(findings["totals"]["missing_close_records"], 0);
}

#[test]
fn a_quiet_night_has_no_mass_event() {
    for seed in 0..8 {
        let findings = found(&written(night(seed, 4_000)), &[]);
        assert_eq!(
            findings["mass_events"].as_array().unwrap().len(),
            0,
            "{seed}: {}",
            findings["mass_events"]
        );
    }
}

/// A quiet night with so many `path_lost` in so many microseconds, all from 10.1.0.0/16 and one from elsewhere.
fn night_with_mass(count: usize, span: i64) -> Value {
    let mut random = fastrand::Rng::with_seed(9);
    let mut closes = night(5, 4_000);
    for number in 0..count {
        let peer = if number == 0 { [172, 16, 3, 9] } else { [10, 1, random.u8(..), random.u8(1..)] };
        let time = 14_400_300_000 + random.i64(0..span);
        closes.push(Close {
            time,
            reason: "heartbeat_timeout",
            verdict: Some("path_lost"),
            peer,
            idle_ms: 30_000,
        });
    }
    found(&written(closes), &[])["mass_events"].clone()
}

#[test]
fn ends_that_came_together_are_found_with_their_network() {
    for (count, span) in
        [(812, 1_800_000), (15, 300_000), (60, 15_000_000), (300, 120_000_000), (400, 500_000_000)]
    {
        let events = night_with_mass(count, span);
        assert_eq!(events.as_array().unwrap().len(), 1, "{count} in {span}: {events}");
        let event = &events[0];
        let told = event["together"]["count"].as_u64().unwrap() as f64;
        assert!((told / count as f64 - 1.0).abs() < 0.15, "{count} in {span}: {event}");
        assert_eq!(event["together"]["network"], "10.1.0.0/16", "{event}");
        assert_eq!(event["verdict"], "path_lost");
        assert!(event["what_to_do"].as_str().unwrap().contains("network"), "{event}");
    }
}

#[test]
fn ends_after_the_same_silence_are_found() {
    let mut random = fastrand::Rng::with_seed(2);
    let mut closes = night(6, 4_000);
    for close in closes.iter_mut().filter(|close| close.reason == "peer_reset").take(300) {
        close.idle_ms = 350_000 + random.u64(..60);
    }
    let events = found(&written(closes), &[])["mass_events"].clone();
    assert_eq!(events.as_array().unwrap().len(), 1, "{events}");
    assert_eq!(events[0]["same_idle"]["idle_ms"], 350_000, "{events}");
    assert!(events[0]["sentence"].as_str().unwrap().contains("350 s"), "{events}");
}

#[test]
fn filters_take_what_is_asked_for() {
    let log = written(night(1, 2_000));
    let count = |arguments: &[&str]| found(&log, arguments)["closes"].as_u64().unwrap();
    let all = count(&[]);
    assert_eq!(all, 2_000);
    assert_eq!(
        count(&["--since", "2026-11-24T23:00:00Z"]) + count(&["--until", "2026-11-25T00:00:00+01:00"]),
        all
    );
    assert_eq!(
        count(&["--since", "2026-11-24 23:00", "--until", "@1795570000"]),
        count(&["--since", "@1795561200", "--until", "2026-11-25T01:26:40Z"])
    );
    let by_verdict = count(&["--verdict", "path_lost"]) + count(&["--verdict", "peer_hung"]);
    assert_eq!(by_verdict, count(&["--reason", "heartbeat_timeout"]));
    assert_eq!((0..4).map(|number| count(&["--peer", &format!("10.{number}.0.0/16")])).sum::<u64>(), all);
    assert_eq!((count(&["--listener", "line"]), count(&["--listener", "raw"])), (all, 0));
    assert_eq!(run(&[&log], &["--since", "half past"]).status.code(), Some(1));
    assert_eq!(run(&[&log], &["--peer", "nobody"]).status.code(), Some(2));
}

#[test]
fn what_holds_nothing_is_said_instead_of_shown() {
    let none = "None of 43 records is in the time asked for: they are from 2026-12-01T01:30:44+00:00 to \
                2026-12-01T01:30:51+00:00.\n";
    for by in [&[][..], &["--by", "peer"]] {
        assert_eq!(report(&[FAULTS], &[by, &["--since", "2027-01-01"]].concat()), none);
    }
    let page = report(&[FAULTS], &["--reason", "peer_rest"]);
    assert!(
        page.contains("No close is as asked for.") && page.contains("\"peer_rest\" is no reason"),
        "{page}"
    );
    assert!(!page.contains("Close reasons"), "{page}");
    let page = report(&[FAULTS], &["--reason", "io_error"]);
    assert!(page.contains("No close is as asked for.") && !page.contains("is no reason"), "{page}");
    let output = run(&[FAULTS], &["--since", "2026-12-02", "--until", "2026-12-01"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("is not before --until"), "{said}");
}

#[test]
fn one_table_is_one_table() {
    for by in ["reason", "verdict", "listener", "peer", "network", "hour"] {
        let table = report(&[FAULTS], &["--by", by]);
        assert!(table.lines().count() > 1 && !table.contains("Totals"), "{table}");
    }
}

#[test]
fn the_picture_is_well_formed_and_says_the_same_numbers() {
    let file = std::env::temp_dir().join(format!("pulse-echo-report-{}.svg", std::process::id()));
    report(&[FAULTS], &["--svg", file.to_str().unwrap()]);
    let picture = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    assert_well_formed(&picture);
    let findings = found(FAULTS, &[]);
    for row in findings["by_reason"].as_array().unwrap() {
        let row = (row["name"].as_str().unwrap(), &row["closes"]);
        assert!(
            picture.contains(&format!(">{}<", row.0)) && picture.contains(&format!(">{} (", row.1)),
            "{row:?}"
        );
    }
    for bucket in
        findings["timeline"]["buckets"].as_array().unwrap().iter().filter(|bucket| bucket["closes"] != 0)
    {
        let title = format!("<title>{}: {}</title>", bucket["begin"].as_str().unwrap(), bucket["closes"]);
        assert!(picture.contains(&title), "{title}");
    }
    assert!(picture.contains("prefers-color-scheme:dark"));
}

/// Every element that begins ends, in order.
#[track_caller]
fn assert_well_formed(xml: &str) {
    let mut open = Vec::new();
    for tag in xml.split('<').skip(1).map(|rest| rest.split_once('>').unwrap().0) {
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{tag}"),
            None if tag.ends_with('/') => {}
            None => open.push(tag.split(' ').next().unwrap()),
        }
        assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pulse-echo"));
    command.args(["report", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(FAULTS.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
