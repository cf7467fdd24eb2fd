//! Networks of a test's own, with packets lost and routes cut as it pleases. They need root, `ip` and `nft`.

use std::fs;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, unshare};

use super::skip;

/// Runs `test` in a thread with a new network namespace, which the sockets it opens and the processes it starts
/// belong to. There is nothing to clean up: the namespace goes when the last of them does.
pub fn in_own_network(test: impl FnOnce() + Send) {
    let own = || match enter_own_network() {
        Ok(()) => test(),
        Err(why) => skip(&why),
    };
    thread::scope(|scope| {
        let name = thread::current().name().unwrap_or("a test").to_owned();
        let thread = thread::Builder::new().name(name).spawn_scoped(scope, own).expect("a thread");
        thread.join().unwrap_or_else(|panic| resume_unwind(panic));
    });
}

fn enter_own_network() -> Result<(), String> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|error| format!("no network namespace: {error}"))?;
    run("ip", &["link", "set", "lo", "up"])?;
    run("nft", &["add table ip test; add chain ip test input { type filter hook input priority 0; }"])?;
    Ok(())
}

/// Runs a command to its end and returns what it printed.
pub fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("cannot run {program}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into()),
        false => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// What happens to packets.
#[derive(Debug, Clone, Copy)]
pub enum Fate {
    /// Lost without a trace.
    Lost,
    /// Turned back by a router that knows no way.
    Unreachable,
}

/// From now on nothing arrives that `sender` sends.
pub fn cut_from(sender: SocketAddr, fate: Fate) {
    filter(&format!("tcp sport {}", sender.port()), fate);
}

/// From now on nothing arrives that is sent to `receiver`.
pub fn cut_to(receiver: SocketAddr, fate: Fate) {
    filter(&format!("tcp dport {}", receiver.port()), fate);
}

fn filter(packets: &str, fate: Fate) {
    let fate = match fate {
        Fate::Lost => "drop",
        Fate::Unreachable => "reject with icmp host-unreachable",
    };
    run("nft", &[&format!("add rule ip test input {packets} {fate}")]).expect("a rule");
}

/// How often TCP retransmits before it gives up; the default takes a quarter of an hour.
pub fn set_retransmissions(count: u32) {
    fs::write("/proc/sys/net/ipv4/tcp_retries2", count.to_string()).expect("a setting of this namespace");
}
