//! The records of one connection: it was opened, it ended.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::display;
use tracing::{Level, debug, enabled, error, info, warn};

use crate::core::{Close, Evidence, Report, Severity, Silence};
use crate::ops::errno::ErrnoName;
use crate::ops::units::{microseconds, milliseconds};

/// Which connection a record is about.
#[derive(Debug)]
pub struct Identity<'a> {
    /// Unique in the process: 1, 2, …
    pub conn: u64,
    /// The name of the listener that accepted it.
    pub listener: &'a str,
    /// The far end; behind a proxy whom that named.
    pub peer: SocketAddr,
    /// The proxy that named it.
    pub proxy: Option<SocketAddr>,
    /// The near end; `None` if the system would not tell.
    pub local: Option<SocketAddr>,
}

/// A connection was accepted. Its identity is asked for only where it is told: it costs a system call.
pub fn open<'a>(identity: impl FnOnce() -> Identity<'a>) {
    if !enabled!(Level::DEBUG) {
        return;
    }
    let identity = identity();
    debug!(
        event = display("open"),
        listener = display(identity.listener),
        peer = display(identity.peer),
        proxy = identity.proxy.map(display),
        local = identity.local.map(display),
        conn = identity.conn,
        "accepted a connection from {}",
        identity.peer
    );
}

/// Whether null connections have no record of their own, but at debug level.
static NULL_CONNECTIONS_COUNTED: AtomicBool = AtomicBool::new(false);

/// From now on null connections are only counted, or not.
pub fn only_count_null_connections(only_count: bool) {
    NULL_CONNECTIONS_COUNTED.store(only_count, Ordering::Relaxed);
}

/// A connection ended. Once per accepted connection. Returns whether it has a record of its own: a null connection may only be
/// counted.
///
/// `report` is absent where the connection failed before its service began.
pub fn close(identity: &Identity<'_>, close: &Close, report: Option<&Report>) -> bool {
    let reason = close.reason;
    let errno = close.failure.map(|failure| display(ErrnoName(failure.errno)));
    let probes = report.and_then(|report| report.probes);
    let silence = close.silence.as_deref();
    let verdict = silence.map(Silence::verdict);
    let is_null = report.is_some_and(|report| report.is_null(reason));
    let only_count = is_null && NULL_CONNECTIONS_COUNTED.load(Ordering::Relaxed);
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
                proxy = identity.proxy.map(display),
                local = identity.local.map(display),
                conn = identity.conn,
                null_connection = is_null.then_some(true),
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
                Sentence { close, is_null }
            )
        };
    }
    match reason.severity() {
        _ if only_count => record!(debug),
        _ if is_null => record!(info),
        Severity::Orderly => record!(info),
        Severity::Lost => record!(warn),
        Severity::Bug => record!(error),
    }
    !only_count || enabled!(Level::DEBUG)
}

/// A connection whose description was damaged: what is known of it all the same.
#[derive(Debug, Default)]
pub struct Remains<'a> {
    /// As in [`Identity`].
    pub conn: Option<u64>,
    /// As in [`Identity`].
    pub listener: Option<&'a str>,
    /// As in [`Identity`].
    pub peer: Option<SocketAddr>,
    /// As in [`Identity`].
    pub local: Option<SocketAddr>,
}

/// It ended; no more is known of it than that.
pub fn close_damaged(remains: &Remains<'_>, close: &Close) {
    warn!(
        event = display("close"),
        reason = display(close.reason.name()),
        listener = remains.listener.map(display),
        peer = remains.peer.map(display),
        local = remains.local.map(display),
        conn = remains.conn,
        "{}: {}",
        remains.peer.map_or_else(|| "a connection".to_owned(), |peer| peer.to_string()),
        Sentence { close, is_null: false }
    );
}

/// What happened and, if known, whose silence it was.
struct Sentence<'a> {
    close: &'a Close,
    is_null: bool,
}

impl Display for Sentence<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Close { reason, silence, cause, .. } = self.close;
        if self.is_null {
            return formatter
                .write_str("the peer came and went without a byte, as health checks and port scanners do");
        }
        formatter.write_str(reason.sentence())?;
        match (silence, cause) {
            (Some(silence), _) => write!(formatter, "; {}", silence.sentence()),
            (None, Some(cause)) => write!(formatter, ": {cause}"),
            (None, None) => Ok(()),
        }
    }
}

/// At most one record about headers in this time, for each listener.
const BETWEEN_HEADER_RECORDS: Duration = Duration::from_hours(1);

/// When the listeners told of a header, by their names.
static HEADERS_TOLD_AT: Mutex<BTreeMap<String, Instant>> = Mutex::new(BTreeMap::new());

/// A connection begins with a PROXY header where none is expected: it is data, but hardly meant so. Once per listener and hour.
pub fn unexpected_proxy_header(identity: &Identity<'_>, now: Instant) {
    let mut told_at = HEADERS_TOLD_AT.lock().unwrap_or_else(PoisonError::into_inner);
    if told_at.get(identity.listener).is_some_and(|at| now.duration_since(*at) < BETWEEN_HEADER_RECORDS) {
        return;
    }
    told_at.insert(identity.listener.to_owned(), now);
    drop(told_at);
    warn!(
        event = display("unexpected_proxy_header"),
        listener = display(identity.listener),
        peer = display(identity.peer),
        conn = identity.conn,
        "{}: begins with a PROXY header, which goes back as data; is proxy_protocol = \"required\" meant for this listener?",
        identity.peer
    );
}
