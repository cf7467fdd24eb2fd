//! Lines that are no records, and records that claim what no daemon writes.

use serde_json::{Map, Value, json};

use crate::logs::FAULTS;
use crate::{report, run};

/// Lines that look like records up to some place, and some that are none at all.
fn hostile_lines() -> Vec<Vec<u8>> {
    let mut random = fastrand::Rng::with_seed(1);
    let close = FAULTS.lines().find(|line| line.contains("\"close\"")).unwrap().as_bytes();
    let mut lines: Vec<Vec<u8>> = (0..190)
        .map(|_| {
            let mut line = close[..random.usize(1..close.len() - 1)].to_vec();
            let place = random.usize(..line.len());
            line[place] = random.u8(128..);
            line
        })
        .collect();
    lines.extend(
        [
            &b"{}"[..],
            b"[]",
            b"{\"timestamp\":1}",
            b"\xff\xfe\0",
            b"event=close",
            b"{\"a\":{\"b\":[]}}",
            b"null",
        ]
        .map(<[u8]>::to_vec),
    );
    lines.push("[".repeat(100_000).into_bytes());
    lines.push(vec![b'x'; 700_000]);
    lines.push([b"{\"timestamp\":", "[".repeat(9_000).as_bytes()].concat());
    lines
}

#[test]
fn hostile_lines_are_counted_and_stop_nothing() {
    let lines = hostile_lines();
    assert_eq!(lines.len(), 200);
    let mut log = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        log.extend_from_slice(line);
        log.push(b'\n');
        if let Some(record) = FAULTS.lines().nth(number) {
            log.extend_from_slice(format!("{record}\r\n").as_bytes());
        }
    }
    let findings: Value = serde_json::from_str(&report(&[log], &["--format", "json"])).unwrap();
    assert_eq!(findings["losses"]["not_understood"], 199, "{findings}");
    assert_eq!(findings["losses"]["overlong_lines"], 1, "{findings}");
    assert_eq!(findings["records"], FAULTS.lines().count(), "{findings}");
    assert_eq!(findings["totals"]["missing_close_records"], 0, "{findings}");
}

#[test]
fn nothing_understood_is_65_and_says_what_was_looked_for() {
    for input in [hostile_lines().join(&b'\n'), Vec::new(), b"Nov 25 host sshd[1]: hello\n".to_vec()] {
        let output = run(&[input], &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(65), "{said}");
        assert!(
            output.stdout.is_empty() && said.contains("looked for") && said.contains("journalctl -o json"),
            "{said}"
        );
    }
}

/// A record of any event whose numbers are at the edges of what numbers can be.
fn boastful(random: &mut fastrand::Rng) -> String {
    const NUMBERS: [&str; 10] = [
        "0",
        "1",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "1000000000000000000000000000000",
        "-1",
        "1.5",
        "true",
    ];
    const NAMES: [&str; 19] = [
        "conn",
        "lifetime_ms",
        "idle_ms",
        "rx_bytes",
        "probes_missed",
        "rtt_us",
        "count",
        "open",
        "accepted",
        "refused",
        "closed",
        "null_connections",
        "null_only_counted",
        "log_lost",
        "stalled_ms",
        "connections",
        "lost",
        "pause_ms",
        "duration_ms",
    ];
    const EVENTS: [&str; 12] = [
        "starting",
        "close",
        "close",
        "open",
        "refuse",
        "stall",
        "summary",
        "handover",
        "adopted",
        "handover_failed",
        "stopped",
        "dance",
    ];
    let mut any = |among: &[&'static str]| among[random.usize(..among.len())];
    let mut fields: Map<String, Value> =
        NAMES.iter().map(|name| ((*name).to_owned(), serde_json::from_str(any(&NUMBERS)).unwrap())).collect();
    fields.insert("event".to_owned(), json!(any(&EVENTS)));
    fields.insert("reason".to_owned(), json!(any(&["peer_reset", "server_shutdown", "", "bored"])));
    fields.insert(
        "peer".to_owned(),
        json!(any(&["192.0.2.1:5", "[fe80::1%3]:9", "[::ffff:192.0.2.1]:1", ":", ""])),
    );
    let stamp = any(&[
        "2026-11-24T20:00:00Z",
        "2026-11-24T20:00:09.5Z",
        "0000-01-01T00:00:00Z",
        "9999-12-30T00:00:00Z",
    ]);
    let entry_time = any(&["1795550400000000", "0", "9223372036854775807", "18446744073709551615", "-1"]);
    match any(&["own", "text", "journal"]) {
        "own" => {
            let fields = serde_json::to_string(&fields).unwrap();
            format!("{{\"timestamp\":\"{stamp}\",{}\n", &fields[1..])
        }
        "text" => {
            let fields =
                fields.iter().map(|(name, value)| format!("{name}={}", value.to_string().replace('"', "")));
            format!("{stamp}  WARN it event=close {}\n", fields.collect::<Vec<_>>().join(" "))
        }
        _ => {
            let suppressed = format!("Suppressed {} messages from pulse-echo.service", any(&NUMBERS));
            let mut entry = json!({ "__REALTIME_TIMESTAMP": entry_time, "MESSAGE": suppressed });
            let is_ours = any(&["yes", "no"]) == "yes";
            for (name, value) in fields.into_iter().filter(|_| is_ours) {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                entry[format!("PULSE_ECHO_{}", name.to_uppercase())] = json!(value);
            }
            format!("{entry}\n")
        }
    }
}

#[test]
fn records_that_claim_anything_stop_nothing() {
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let log: String = (0..60).map(|_| boastful(&mut random)).collect();
        for format in ["text", "json"] {
            let output = run(&[&log], &["--format", format]);
            assert!(output.status.success(), "{seed}: {output:?}\n{log}");
        }
    }
}
