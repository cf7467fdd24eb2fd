//! The policy of one connection, and nothing else: no sockets, no runtime, no log.
//! Time comes in as an argument, so every rule here can be tested without waiting.
//!
//! *When does a connection die?* [`Liveness`] · *what is it called?* [`CloseReason`] · *whose silence was it?* [`judge`] ·
//! *what do bytes mean?* [`Decoder`] · *how do they act together?* [`Session`]

mod close;
mod delivery;
mod evidence;
mod inquiry;
mod judge;
mod listed;
mod liveness;
mod moment;
mod probes;
mod protocol;
mod session;
mod snapshot;
mod timing;
mod verdict;

pub use close::{Close, CloseReason, EndedBy, Failure, Operation, Severity};
pub use delivery::Left;
pub use evidence::Evidence;
pub use inquiry::{Findings, Inquiry};
pub use judge::{Questions, judge};
pub use liveness::{Action, Jitter, Liveness, Look, MOST_MISSED, PUNCTUAL};
pub use moment::Moment;
pub use probes::ProbeReport;
pub use protocol::{Decoder, HEADROOM, Probe, Protocol};
pub use session::{Report, Session, Step};
pub use snapshot::{Age, Bytes, Implausible, SessionState};
pub use timing::{Deadlines, Heartbeat, Timing, whole_seconds};
pub use verdict::{Ground, Silence, Verdict};
