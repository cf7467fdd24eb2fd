//! The shell: everything that touches a socket. It does what `core` decides and decides nothing itself.

pub mod acceptor;
pub mod clock;
pub mod connection;
pub mod event_loop;
pub mod failure;
pub mod inherited;
pub mod intake;
pub mod keepalive;
pub mod limits;
pub mod listener;
pub mod listeners;
pub mod options;
pub mod pulse;
pub mod server;
pub mod service;
pub mod stall;
pub mod tally;
pub mod tcp_info;
pub mod timers;
pub mod transport;
pub mod turns;
pub mod unsent;
pub mod worker;
