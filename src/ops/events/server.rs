//! The records of the daemon as a whole: its start, its settings, its figures, its end.

use std::io;
use std::panic::PanicHookInfo;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::core::{CloseReason, Severity};
use crate::ops::log_queue;
use crate::ops::text::fit;
use crate::ops::units::{errno_name, milliseconds};

/// A time in which an event loop did not turn.
#[derive(Debug)]
pub struct Stall {
    /// Which event loop: 0, 1, …
    pub worker: usize,
    /// The longest delay of a timer in it.
    pub longest: Duration,
    /// How often a connection was given its time again for it.
    pub forgiven: u64,
}

/// What happened since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Connections taken into service.
    pub accepted: u64,
    /// Connections refused before service; not among the accepted.
    pub refused: u64,
    /// Closes, indexed as [`CloseReason::ALL`].
    pub by_reason: [u64; CloseReason::ALL.len()],
    /// Of these: null connections, whose peers came and went without a byte.
    pub null_connections: u64,
    /// Of the null connections: those that were lost by their reason.
    pub null_lost: u64,
    /// Null connections without a record of their own.
    pub null_only_counted: u64,
}

impl Totals {
    /// Connections that ended, for whatever reason.
    pub fn closed(&self) -> u64 {
        self.by_reason.iter().sum()
    }

    /// Those of them that ended in good order, or were null connections.
    pub fn closed_in_order(&self) -> u64 {
        let orderly = |reason: &CloseReason| reason.severity() == Severity::Orderly;
        let closed: u64 =
            CloseReason::ALL.into_iter().filter(orderly).filter_map(|reason| self.seen(reason)).sum();
        closed + self.null_lost
    }

    /// All others. The counters of a null connection may be ahead of those of its close.
    pub fn lost(&self) -> u64 {
        self.closed().saturating_sub(self.closed_in_order())
    }

    /// Connections still served.
    pub fn open(&self) -> u64 {
        self.accepted - self.closed()
    }

    /// The names of the reasons seen, and how often.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CloseReason::ALL.into_iter().filter_map(|reason| Some((reason.name(), self.seen(reason)?)))
    }

    /// `None`: never seen.
    fn seen(&self, reason: CloseReason) -> Option<u64> {
        self.by_reason.get(reason as usize).copied().filter(|count| *count > 0)
    }
}

/// The daemon has a valid configuration and begins to bind.
pub fn starting(configuration: &str, workers: usize, max_connections: usize) {
    let configuration = &*fit(configuration);
    info!(
        event = display("starting"),
        version = display(env!("CARGO_PKG_VERSION")),
        configuration,
        workers,
        max_connections,
        "pulse-echo starts with {configuration}"
    );
}

/// `server.max_connections` cannot be had.
pub fn connections_clamped(wanted: usize, possible: usize) {
    warn!(
        event = display("connections_clamped"),
        wanted,
        max_connections = possible,
        "server.max_connections is more than the descriptor limit allows; serving {possible} at most"
    );
}

/// There could be more descriptors, and with them connections.
pub fn descriptor_limit_kept(limit: u64, cause: &io::Error) {
    warn!(
        event = display("descriptor_limit_kept"),
        limit,
        errno = errno_name(cause),
        "the limit of open descriptors stays at {limit}: raising it to the hard limit failed: {cause}"
    );
}

/// Whoever started us wants to be told how we are, and cannot be.
pub fn service_manager_unreachable(socket: &str, cause: &io::Error) {
    warn!(
        event = display("service_manager_unreachable"),
        errno = errno_name(cause),
        "nobody can be told that the service is ready, at NOTIFY_SOCKET={}: {cause}",
        fit(socket)
    );
}

/// The journal was to get the records, and takes none.
pub fn journal_missed(socket: &str, cause: &io::Error) {
    error!(
        event = display("journal_missed"),
        errno = errno_name(cause),
        "records go to standard error as text: the journal takes none at {socket}: {cause}"
    );
}

/// The server slept, and is awake again.
pub fn stall(stall: &Stall) {
    warn!(
        event = display("stall"),
        worker = stall.worker,
        stalled_ms = milliseconds(stall.longest),
        forgiven = stall.forgiven,
        "the server itself was asleep (stopped, starved or suspended); no peer is blamed for it"
    );
}

/// The file of a reload has not been read for this long.
pub fn reload_waits(waited: Duration) {
    warn!(
        event = display("reload_waits"),
        waited_ms = milliseconds(waited),
        "the reload waits for the file, as on a mount that hangs; the old configuration is served meanwhile"
    );
}

/// The old configuration stays, and whoever wanted another must hear of it at every level.
pub fn reload_failed(why: &anyhow::Error) {
    error!(
        event = display("reload_failed"),
        "reload failed, the old configuration stays: {}",
        fit(&format!("{why:#}"))
    );
}

/// The connections go over to another program in this process. What is lost with it is told by `adopted`.
pub fn handover(connections: u64, duration: Duration) {
    info!(
        event = display("handover"),
        connections,
        duration_ms = milliseconds(duration),
        "handing {connections} connections over to a new program in this process"
    );
}

/// The connections wait with the service manager for the next program.
pub fn left(connections: u64, duration: Duration) {
    info!(
        event = display("handover"),
        connections,
        duration_ms = milliseconds(duration),
        "leaving {connections} connections with the service manager, for the program that it starts next"
    );
}

/// They did not; `now`: what is done instead.
pub fn handover_failed(why: &anyhow::Error, now: &str) {
    error!(
        event = display("handover_failed"),
        "cannot hand the connections over: {}; {now}",
        fit(&format!("{why:#}"))
    );
}

/// Connections came from the program before; `pause`: in which nobody served them. Of those `lost` so many have no record of their
/// own: `untold`.
pub fn adopted(connections: u64, lost: u64, untold: u64, pause: Duration) {
    info!(
        event = display("adopted"),
        connections,
        lost,
        untold = (untold > 0).then_some(untold),
        pause_ms = milliseconds(pause),
        "took over {connections} connections of the program before; {lost} were lost"
    );
}

/// A setting changed by a reload. `None`: there was, or is, no such setting.
pub fn setting_changed(key: &str, old: Option<&str>, new: Option<&str>, needs_restart: bool) {
    let when = if needs_restart { "with the next restart" } else { "now" };
    info!(
        event = display("reload"),
        key = display(key),
        old = old.map(display),
        new = new.map(display),
        needs_restart,
        "{key}: {} -> {}, {when}",
        old.unwrap_or("none"),
        new.unwrap_or("none")
    );
}

/// A reload is done; what it changed was told before.
pub fn reloaded(changes: usize) {
    info!(event = display("reload"), changes, "reloaded the configuration: {changes} settings changed");
}

/// An event loop does not turn any more. Under a watchdog the service is restarted for it.
pub fn stuck(worker: usize) {
    error!(event = display("stuck"), worker, "event loop {worker} does not turn");
}

/// A stop began.
pub fn drain(open: u64, grace: Duration) {
    info!(
        event = display("drain"),
        open,
        grace_ms = milliseconds(grace),
        "stopping: no new connections; those open may finish"
    );
}

/// The figures since the start.
pub fn summary(totals: &Totals) {
    // By name, so that a reason that is forgotten here does not compile.
    let [
        peer_closed,
        peer_reset,
        broken_pipe,
        read_timeout,
        write_timeout,
        heartbeat_timeout,
        lifetime_over,
        network_timeout,
        network_unreachable,
        server_shutdown,
        proxy_header,
        handover_lost,
        io_error,
        internal_error,
    ] = CloseReason::ALL.map(|reason| totals.seen(reason));
    info!(
        event = display("summary"),
        open = totals.open(),
        accepted = totals.accepted,
        refused = totals.refused,
        closed = totals.closed(),
        peer_closed,
        peer_reset,
        broken_pipe,
        read_timeout,
        write_timeout,
        heartbeat_timeout,
        lifetime_over,
        network_timeout,
        network_unreachable,
        server_shutdown,
        proxy_header,
        handover_lost,
        io_error,
        internal_error,
        null_connections = totals.null_connections,
        null_only_counted = totals.null_only_counted,
        log_lost = log_queue::lost(),
        "connections since the start"
    );
}

/// The last record of a clean stop.
pub fn stopped(totals: &Totals) {
    info!(event = display("stopped"), accepted = totals.accepted, closed = totals.closed(), "stopped");
}

/// The daemon cannot go on.
pub fn fatal(cause: &anyhow::Error) {
    error!(event = display("fatal"), "{}", fit(&format!("{cause:#}")));
}

/// A bug; where it hit one connection, that one's `close` record follows.
pub fn panicked(panic: &PanicHookInfo<'_>) {
    error!(
        event = display("panic"),
        location = panic.location().map(display),
        cause = panic.payload_as_str(),
        "a bug in pulse-echo: please report it"
    );
}
