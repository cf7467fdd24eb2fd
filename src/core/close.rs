//! Why connections end: one closed list of reasons, each with who ended it and how bad that is.

use super::verdict::Silence;

/// Why a connection ended. Every accepted connection gets exactly one; the first cause wins.
///
/// The names ([`CloseReason::name`]) are a promise to the users' queries and alerts: they never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The peer sent FIN and everything it sent before came back to it.
    PeerClosed,
    /// The peer sent RST.
    PeerReset,
    /// The peer had closed for good while bytes were still going to it (EPIPE).
    BrokenPipe,
    /// Nothing was received within the read deadline.
    ReadTimeout,
    /// The peer's TCP took no byte within the write deadline.
    WriteTimeout,
    /// Too many probes in a row without a sign of life.
    HeartbeatTimeout,
    /// The connection reached its greatest age.
    LifetimeOver,
    /// The kernel gave up: keepalive or retransmission went unanswered (ETIMEDOUT).
    NetworkTimeout,
    /// A router or the own host said that there is no way to the peer.
    NetworkUnreachable,
    /// The server was stopped.
    ServerShutdown,
    /// Any other error of the operating system.
    IoError,
    /// A bug of ours: the connection's task panicked.
    InternalError,
}

/// Who brought a connection to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// The host or application at the other end.
    Peer,
    /// We did.
    Server,
    /// What lies between, or the kernel on its behalf.
    Network,
}

/// How much attention the end of a connection deserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// An orderly end: nothing to do.
    Orderly,
    /// The connection was lost.
    Lost,
    /// The server itself is at fault.
    Bug,
}

impl CloseReason {
    /// All reasons, in the order in which `self as usize` counts them.
    pub const ALL: [CloseReason; 12] = [
        CloseReason::PeerClosed,
        CloseReason::PeerReset,
        CloseReason::BrokenPipe,
        CloseReason::ReadTimeout,
        CloseReason::WriteTimeout,
        CloseReason::HeartbeatTimeout,
        CloseReason::LifetimeOver,
        CloseReason::NetworkTimeout,
        CloseReason::NetworkUnreachable,
        CloseReason::ServerShutdown,
        CloseReason::IoError,
        CloseReason::InternalError,
    ];

    /// The fixed name in logs and documentation.
    pub const fn name(self) -> &'static str {
        match self {
            CloseReason::PeerClosed => "peer_closed",
            CloseReason::PeerReset => "peer_reset",
            CloseReason::BrokenPipe => "broken_pipe",
            CloseReason::ReadTimeout => "read_timeout",
            CloseReason::WriteTimeout => "write_timeout",
            CloseReason::HeartbeatTimeout => "heartbeat_timeout",
            CloseReason::LifetimeOver => "lifetime_over",
            CloseReason::NetworkTimeout => "network_timeout",
            CloseReason::NetworkUnreachable => "network_unreachable",
            CloseReason::ServerShutdown => "server_shutdown",
            CloseReason::IoError => "io_error",
            CloseReason::InternalError => "internal_error",
        }
    }

    /// Who ended the connection.
    pub const fn ended_by(self) -> EndedBy {
        match self {
            CloseReason::PeerClosed | CloseReason::PeerReset | CloseReason::BrokenPipe => EndedBy::Peer,
            CloseReason::ReadTimeout
            | CloseReason::WriteTimeout
            | CloseReason::HeartbeatTimeout
            | CloseReason::LifetimeOver
            | CloseReason::ServerShutdown
            | CloseReason::InternalError => EndedBy::Server,
            CloseReason::NetworkTimeout | CloseReason::NetworkUnreachable | CloseReason::IoError => {
                EndedBy::Network
            }
        }
    }

    /// How much attention this end deserves.
    pub const fn severity(self) -> Severity {
        match self {
            CloseReason::PeerClosed | CloseReason::LifetimeOver | CloseReason::ServerShutdown => {
                Severity::Orderly
            }
            CloseReason::InternalError => Severity::Bug,
            _ => Severity::Lost,
        }
    }

    /// What happened, in one sentence that a tired person understands.
    pub const fn sentence(self) -> &'static str {
        match self {
            CloseReason::PeerClosed => {
                "the peer closed the connection in good order; everything it sent was echoed"
            }
            CloseReason::PeerReset => "the peer reset the connection (RST)",
            CloseReason::BrokenPipe => "the peer had closed for good while bytes were still going to it",
            CloseReason::ReadTimeout => "nothing was received within the read deadline",
            CloseReason::WriteTimeout => "the peer took no byte within the write deadline",
            CloseReason::HeartbeatTimeout => "the peer gave no sign of life to several probes in a row",
            CloseReason::LifetimeOver => "the connection reached its greatest age",
            CloseReason::NetworkTimeout => {
                "the kernel gave up: the peer's host no longer acknowledges anything"
            }
            CloseReason::NetworkUnreachable => "the network has no way to the peer any more",
            CloseReason::ServerShutdown => "the server was stopped",
            CloseReason::IoError => "the operating system reported an unusual error",
            CloseReason::InternalError => "a bug in pulse-echo ended this connection",
        }
    }
}

/// The end of a connection: its reason, and what it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The one cause.
    pub reason: CloseReason,
    /// Absent where no error of the operating system decided.
    pub failure: Option<Failure>,
    /// Present where we gave up on a silent peer. Boxed: it is large, and most closes have none.
    pub silence: Option<Box<Silence>>,
}

/// An error of the operating system, and what it was that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// The number as in errno(3).
    pub errno: i32,
    /// `None`: it failed before the first read or write.
    pub operation: Option<Operation>,
}

/// What a connection was doing when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Receiving.
    Read,
    /// Sending, our FIN included.
    Write,
}

impl Operation {
    /// The fixed name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Operation::Read => "read",
            Operation::Write => "write",
        }
    }
}

impl From<CloseReason> for Close {
    fn from(reason: CloseReason) -> Close {
        Close { reason, failure: None, silence: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lists_every_reason_at_its_own_index() {
        for (index, reason) in CloseReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{}", reason.name());
        }
    }

    #[test]
    fn names_differ() {
        let mut names = CloseReason::ALL.map(CloseReason::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CloseReason::ALL.len());
    }
}
