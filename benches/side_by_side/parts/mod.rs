//! What is measured: one file each.

pub mod churn;
pub mod echo;
pub mod handover;
pub mod heartbeats;
pub mod idle;
pub mod logs;
pub mod overload;
pub mod report;
