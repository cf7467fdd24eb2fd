//! TCP as the kernel runs it: what it knows of a connection, how it asks the peer's host, and what its errors mean.

mod errors;
mod info;
mod keepalive;

pub use errors::close_of;
pub use info::{acknowledged_bytes, evidence};
pub use keepalive::set_keepalive;
