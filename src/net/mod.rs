//! The shell: everything that touches a socket. It does what `core` decides and decides nothing itself.

mod adoption;
mod connection;
mod counters;
mod event_loop;
mod handover;
mod listen;
mod options;
mod server;
mod watchdog;
mod worker;

pub use connection::{Connection, ConnectionState, Transport};
pub use event_loop::{EventLoop, Phase, READ_BYTES, StallTracker};
pub use handover::{
    CAN_TAKE_OVER, Carried, Program, Question, asked_whether, close_the_rest, take as take_carried,
    take_stored,
};
pub use listen::{BindError, InheritedSockets, SocketMismatch};
pub use options::{ListenerOptions, ServerOptions};
pub use server::{Command, STOPPING, Server, ask};
