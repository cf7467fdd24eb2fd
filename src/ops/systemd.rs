//! The service manager: what it is told, see sd_notify(3), and the sockets it passes, see sd_listen_fds(3).
//!
//! Without one, as on a terminal, telling does nothing.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use sd_notify::NotifyState;

use super::events::Totals;

/// Added to the time asked for a stop, for the work around it.
const STOP_MARGIN: Duration = Duration::from_secs(5);

/// The service is up: every address listens.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// A reload begins; [`ready`] ends it. Both facts go in one message, as Type=notify-reload wants them.
pub fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        notify(&[NotifyState::Reloading, now]);
    }
}

/// A stop begins and may last for `grace`.
pub fn stopping(grace: Duration) {
    let micros = u32::try_from((grace + STOP_MARGIN).as_micros()).unwrap_or(u32::MAX);
    notify(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(micros)]);
}

/// One line for `systemctl status`.
pub fn status(totals: &Totals, reloaded_at: Option<SystemTime>) {
    let (open, orderly) = (totals.open(), totals.closed_in_order());
    let (lost, refused) = (totals.closed() - orderly, totals.refused);
    let line = format!("{open} open; closed: {orderly} in good order, {lost} lost; refused: {refused}");
    let reloaded_at = reloaded_at.and_then(|at| Timestamp::try_from(at).ok());
    let line = match reloaded_at {
        Some(at) => format!("{line}; reloaded at {at:.0}"),
        None => line,
    };
    notify(&[NotifyState::Status(&line)]);
}

/// The daemon is well.
pub fn feed_watchdog() {
    notify(&[NotifyState::Watchdog]);
}

/// Within which time the watchdog must be fed; `None`: there is none.
pub fn watchdog_timeout() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// The sockets that were passed to us, by name. To be asked once: whoever asks, owns them.
///
/// # Errors
/// The variables that speak of them are malformed.
#[expect(
    unsafe_code,
    reason = "the service manager names descriptors by number; from here on they are owned"
)]
pub fn inherited_sockets() -> io::Result<Vec<(String, OwnedFd)>> {
    let sockets = sd_notify::listen_fds_with_names()?;
    // SAFETY: sd_listen_fds(3) hands these descriptors over to this process, and nothing else knows of them.
    Ok(sockets.map(|(socket, name)| (name, unsafe { OwnedFd::from_raw_fd(socket) })).collect())
}

fn notify(state: &[NotifyState<'_>]) {
    // A service manager that does not listen is no reason to stop serving.
    let _ = sd_notify::notify(state);
}
