//! What an operator sees and does: log records and their formats, signals, systemd.

pub mod errno;
pub mod events;
pub mod fd_store;
pub mod journal;
pub mod json;
pub mod log_queue;
pub mod log_stream;
pub mod logging;
pub mod notify;
pub mod orphans;
pub mod passed_sockets;
pub mod process_state;
pub mod signals;
pub mod systemd;
pub mod text;
pub mod units;
