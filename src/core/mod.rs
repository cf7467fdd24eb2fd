//! The policy of one connection, and nothing else: `std` only, no sockets, no runtime, no log.
//! Time comes in as an argument, so every rule here can be tested without waiting.
//!
//! *When does a connection die?* [`liveness`] · *what is it called?* [`close`] · *whose silence was it?* [`verdict`] ·
//! *what do bytes mean?* [`protocol`] · *how do they act together?* [`session`]

pub mod close;
pub mod liveness;
pub mod moment;
pub mod probes;
pub mod protocol;
pub mod session;
pub mod verdict;
