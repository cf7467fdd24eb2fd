//! The places of the connections in their event loop.

/// The place of a connection in its event loop: a number that is used again.
pub type Seat = u32;
