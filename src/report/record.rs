//! What the report takes from a record. The names are those that `ops::events` writes.

/// A record of the daemon, as far as the report needs it. What the record does not say is empty or `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// Microseconds since 1970.
    pub time: Option<i64>,
    /// As written, until the time is known.
    pub stamp: &'a [u8],
    pub event: &'a [u8],
    pub reason: &'a [u8],
    pub verdict: &'a [u8],
    pub listener: &'a [u8],
    /// ip:port
    pub peer: &'a [u8],
    pub version: &'a [u8],
    pub conn: Option<u64>,
    pub lifetime_ms: Option<u64>,
    pub idle_ms: Option<u64>,
    pub probes_missed: Option<u64>,
    pub rtt_us: Option<u64>,
    pub rx_bytes: Option<u64>,
    /// Of `refuse`: refusals since the last such record.
    pub count: Option<u64>,
    pub open: Option<u64>,
    pub accepted: Option<u64>,
    pub refused: Option<u64>,
    pub closed: Option<u64>,
    pub null_connections: Option<u64>,
    pub null_only_counted: Option<u64>,
    pub log_lost: Option<u64>,
    pub stalled_ms: Option<u64>,
    /// Of `adopted`.
    pub connections: Option<u64>,
    pub lost: Option<u64>,
    pub pause_ms: Option<u64>,
    /// Whom the journal says it is from.
    pub host: &'a [u8],
}

impl<'a> Record<'a> {
    /// Takes a field, or leaves it.
    #[inline]
    pub fn field(&mut self, name: &[u8], value: &'a [u8]) {
        match name {
            b"timestamp" => self.stamp = value,
            b"event" => self.event = value,
            b"reason" => self.reason = value,
            b"verdict" => self.verdict = value,
            b"listener" => self.listener = value,
            b"peer" => self.peer = value,
            b"version" => self.version = value,
            b"conn" => self.conn = number(value),
            b"lifetime_ms" => self.lifetime_ms = number(value),
            b"idle_ms" => self.idle_ms = number(value),
            b"probes_missed" => self.probes_missed = number(value),
            b"rtt_us" => self.rtt_us = number(value),
            b"rx_bytes" => self.rx_bytes = number(value),
            b"count" => self.count = number(value),
            b"open" => self.open = number(value),
            b"accepted" => self.accepted = number(value),
            b"refused" => self.refused = number(value),
            b"closed" => self.closed = number(value),
            b"null_connections" => self.null_connections = number(value),
            b"null_only_counted" => self.null_only_counted = number(value),
            b"log_lost" => self.log_lost = number(value),
            b"stalled_ms" => self.stalled_ms = number(value),
            b"connections" => self.connections = number(value),
            b"lost" => self.lost = number(value),
            b"pause_ms" => self.pause_ms = number(value),
            _ => {}
        }
    }

    /// Whether the peer came, sent no byte and went, as health checks and scanners do.
    #[inline]
    pub fn is_null(&self) -> bool {
        self.rx_bytes == Some(0) && matches!(self.reason, b"peer_closed" | b"peer_reset" | b"broken_pipe")
    }

    /// Whether the rest of a close record, from its evidence on, has nothing for the report.
    pub fn is_complete_close(&self) -> bool {
        self.event == b"close" && !self.stamp.is_empty() && self.conn.is_some() && self.idle_ms.is_some()
    }
}

/// Whether two words are the same. Most are empty or of other lengths, which takes no call.
#[inline]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && (one.is_empty() || one == other)
}

/// A whole number, and nothing else.
#[inline]
pub fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 { None } else { number.checked_mul(10)?.checked_add(u64::from(digit)) }
    })
}
