//! What a server is told to do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::core::{Protocol, Timing};

/// A server's settings, all of them decided.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Event-loop threads, at least 1.
    pub workers: usize,
    /// Connections served at a time; more are refused.
    pub max_connections: usize,
    /// How long a stop waits for the peers to finish.
    pub shutdown_grace: Duration,
    /// `None` is `"off"`.
    pub summary_interval: Option<Duration>,
    /// At least one.
    pub listeners: Vec<ListenerOptions>,
}

/// One listening address and how its connections are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerOptions {
    /// Unique; appears in every log record.
    pub name: Arc<str>,
    /// Port 0: any.
    pub address: SocketAddr,
    /// What is spoken there.
    pub protocol: Protocol,
    /// Whether each connection begins with a PROXY header.
    pub requires_proxy_header: bool,
    /// Deadlines and heartbeat of its connections.
    pub timing: Timing,
}

impl ListenerOptions {
    /// Whether a socket of the listener `name` that was configured for `address` is one for these options: of the same address,
    /// and of the same name where that leaves the port open.
    pub fn suit_socket_of(&self, name: &str, address: SocketAddr) -> bool {
        self.address == address && (address.port() != 0 || *self.name == *name)
    }
}
