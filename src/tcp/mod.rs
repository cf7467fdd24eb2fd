//! TCP as the kernel runs it: what it knows of a connection, how it asks the peer's host, and what its errors mean.

mod addresses;
mod errors;
mod info;
mod options;

pub use addresses::canonical;
pub use errors::close_of;
pub use info::{evidence, has_unacknowledged, receive_memory, segments_received, shortest_round_trip};
pub use options::{abort_on_close, limit_memory, set_keepalive};
