//! The records of one connection: it was opened, it ended.

use std::fmt::{self, Display};
use std::net::SocketAddr;

use tracing::field::display;
use tracing::{debug, error, info, warn};

use super::units::{microseconds, milliseconds};
use crate::core::{Close, Evidence, Ground, Report, Severity, Silence};
use crate::ops::errno::ErrnoName;

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
                Sentence(close, ground)
            )
        };
    }
    match reason.severity() {
        Severity::Orderly => record!(info),
        Severity::Lost => record!(warn),
        Severity::Bug => record!(error),
    }
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
        Sentence(close, None)
    );
}

/// What happened and, if known, whose silence it was.
struct Sentence<'a>(&'a Close, Option<Ground>);

impl Display for Sentence<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sentence(close, ground) = self;
        formatter.write_str(close.reason.sentence())?;
        match (ground, close.cause) {
            (Some(ground), _) => write!(formatter, "; {}", ground.sentence()),
            (None, Some(cause)) => write!(formatter, ": {cause}"),
            (None, None) => Ok(()),
        }
    }
}
