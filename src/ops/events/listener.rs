//! The records of a listener: whom it takes, whom it refuses, what keeps it from either.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::core::Protocol;
use crate::ops::units::{errno_name, milliseconds};

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

/// The socket of a listener had died, and another took its place.
pub fn listener_reopened(listener: &str, address: SocketAddr, cause: &io::Error) {
    warn!(
        event = display("listener_reopened"),
        listener = display(listener),
        address = display(address),
        errno = errno_name(cause),
        "the listening socket on {address} was destroyed or shut down by others; listening with a new one"
    );
}

/// The socket of a listener died for good: the service ends.
pub fn listener_lost(listener: &str, address: SocketAddr, cause: &io::Error) {
    error!(
        event = display("listener_lost"),
        listener = display(listener),
        address = display(address),
        errno = errno_name(cause),
        "the listening socket on {address} is lost ({cause}): stopping, to be started again"
    );
}

/// A new address cannot be had, and connections of the program before are not given up for that.
pub fn listener_missing(listener: &str, address: SocketAddr, cause: &io::Error) {
    error!(
        event = display("listener_missing"),
        listener = display(listener),
        address = display(address),
        errno = errno_name(cause),
        "cannot listen on {address} ({cause}): nobody can connect there until a reload; connections are served on"
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
