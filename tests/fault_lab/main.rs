//! The fault laboratory: real faults between two hosts, and whether the daemon names them rightly and in time.
//!
//! Every test has its own daemon and its own networks, so they can all run at once. They need root, `ip`, `nft`
//! and some also /dev/net/tun, and are skipped, loudly, without. With `--nocapture` they print what they see, a line for every fault.

mod black_holes;
mod clients;
mod expected;
mod fair_write_deadline;
mod gone_peers;
mod lab;
mod lossy_paths;
mod lossy_verdicts;
mod lost_paths;
mod many_faults;
mod own_host;
mod packet;
mod silent_peers;
mod single_losses;
mod undelivered;
mod wire;
mod wire_alone;

#[path = "../support/mod.rs"]
mod support;

/// Runs `test` for all cases at the same time.
fn at_once<C: Sync>(cases: &[C], test: impl Fn(&C) + Sync) {
    std::thread::scope(|scope| cases.iter().for_each(|case| drop(scope.spawn(|| test(case)))));
}
