//! Log records: the only place that emits them, and the home of their field names.
//!
//! What is not known is absent: `None` leaves a field out. A number is given as it is, and stays a number in every format. A
//! word is given as `display(word)`: the text format writes what is given as a `str` in quotes.

mod lost_listeners;

use std::fmt::{self, Display};
use std::io;
use std::net::SocketAddr;
use std::panic::PanicHookInfo;
use std::time::Duration;

use tracing::field::{DisplayValue, display};
use tracing::{debug, error, info, warn};

pub use lost_listeners::{listener_lost, listener_reopened};

use super::errno::ErrnoName;
use super::log_queue;
use crate::core::{Close, CloseReason, Evidence, Ground, Protocol, Report, Severity, Silence};

/// Which connection a record is about.
#[derive(Debug)]
pub struct Identity<'a> {
    /// Unique in the process: 1, 2, …
    pub conn: u64,
    /// The name of the listener that accepted it.
    pub listener: &'a str,
    /// The far end.
    pub peer: SocketAddr,
    /// The near end; `None` if the system would not tell.
    pub local: Option<SocketAddr>,
}

/// A connection refused before service.
#[derive(Debug)]
pub struct Refusal<'a> {
    /// Why.
    pub reason: RefuseReason,
    /// The name of the listener that refused it.
    pub listener: &'a str,
    /// The far end.
    pub peer: SocketAddr,
    /// Refusals since the last record of one, this one included.
    pub count: u64,
    /// The limit.
    pub max_connections: usize,
}

/// Why a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefuseReason {
    /// `server.max_connections` are open.
    ConnectionLimit,
}

impl RefuseReason {
    /// The fixed name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            RefuseReason::ConnectionLimit => "connection_limit",
        }
    }
}

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Connections taken into service.
    pub accepted: u64,
    /// Connections refused before service; not among the accepted.
    pub refused: u64,
    /// Closes, indexed as [`CloseReason::ALL`].
    pub by_reason: [u64; CloseReason::ALL.len()],
}

impl Totals {
    /// Connections that ended, for whatever reason.
    pub fn closed(&self) -> u64 {
        self.by_reason.iter().sum()
    }

    /// Those of them that ended in good order.
    pub fn closed_in_order(&self) -> u64 {
        let orderly = |reason: &CloseReason| reason.severity() == Severity::Orderly;
        CloseReason::ALL.into_iter().filter(orderly).filter_map(|reason| self.seen(reason)).sum()
    }

    /// Connections still served.
    pub fn open(&self) -> u64 {
        self.accepted - self.closed()
    }

    /// `None`: never seen.
    fn seen(&self, reason: CloseReason) -> Option<u64> {
        self.by_reason.get(reason as usize).copied().filter(|count| *count > 0)
    }
}

/// The daemon has a valid configuration and begins to bind.
pub fn starting(configuration: &str, workers: usize, max_connections: usize) {
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
        "nobody can be told that the service is ready, at NOTIFY_SOCKET={socket}: {cause}"
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

/// A listener takes connections.
pub fn listening(listener: &str, protocol: Protocol, address: SocketAddr) {
    info!(
        event = display("listening"),
        listener = display(listener),
        protocol = display(protocol.name()),
        address = display(address),
        "listening on {address}"
    );
}

/// A connection was accepted.
pub fn open(identity: &Identity<'_>) {
    debug!(
        event = display("open"),
        listener = display(identity.listener),
        peer = display(identity.peer),
        local = identity.local.map(display),
        conn = identity.conn,
        "accepted a connection from {}",
        identity.peer
    );
}

/// A connection ended. Once per accepted connection.
///
/// `report` is absent where the connection failed before its service began.
pub fn close(identity: &Identity<'_>, close: &Close, report: Option<&Report>) {
    let reason = close.reason;
    let errno = close.failure.map(|failure| display(ErrnoName(failure.errno)));
    let probes = report.and_then(|report| report.probes);
    let silence = close.silence.as_deref();
    let verdict = silence.map(Silence::verdict);
    let ground = silence.map(|silence| silence.ground);
    let evidence = silence.map(|silence| silence.evidence.values()).unwrap_or_default();
    let [
        unacked,
        retransmits,
        unsent_bytes,
        send_window,
        kernel_probes,
        last_ack_ms,
        round_trip_us,
        total_retransmits,
        data_segments,
        last_data_sent_ms,
        retransmission_timeout_us,
        receive_memory,
    ] = evidence;
    let op = close.failure.and_then(|failure| failure.operation);
    macro_rules! record {
        ($level:ident) => {
            $level!(
                event = display("close"),
                reason = display(reason.name()),
                verdict = verdict.map(|verdict| display(verdict.name())),
                listener = display(identity.listener),
                peer = display(identity.peer),
                local = identity.local.map(display),
                conn = identity.conn,
                lifetime_ms = report.map(|report| milliseconds(report.lifetime)),
                idle_ms = report.map(|report| milliseconds(report.idle)),
                rx_bytes = report.map(|report| report.received_bytes),
                tx_bytes = report.map(|report| report.sent_bytes),
                unechoed_bytes = report.map(|report| report.unechoed_bytes),
                probes_sent = probes.map(|probes| probes.sent),
                probes_answered = probes.map(|probes| probes.answered),
                probes_missed = probes.map(|probes| probes.missed),
                rtt_us = probes.and_then(|probes| probes.round_trip).map(microseconds),
                errno,
                op = op.map(|op| display(op.name())),
                { Evidence::NAMES[0] } = unacked,
                { Evidence::NAMES[1] } = retransmits,
                { Evidence::NAMES[2] } = unsent_bytes,
                { Evidence::NAMES[3] } = send_window,
                { Evidence::NAMES[4] } = kernel_probes,
                { Evidence::NAMES[5] } = last_ack_ms,
                { Evidence::NAMES[6] } = round_trip_us,
                { Evidence::NAMES[7] } = total_retransmits,
                { Evidence::NAMES[8] } = data_segments,
                { Evidence::NAMES[9] } = last_data_sent_ms,
                { Evidence::NAMES[10] } = retransmission_timeout_us,
                { Evidence::NAMES[11] } = receive_memory,
                probe_acked_ms = silence.and_then(|silence| silence.asked).map(milliseconds),
                "{}: {}",
                identity.peer,
                Sentence(reason, ground)
            )
        };
    }
    match reason.severity() {
        Severity::Orderly => record!(info),
        Severity::Lost => record!(warn),
        Severity::Bug => record!(error),
    }
}

/// Connections were refused.
pub fn refuse(refusal: &Refusal<'_>) {
    warn!(
        event = display("refuse"),
        reason = display(refusal.reason.name()),
        listener = display(refusal.listener),
        peer = display(refusal.peer),
        count = refusal.count,
        max_connections = refusal.max_connections,
        "{}: refused, as many connections as allowed are open",
        refusal.peer
    );
}

/// Accepting fails and pauses. Once per episode.
pub fn accept_error(listener: &str, cause: &io::Error) {
    warn!(
        event = display("accept_error"),
        listener = display(listener),
        errno = errno_name(cause),
        "cannot accept connections for now ({cause}); trying again, those connected are served on"
    );
}

/// The end of what [`accept_error`] began.
pub fn accept_resumed(listener: &str, attempts: u64, paused: Duration) {
    info!(
        event = display("accept_resumed"),
        listener = display(listener),
        attempts,
        paused_ms = milliseconds(paused),
        "accepting connections again"
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
    error!(event = display("reload_failed"), "reload failed, the old configuration stays: {why:#}");
}

/// Somebody asked to go on as another process.
pub fn handover_failed() {
    error!(
        event = display("handover_failed"),
        "cannot hand the connections over to another process: this version does not know how; serving on"
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
        io_error,
        internal_error,
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
    error!(event = display("fatal"), "{cause:#}");
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

/// What happened and, if known, whose silence it was.
struct Sentence(CloseReason, Option<Ground>);

impl Display for Sentence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sentence(reason, ground) = self;
        formatter.write_str(reason.sentence())?;
        match ground {
            Some(ground) => write!(formatter, "; {}", ground.sentence()),
            None => Ok(()),
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn errno_name(error: &io::Error) -> Option<DisplayValue<ErrnoName>> {
    error.raw_os_error().map(|errno| display(ErrnoName(errno)))
}
