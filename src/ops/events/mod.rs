//! Log records: the only place that emits them, and the home of their field names.
//!
//! What is not known is absent: `None` leaves a field out. A number is given as it is, and stays a number in every format. A
//! word is given as `display(word)`: the text format writes what is given as a `str` in quotes.

mod connection;
mod listener;
mod server;

pub use connection::{
    Identity, Remains, close, close_damaged, only_count_null_connections, open, unexpected_proxy_header,
};
pub use listener::{
    Refusal, RefuseReason, accept_error, accept_resumed, listener_lost, listener_missing, listener_reopened,
    listening, refuse,
};
pub use server::{
    Stall, Totals, adopted, connections_clamped, descriptor_limit_kept, drain, fatal, handover,
    handover_failed, journal_missed, left, panicked, reload_failed, reload_waits, reloaded,
    service_manager_unreachable, setting_changed, stall, starting, stopped, stuck, summary,
};
