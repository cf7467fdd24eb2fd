//! Why connections end: one closed list of reasons, each with who ended it and how bad that is.

use super::listed::listed;
use super::verdict::Silence;

listed! {
    /// Why a connection ended. Every accepted connection gets exactly one; the first cause wins.
    ///
    /// The names ([`CloseReason::name`]) are a promise to the users' queries and alerts: they never change.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum CloseReason {
        /// The peer sent FIN, and its TCP acknowledged that everything it sent before came back.
        PeerClosed,
        /// The peer sent RST.
        PeerReset,
        /// The peer had closed for good while bytes were still going to it (EPIPE).
        BrokenPipe,
        /// Nothing was received within the read deadline.
        ReadTimeout,
        /// The peer's TCP acknowledged no byte within the write deadline.
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
        /// No proxy said whose connection it is, on a listener that requires it.
        ProxyHeader,
        /// It could not be carried over into another process of ours.
        HandoverLost,
        /// Any other error of the operating system.
        IoError,
        /// A bug of ours: the connection's task panicked.
        InternalError,
    }
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

/// What there is to know about a close reason.
struct Facts {
    name: &'static str,
    ended_by: EndedBy,
    severity: Severity,
    sentence: &'static str,
}

impl CloseReason {
    /// All of them stand here, and only here.
    const fn facts(self) -> Facts {
        use EndedBy::{Network, Peer, Server};
        use Severity::{Bug, Lost, Orderly};
        match self {
            CloseReason::PeerClosed => facts(
                "peer_closed",
                Peer,
                Orderly,
                "the peer closed the connection in good order; everything it sent was echoed, and arrived",
            ),
            CloseReason::PeerReset => facts("peer_reset", Peer, Lost, "the peer reset the connection (RST)"),
            CloseReason::BrokenPipe => facts(
                "broken_pipe",
                Peer,
                Lost,
                "the peer had closed for good while bytes were still going to it",
            ),
            CloseReason::ReadTimeout => {
                facts("read_timeout", Server, Lost, "nothing was received within the read deadline")
            }
            CloseReason::WriteTimeout => facts(
                "write_timeout",
                Server,
                Lost,
                "the peer's TCP acknowledged no byte within the write deadline",
            ),
            CloseReason::HeartbeatTimeout => facts(
                "heartbeat_timeout",
                Server,
                Lost,
                "the peer gave no sign of life to several probes in a row",
            ),
            CloseReason::LifetimeOver => {
                facts("lifetime_over", Server, Orderly, "the connection reached its greatest age")
            }
            CloseReason::NetworkTimeout => facts(
                "network_timeout",
                Network,
                Lost,
                "the kernel gave up: the peer's host no longer acknowledges anything",
            ),
            CloseReason::NetworkUnreachable => {
                facts("network_unreachable", Network, Lost, "the network has no way to the peer any more")
            }
            CloseReason::ServerShutdown => {
                facts("server_shutdown", Server, Orderly, "the server was stopped")
            }
            CloseReason::ProxyHeader => facts(
                "proxy_header",
                Peer,
                Lost,
                "the listener requires a PROXY header, and no valid one came",
            ),
            CloseReason::HandoverLost => {
                facts("handover_lost", Server, Lost, "it could not be carried over a restart of the server")
            }
            CloseReason::IoError => {
                facts("io_error", Network, Lost, "the operating system reported an unusual error")
            }
            CloseReason::InternalError => {
                facts("internal_error", Server, Bug, "a bug in pulse-echo ended this connection")
            }
        }
    }

    /// The reason of that name, if this version has it.
    pub fn named(name: &str) -> Option<CloseReason> {
        CloseReason::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// The fixed name in logs and documentation.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// Who ended the connection.
    pub const fn ended_by(self) -> EndedBy {
        self.facts().ended_by
    }

    /// How much attention this end deserves.
    pub const fn severity(self) -> Severity {
        self.facts().severity
    }

    /// What happened, in one sentence that a tired person understands.
    pub const fn sentence(self) -> &'static str {
        self.facts().sentence
    }

    /// Whether the server gave up on a silent or stalled peer: then a verdict says whose silence it was.
    pub const fn is_silence(self) -> bool {
        matches!(self, CloseReason::ReadTimeout | CloseReason::WriteTimeout | CloseReason::HeartbeatTimeout)
    }
}

const fn facts(name: &'static str, ended_by: EndedBy, severity: Severity, sentence: &'static str) -> Facts {
    Facts { name, ended_by, severity, sentence }
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
    /// What the reason leaves open: why it could not be carried over, what came in place of a header.
    pub cause: Option<Box<str>>,
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

impl Close {
    /// This close where a proxy is the other end of our connection: a silence may be that of somebody behind it.
    pub fn behind_proxy(mut self) -> Close {
        if let Some(silence) = &mut self.silence {
            silence.behind_proxy = true;
        }
        self
    }

    /// This close where the cause is known.
    pub fn because(self, cause: impl Into<Box<str>>) -> Close {
        Close { cause: Some(cause.into()), ..self }
    }
}

impl From<CloseReason> for Close {
    fn from(reason: CloseReason) -> Close {
        Close { reason, failure: None, silence: None, cause: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ() {
        let mut names = CloseReason::ALL.map(CloseReason::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CloseReason::ALL.len());
    }
}
