//! pulse-echo: a TCP echo and heartbeat server that says why each connection ended.
//!
//! `docs/architecture.md` is the map. In short: `main` -> [`commands`] -> [`daemon`] -> [`config`], [`net`], [`client`] -> [`ops`], `tcp` -> [`core`].

// What a peer, a file or the environment controls must not bring us down.
#![warn(clippy::unwrap_used, clippy::expect_used)]

pub mod cli;
pub mod client;
pub mod commands;
pub mod config;
pub mod core;
pub mod daemon;
pub mod exit_status;
pub mod explain;
pub mod limits;
pub mod net;
pub mod ops;
pub mod report;
pub mod settings;
mod tcp;
mod upgrade;
