//! The other end of a connection: `ping` measures the way to an echo server and back, `idle-limit` how long the
//! path remembers a connection on which nothing is said.
//!
//! It judges by the same core as the server does: probes are answered by its decoder, and a silence has its verdicts.

mod arguments;
mod connect;
mod idle_limit;
mod interrupt;
mod messages;
mod output;
mod ping;
mod runtime;

pub use arguments::{IdleLimit, Ping};
pub use connect::Unreachable;
pub use idle_limit::idle_limit;
pub use ping::ping;
