//! docs/with-others.md, with the real programs: its snippets are what runs here, to the byte.
//!
//! Each test has a network of its own, in which the addresses of the page are this host's. So they need root, and the
//! programs; where something is missing they are skipped, loudly.

mod haproxy;
mod limits;
mod monitoring;
mod nginx;
mod page;
mod scale_out;
mod silence;
mod stage;
mod stunnel;

#[path = "../support/mod.rs"]
mod support;
