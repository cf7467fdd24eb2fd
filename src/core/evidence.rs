//! What the kernel knows of a connection, as far as it bears on whose silence it was.

use std::time::Duration;

/// What the kernel knows of a connection at one moment. `None`: it does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Evidence {
    /// Bytes that the peer's TCP has acknowledged since the connection began; our FIN counts as one.
    pub acknowledged_bytes: Option<u64>,
    /// Segments sent and not acknowledged.
    pub unacked: Option<u32>,
    /// How often in a row the oldest of them was sent again on a timeout.
    pub retransmits: Option<u32>,
    /// Segments sent again since the connection began, for whatever reason.
    pub total_retransmits: Option<u32>,
    /// Segments with data sent since the connection began, those sent again included.
    pub data_segments: Option<u32>,
    /// Bytes written and not sent yet.
    pub unsent_bytes: Option<u32>,
    /// Bytes the peer is ready to take.
    pub send_window: Option<u32>,
    /// The greatest segment that goes to it.
    pub segment: Option<u32>,
    /// Keepalives or window probes in a row that went unanswered.
    pub kernel_probes: Option<u32>,
    /// How long the kernel waits for an acknowledgement before it sends again.
    pub retransmission_timeout: Option<Duration>,
    /// How long the kernel waits for an answer before it asks, or sends, again; twice as long every time.
    pub patience: Option<Duration>,
    /// Since the last segment with data was sent, be it again.
    pub last_data_sent: Option<Duration>,
    /// Since the last acknowledgement.
    pub last_ack: Option<Duration>,
    /// The smoothed round-trip time.
    pub round_trip: Option<Duration>,
    /// What received bytes take up in the kernel. Where a read finds nothing, they stand behind a hole in the stream.
    pub receive_memory: Option<u32>,
}

impl Evidence {
    /// Its names in a log record, in the order of [`Evidence::values`].
    pub const NAMES: [&str; 12] = [
        "tcp_unacked",
        "tcp_retransmits",
        "tcp_notsent_bytes",
        "tcp_snd_wnd",
        "tcp_probes",
        "tcp_last_ack_ms",
        "tcp_rtt_us",
        "tcp_total_retrans",
        "tcp_data_segs_out",
        "tcp_last_data_sent_ms",
        "tcp_rto_us",
        "tcp_rmem_bytes",
    ];

    /// What a log record tells of it.
    pub fn values(&self) -> [Option<u64>; Evidence::NAMES.len()] {
        let Evidence {
            acknowledged_bytes: _, // told by `unechoed_bytes`
            unacked,
            retransmits,
            total_retransmits,
            data_segments,
            unsent_bytes,
            send_window,
            segment: _,
            kernel_probes,
            retransmission_timeout,
            patience: _,
            last_data_sent,
            last_ack,
            round_trip,
            receive_memory,
        } = *self;
        [
            count(unacked),
            count(retransmits),
            count(unsent_bytes),
            count(send_window),
            count(kernel_probes),
            milliseconds(last_ack),
            microseconds(round_trip),
            count(total_retransmits),
            count(data_segments),
            milliseconds(last_data_sent),
            microseconds(retransmission_timeout),
            count(receive_memory),
        ]
    }

    /// Whether the peer does not want the next segment. Closed is also a window that is smaller: the kernel waits for it to open
    /// further.
    pub fn window_is_closed(&self) -> Option<bool> {
        let next = match self.unacked? {
            0 => self.unsent_bytes?.min(self.segment?).max(1),
            _ => 1,
        };
        Some(self.send_window? < next)
    }

    /// Whether nothing of ours is on its way, or waits to be; `None` if unknown.
    pub fn all_acknowledged(&self) -> Option<bool> {
        Some(self.unacked? == 0 && self.unsent_bytes? == 0)
    }
}

fn count(count: Option<u32>) -> Option<u64> {
    count.map(u64::from)
}

fn milliseconds(time: Option<Duration>) -> Option<u64> {
    time.map(|time| time.as_millis() as u64) // the kernel tells it in 32 bits
}

fn microseconds(time: Option<Duration>) -> Option<u64> {
    time.map(|time| time.as_micros() as u64) // the kernel tells it in 32 bits
}
