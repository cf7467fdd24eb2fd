//! Connections that come from another program, with a description that may be damaged: gone on with, or refused, but never one that
//! has no end.

use std::time::Duration;

use pulse_echo::core::{CloseReason, Deadlines, Implausible, Protocol, Timing};
use pulse_echo::net::ConnectionState;
use serde_json::{Value, json};

use crate::scripted::{DEFAULTS, Link};

/// The first format, of five connections: two line, one raw, one that takes nothing, one in the middle of a line.
const DESCRIBED: &str = include_str!("../handover/format-1.jsonl");

/// Whatever it is in, each connection ends by then if its peer stays silent.
const LIMITED: Timing = Timing {
    deadlines: Deadlines { lifetime: Some(Duration::from_secs(600)), ..DEFAULTS.deadlines },
    ..DEFAULTS
};

/// An hour.
const LATEST_MS: u64 = 3_600_000;

fn described() -> Vec<(Protocol, Value)> {
    let connections = DESCRIBED.lines().skip(1).map(|line| {
        let connection: Value = serde_json::from_str(line).expect("a connection");
        let is_line = connection["listener"] == "line";
        (if is_line { Protocol::Line } else { Protocol::Raw }, connection["state"].clone())
    });
    connections.collect()
}

fn adopt(protocol: Protocol, state: &Value) -> Option<Result<Link, Implausible>> {
    let state: ConnectionState = serde_json::from_value(state.clone()).ok()?;
    Some(Link::adopt(&state, protocol, LIMITED))
}

/// All numbers, texts and so on in it, by their paths.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| leaves(value, &format!("{path}/{name}"), found));
        }
        _ => found.push(path.to_owned()),
    }
}

fn damaged(chance: &mut fastrand::Rng) -> Value {
    match chance.u8(..9) {
        0 => json!(null),
        1 => json!(chance.bool()),
        2 => json!(""),
        3 => json!("PONG 1"),
        4 => json!(chance.i64(-100_000_000_000..100_000_000_000)),
        5 => json!(chance.i64(..)),
        6 => json!(chance.u8(..)),
        7 => json!({ "reason": "lifetime_over", "until": chance.i64(-6_000_000_000..1_000_000_000) }),
        _ => [
            json!("echoing"),
            json!({ "flushing": 5 }),
            json!("sending_fin"),
            json!("lingering"),
            json!("peer_finished"),
            json!("last_ack"),
        ][chance.usize(..6)]
        .clone(),
    }
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn what_is_gone_on_with_ends_whatever_it_was_told() {
    let mut gone_on_with = 0;
    for seed in 0..2_000 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let (protocol, mut state) = chance.choice(described()).expect("there are some");
        let mut paths = Vec::new();
        leaves(&state, "", &mut paths);
        for _ in 0..chance.usize(1..4) {
            let path = match chance.u8(..4) {
                0 => "/stage",
                1 => "/session/ending",
                _ => &paths[chance.usize(..paths.len())],
            };
            if let Some(place) = state.pointer_mut(path) {
                *place = damaged(&mut chance);
            }
        }
        let Some(Ok(mut link)) = adopt(protocol, &state) else { continue };
        gone_on_with += 1;
        let ended = link.ended().await;
        assert!(ended.at <= LATEST_MS, "seed {seed}: {ended:?} of {state}");
        assert_ne!(ended.close.reason, CloseReason::InternalError, "seed {seed}: {state}");
    }
    assert!(gone_on_with > 50, "damage that matters little is no end: {gone_on_with}");
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_stage_that_is_not_its_ending_s_is_refused() {
    let ending = json!({ "reason": "lifetime_over", "until": -1_000_000_000 });
    let stopping = json!({ "reason": "server_shutdown", "until": null });
    let endless = json!({ "reason": "lifetime_over", "until": -60_000_000_000_i64 });
    let blamed = json!({ "reason": "peer_reset", "until": null });
    let cases = [
        (json!("echoing"), json!(null), None),
        (json!("echoing"), ending.clone(), Some("another end")),
        (json!("lingering"), json!(null), Some("another end")),
        (json!("sending_fin"), json!(null), Some("another end")),
        (json!({ "flushing": 60_000 }), ending.clone(), Some("another end")),
        (json!("last_ack"), json!(null), Some("another end")),
        (json!("lingering"), ending, None),
        (json!("lingering"), stopping, Some("no end")),
        (json!("lingering"), endless, Some("takes too long")),
        (json!("lingering"), blamed, Some("none")),
    ];
    for (stage, ending, why) in cases {
        let (protocol, mut state) = described().swap_remove(0);
        (state["stage"], state["session"]["ending"]) = (stage, ending);
        let refused = adopt(protocol, &state).expect("it can be read").err();
        let words = refused.map(|Implausible(words)| words);
        assert_eq!(words.is_some(), why.is_some(), "{state}: {words:?}");
        assert!(words.unwrap_or_default().contains(why.unwrap_or_default()), "{state}: {words:?}");
    }
}
