//! What settings must keep with one another.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Display;
use std::hash::Hash;

use super::problems::{Findings, Spot};
use super::reader::Section;
use super::sections::Listener;
use super::values::written;

/// A listener and the section it was read from.
pub(super) type Read<'d> = (Section<'d>, Listener);

/// Reports where listeners contradict themselves or one another.
pub(super) fn check(listeners: &[Read<'_>], top: &Section<'_>) {
    check_unique(listeners, "name", |listener| Some(&listener.name));
    // Port 0 is another free port each time.
    check_unique(listeners, "address", |listener| {
        Some(&listener.address).filter(|address| address.port() != 0)
    });
    for (section, listener) in listeners {
        check_heartbeat(section, listener, top);
    }
}

/// No two listeners may have the same of what is `picked`.
fn check_unique<'l, T: Eq + Hash + Display + 'l>(
    listeners: &'l [Read<'_>],
    key: &'static str,
    picked: impl Fn(&'l Listener) -> Option<&'l T>,
) {
    let mut holders = HashMap::new();
    for (section, listener) in listeners {
        let spot = section.own(&[key]).filter(|spot| !section.findings.is_wrong(spot.place));
        let (Some(spot), Some(value)) = (spot, picked(listener)) else {
            continue;
        };
        match holders.entry(value) {
            Entry::Vacant(entry) => {
                entry.insert((listener, spot.place.line));
            }
            Entry::Occupied(entry) => {
                let (holder, line) = entry.get();
                let message = format!(
                    "given \"{value}\", which {} has already (line {line}), allowed: one of its own",
                    title(holder),
                );
                section.findings.report(&spot, message, None);
            }
        }
    }
}

/// A name that is wrong or missing is empty here.
fn title(listener: &Listener) -> String {
    match listener.name.as_str() {
        "" => "another listener".to_owned(),
        name => format!("listener \"{name}\""),
    }
}

/// A read deadline that ends a connection before the heartbeat can tell makes it pointless.
fn check_heartbeat(section: &Section<'_>, listener: &Listener, top: &Section<'_>) {
    let (Some(read), Some(heartbeat)) = (listener.deadlines.read, listener.heartbeat) else {
        return;
    };
    let needed = heartbeat.detection_time();
    if read >= needed {
        return;
    }
    let Some(spot) = culprit(section, top, section.findings) else { return };
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
    section.findings.report(&spot, message, Some(hint));
}

/// What decides whether a heartbeat can speak; the deadline is the first suspect.
const INVOLVED: [[&str; 2]; 4] =
    [["deadlines", "read"], ["heartbeat", "interval"], ["heartbeat", "timeout"], ["heartbeat", "max_missed"]];

/// Where read deadline and heartbeat fell out: the listener's own value rather than an inherited
/// one, the deadline rather than the heartbeat. None if one of them is wrong in itself.
fn culprit(listener: &Section<'_>, top: &Section<'_>, findings: &Findings<'_>) -> Option<Spot> {
    let own = || INVOLVED.iter().map(|key| listener.own(key));
    let inherited = || INVOLVED.iter().map(|key| top.own(key));
    let mut effective = own().zip(inherited()).filter_map(|(own, inherited)| own.or(inherited));
    if effective.any(|spot| findings.is_wrong(spot.place)) {
        return None;
    }
    own().flatten().next().or_else(|| inherited().flatten().next())
}
