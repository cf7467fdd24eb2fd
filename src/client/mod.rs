//! The other end of a connection: `ping` measures the way to an echo server and back.
//!
//! It judges by the same core as the server does: probes are answered by its decoder, and a silence has its verdicts.

mod arguments;
mod connect;
mod ping;

pub use arguments::Ping;
pub use connect::Unreachable;
pub use ping::ping;
