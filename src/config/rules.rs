//! What settings must keep with one another.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Display;
use std::hash::Hash;

use super::duration::written;
use super::problems::{Findings, Spot};
use super::setting::{Found, Origin};
use super::settings::{Draft, Timing};

/// Reports where listeners contradict themselves or one another.
pub(super) fn check(listeners: &[Draft], findings: &Findings<'_>) {
    check_unique(listeners, findings, |listener| listener.name.as_ref());
    check_unique(listeners, findings, |listener| {
        // Port 0 is another free port each time.
        listener.address.as_ref().filter(|address| address.value.port() != 0)
    });
    for listener in listeners {
        check_heartbeat(&listener.timing, findings);
    }
}

/// No two listeners may have the same of what is `picked`.
fn check_unique<T: Eq + Hash + Display>(
    listeners: &[Draft],
    findings: &Findings<'_>,
    picked: impl Fn(&Draft) -> Option<&Found<T>>,
) {
    let mut holders = HashMap::new();
    for listener in listeners {
        let Some(mine) = picked(listener) else {
            continue;
        };
        match holders.entry(&mine.value) {
            Entry::Vacant(entry) => {
                entry.insert((listener, mine.spot.place.line));
            }
            Entry::Occupied(entry) => {
                let (holder, line) = entry.get();
                let message = format!(
                    "given \"{}\", which {} has already (line {line}), allowed: one of its own",
                    mine.value,
                    title(holder),
                );
                findings.report(&mine.spot, message, None);
            }
        }
    }
}

fn title(listener: &Draft) -> String {
    match &listener.name {
        Some(name) => format!("listener \"{}\"", name.value),
        None => "another listener".to_owned(),
    }
}

/// A read deadline that ends a connection before the heartbeat can tell makes it pointless.
fn check_heartbeat(timing: &Timing, findings: &Findings<'_>) {
    let (Some(read), Some(heartbeat)) = (timing.read.value, timing.heartbeat()) else {
        return;
    };
    let needed = heartbeat.detection_time();
    if read >= needed {
        return;
    }
    let Some(spot) = culprit(timing) else { return };
    let message = format!(
        "the heartbeat is pointless, given a read deadline of {}: it finds a dead peer only within \
         {} (interval {} + {} x timeout {})",
        written(read),
        written(needed),
        written(heartbeat.interval),
        heartbeat.max_missed,
        written(heartbeat.timeout),
    );
    let hint = format!("allowed: a read deadline of {} or more, or one of the two \"off\"", written(needed));
    findings.report(spot, message, Some(hint));
}

/// Where read deadline and heartbeat fell out: the listener's own value rather than an inherited
/// one, the deadline rather than the heartbeat. None if one of them is wrong in itself.
fn culprit(timing: &Timing) -> Option<&Spot> {
    let origins =
        [&timing.read.origin, &timing.interval.origin, &timing.timeout.origin, &timing.max_missed.origin];
    if origins.iter().any(|origin| matches!(origin, Origin::Wrong)) {
        return None;
    }
    let own = origins.iter().find_map(|origin| origin.own());
    own.or_else(|| origins.iter().find_map(|origin| origin.inherited()))
}
