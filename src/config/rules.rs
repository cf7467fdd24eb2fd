//! What settings must keep with one another.

use std::collections::HashMap;
use std::fmt::Display;
use std::ptr;

use super::problems::{Findings, Spot};
use super::reader::Section;
use super::sections::Listener;
use super::values::written;

/// A listener and the section it was read from.
pub(super) type Read<'d> = (Section<'d>, Listener);

/// Reports where listeners contradict themselves or one another.
pub(super) fn check(listeners: &[Read<'_>], top: &Section<'_>) {
    check_names(listeners);
    check_addresses(listeners);
    for (section, listener) in listeners {
        check_heartbeat(section, listener, top);
    }
}

fn check_names(listeners: &[Read<'_>]) {
    let mut holders = HashMap::new();
    for (section, listener, spot) in with_sound(listeners, "name") {
        let (holder, line) = *holders.entry(&listener.name).or_insert((listener, line(section, &spot)));
        if !ptr::eq(holder, listener) {
            taken(section, &spot, &listener.name, holder, line);
        }
    }
}

/// Who has a port, on addresses of one family.
#[derive(Default)]
struct Port<'l> {
    first: Option<(&'l Listener, usize)>,
    /// `0.0.0.0` or `[::]`, which overlaps all others
    wildcard: Option<(&'l Listener, usize)>,
}

/// No two listeners may have the same address, nor one a part of what the other has.
fn check_addresses(listeners: &[Read<'_>]) {
    let mut holders = HashMap::new();
    let mut ports: HashMap<(bool, u16), Port<'_>> = HashMap::new();
    for (section, listener, spot) in with_sound(listeners, "address") {
        let address = listener.address;
        // Port 0 is another free port each time.
        if address.port() == 0 {
            continue;
        }
        let this = (listener, line(section, &spot));
        let port = ports.entry((address.is_ipv4(), address.port())).or_default();
        let wildcard = address.ip().is_unspecified();
        let overlapped = if wildcard { port.first } else { port.wildcard };
        port.first = port.first.or(Some(this));
        port.wildcard = port.wildcard.or(wildcard.then_some(this));
        if let Some((holder, line)) = holders.insert(address, this) {
            holders.insert(address, (holder, line));
            taken(section, &spot, &address, holder, line);
        } else if let Some((holder, line)) = overlapped {
            let message = format!(
                "given \"{address}\", which overlaps \"{}\" of {} (line {line}), allowed: one of its own",
                holder.address,
                title(holder),
            );
            let hint = if wildcard { address } else { holder.address };
            let hint = format!("\"{hint}\" is every interface: give another port, or only one of the two");
            section.findings.report(&spot, message, Some(hint));
        }
    }
}

/// The listeners that set `key` to something allowed, and where.
fn with_sound<'l, 'd>(
    listeners: &'l [Read<'d>],
    key: &'static str,
) -> impl Iterator<Item = (&'l Section<'d>, &'l Listener, Spot)> {
    listeners.iter().filter_map(move |(section, listener)| {
        let spot = section.own(&[key]).filter(|spot| !section.findings.is_wrong(spot))?;
        Some((section, listener, spot))
    })
}

fn line(section: &Section<'_>, spot: &Spot) -> usize {
    section.findings.line(spot.at)
}

fn taken(section: &Section<'_>, spot: &Spot, value: &impl Display, holder: &Listener, line: usize) {
    let message = format!(
        "given \"{value}\", which {} has already (line {line}), allowed: one of its own",
        title(holder)
    );
    section.findings.report(spot, message, None);
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
    if effective.any(|spot| findings.is_wrong(&spot)) {
        return None;
    }
    own().flatten().next().or_else(|| inherited().flatten().next())
}
