//! What reading and writing ran into, as the ends of connections.

use std::io;

use crate::core::{Close, CloseReason, Operation};
use crate::tcp;

pub fn read_failed(error: io::Error) -> Close {
    tcp::close_of(&error, Some(Operation::Read))
}

pub fn write_failed(error: io::Error) -> Close {
    tcp::close_of(&error, Some(Operation::Write))
}

/// A pipe is broken where bytes waited for the peer. Where none did, an EPIPE is the reset that came behind its FIN, and how far
/// we were by then is chance.
pub fn without_blocked(close: Close) -> Close {
    match close.reason {
        CloseReason::BrokenPipe => Close { reason: CloseReason::PeerReset, ..close },
        _ => close,
    }
}
