//! The service manager: what it is told, see sd_notify(3), and what it asks for.
//!
//! Without one, as on a terminal, telling does nothing.

use std::env;
use std::ffi::OsString;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};

use super::events::{self, Totals};
use super::notify::Notifier;

/// Added to the time asked for a stop, for the work around it.
const STOP_MARGIN: Duration = Duration::from_secs(5);

/// A shorter watchdog would be fed and nothing else done.
const SHORTEST_WATCHDOG: Duration = Duration::from_millis(40);

static MANAGER: OnceLock<Notifier> = OnceLock::new();

/// Finds the way to the service manager, if there is one; what is told before is told to nobody.
pub fn connect() {
    let Some(name) = socket_name() else { return };
    match Notifier::to(&name) {
        Ok(manager) => drop(MANAGER.set(manager)),
        Err(error) => events::service_manager_unreachable(&name.to_string_lossy(), &error),
    }
}

/// Where it listens, if there is one.
pub fn socket_name() -> Option<OsString> {
    env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty())
}

/// The service is up: every address listens.
pub fn ready() {
    tell("READY=1".to_owned());
}

/// A reload begins; [`ready`] ends it. Both facts go in one message, as Type=notify-reload wants them.
pub fn reloading() {
    if let Ok(now) = clock_gettime(ClockId::CLOCK_MONOTONIC) {
        tell(format!("RELOADING=1\nMONOTONIC_USEC={}", Duration::from(now).as_micros()));
    }
}

/// A stop begins and may last for `grace`.
pub fn stopping(grace: Duration) {
    let needed = grace.saturating_add(STOP_MARGIN);
    tell(format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}", needed.as_micros()));
}

/// One line for `systemctl status`.
pub fn status(totals: &Totals, reloaded_at: Option<SystemTime>) {
    let (open, orderly, lost) = (totals.open(), totals.closed_in_order(), totals.lost());
    let refused = totals.refused;
    let line = format!("{open} open; closed: {orderly} in good order, {lost} lost; refused: {refused}");
    let reloaded_at = reloaded_at.and_then(|at| Timestamp::try_from(at).ok());
    let line = match reloaded_at {
        Some(at) => format!("{line}; reloaded at {at:.0}"),
        None => line,
    };
    mention(&format!("STATUS={line}"));
}

/// The daemon is well.
pub fn feed_watchdog() {
    mention("WATCHDOG=1");
}

/// Within which time the watchdog must be fed; `None`: there is none, or it is another process's.
pub fn watchdog_timeout() -> Option<Duration> {
    let variable = |name| env::var(name).ok();
    let ours = variable("WATCHDOG_PID").is_none_or(|pid| pid.parse() == Ok(std::process::id()));
    let micros = variable("WATCHDOG_USEC")?.parse().ok().filter(|micros| ours && *micros > 0)?;
    Some(Duration::from_micros(micros).max(SHORTEST_WATCHDOG))
}

pub(super) fn tell(what: String) {
    if let Some(manager) = MANAGER.get() {
        manager.send(what);
    }
}

fn mention(what: &str) {
    if let Some(manager) = MANAGER.get() {
        manager.send_or_drop(what);
    }
}
