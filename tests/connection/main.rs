//! What one connection does, to the millisecond, in virtual time and over in-memory streams.

mod carried;
mod closing;
mod deadlines;
mod failures;
mod fairness;
mod heartbeat;
mod introduction;
mod lifetime;
mod outcome;
mod pipes;
mod reload;
mod scripted;
mod slow_reader;
mod stalls;
mod verdicts;
