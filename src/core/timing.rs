//! Everything that limits a connection in time.

use std::time::Duration;

/// The deadlines of a connection; `None` is `"off"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Longest time without a received byte.
    pub read: Option<Duration>,
    /// Longest time in which the peer's TCP acknowledges not one of the bytes that wait for it.
    pub write: Option<Duration>,
    /// Greatest age.
    pub lifetime: Option<Duration>,
}

/// The same three settings as TCP keepalive has (tcp(7): `TCP_KEEPIDLE`, `TCP_KEEPINTVL`, `TCP_KEEPCNT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// Silence before the first probe.
    pub interval: Duration,
    /// How long each probe waits for any sign of life.
    pub timeout: Duration,
    /// Consecutive misses that end the connection; at least 1.
    pub max_missed: u32,
}

impl Heartbeat {
    /// The longest time in which a dead peer goes unnoticed.
    pub fn detection_time(&self) -> Duration {
        self.interval + self.timeout * self.max_missed
    }
}

/// The kernel's keepalive knows whole seconds only; rounded up, so that no peer is given up too early.
pub fn whole_seconds(duration: Duration) -> Duration {
    let up = u64::from(duration.subsec_nanos() > 0);
    Duration::from_secs(duration.as_secs() + up)
}

/// The deadlines and the heartbeat of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long silence, a blocked write and the connection may last.
    pub deadlines: Deadlines,
    /// `None` is `interval = "off"`.
    pub heartbeat: Option<Heartbeat>,
}
