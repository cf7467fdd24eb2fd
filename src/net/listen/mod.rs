//! Listening: the sockets, how they change while they are served, who is let in.

mod acceptor;
mod admission;
mod inherited;
mod kernel_table;
mod set;
mod socket;

pub use admission::Admission;
pub use inherited::{InheritedSockets, SocketMismatch};
pub use set::Listeners;
pub use socket::{BindError, Listener, ListenerLost};
