//! The policy of one connection, and nothing else: `std` only, no sockets, no runtime, no log.
//! Time comes in as an argument, so every rule here can be tested without waiting.
//!
//! *When does a connection die?* [`Liveness`] · *what is it called?* [`CloseReason`] · *whose silence was it?* [`judge`] ·
//! *what do bytes mean?* [`Decoder`] · *how do they act together?* [`Session`]

mod close;
mod listed;
mod liveness;
mod moment;
mod probes;
mod protocol;
mod session;
mod verdict;

pub use close::{Close, CloseReason, EndedBy, Failure, Operation, Severity};
pub use liveness::{Action, Deadlines, Heartbeat, Jitter, Liveness, PUNCTUAL, Timing, whole_seconds};
pub use moment::Moment;
pub use protocol::{Decoder, HEADROOM, Probe, Protocol};
pub use session::{ProbeReport, Report, Session, Step};
pub use verdict::{Evidence, Questions, Silence, Verdict, judge};
