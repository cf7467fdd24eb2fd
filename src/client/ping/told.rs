//! What `ping` tells, as it happens.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use super::figures::Figures;
use crate::client::arguments::Format;
use crate::client::output::Output;
use crate::core::{Close, CloseReason};
use crate::ops::units::milliseconds;

/// Why a connection ended, or was ended.
#[derive(Debug)]
pub enum End {
    /// It ended by itself, or by a silence.
    Closed(Close),
    /// All messages came back.
    Complete,
    /// By a signal.
    Interrupted,
    /// What came is not what was sent.
    NoEcho,
}

impl End {
    /// In one sentence.
    fn sentence(&self) -> String {
        match self {
            End::Complete => "all messages were sent and came back".to_owned(),
            End::Interrupted => "interrupted".to_owned(),
            End::NoEcho => "this is no echo server: what came is not what was sent".to_owned(),
            End::Closed(close) => {
                let ground = close.silence.as_ref().map(|silence| silence.ground.sentence());
                let ground = ground.map(|sentence| format!("; {sentence}")).unwrap_or_default();
                format!("{}: {}{ground}", close.reason.name(), sentence(close.reason))
            }
        }
    }

    /// The names of the log for it.
    fn names(&self) -> [Option<&'static str>; 2] {
        match self {
            End::Closed(close) => {
                let verdict = close.silence.as_ref().map(|silence| silence.verdict().name());
                [Some(close.reason.name()), verdict]
            }
            End::Complete | End::Interrupted | End::NoEcho => [None, None],
        }
    }
}

/// The server's sentences, where they say what only a server can.
fn sentence(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::PeerClosed => "the server closed the connection in good order",
        CloseReason::ReadTimeout => "nothing was received within the timeout",
        CloseReason::WriteTimeout => "the server's TCP acknowledged no byte within the timeout",
        other => other.sentence(),
    }
}

/// What is told, and whether anybody reads it.
#[derive(Debug)]
pub struct Told(Output);

impl Told {
    /// In that format.
    pub fn new(format: Format) -> Told {
        Told(Output::new(format))
    }

    /// Whether nobody reads any more.
    pub fn is_over(&self) -> bool {
        self.0.is_over()
    }

    /// A connection was made.
    pub fn connected(&mut self, peer: SocketAddr, local: Option<SocketAddr>) {
        let local = local.map(|local| local.to_string());
        let from = local.as_deref().unwrap_or("an unknown address");
        self.0.tell(
            || format!("connected to {peer} from {from}"),
            || json!({ "event": "connected", "peer": peer.to_string(), "local": local }),
        );
    }

    /// A message came back.
    pub fn echo(&mut self, peer: SocketAddr, bytes: u32, number: u64, round_trip: Duration) {
        self.0.tell(
            || format!("{bytes} bytes from {peer}: seq={number} time={:.3} ms", millis(round_trip)),
            || {
                json!({ "event": "echo", "peer": peer.to_string(), "bytes": bytes, "seq": number,
                       "rtt_us": millis(round_trip) * 1e3 })
            },
        );
    }

    /// A message is not back when the next one is due.
    pub fn late(&mut self, number: u64, waiting: Duration) {
        self.0.tell(
            || format!("no echo yet: seq={number} after {:.1} s", waiting.as_secs_f64()),
            || json!({ "event": "late", "seq": number, "waiting_ms": milliseconds(waiting) }),
        );
    }

    /// A connection ended.
    pub fn end(&mut self, end: &End, lifetime: Duration) {
        let [reason, verdict] = end.names();
        self.0.tell(
            || format!("after {:.1} s: {}", lifetime.as_secs_f64(), end.sentence()),
            || {
                json!({ "event": "close", "reason": reason, "verdict": verdict,
                       "lifetime_ms": milliseconds(lifetime), "message": end.sentence() })
            },
        );
    }

    /// There is no connection, and another try comes later.
    pub fn unreachable(&mut self, why: &impl Display, pause: Duration) {
        self.0.tell(
            || format!("{why}; again in {:.1} s", pause.as_secs_f64()),
            || json!({ "event": "unreachable", "message": why.to_string(), "pause_ms": milliseconds(pause) }),
        );
    }

    /// The last word.
    pub fn figures(&mut self, figures: &Figures) {
        self.0.tell(|| figures.table(), || figures.object());
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
