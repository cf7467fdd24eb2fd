//! What an operator sees and does: log records and their formats, signals.

pub mod events;
pub mod log_queue;
pub mod logging;
pub mod signals;
