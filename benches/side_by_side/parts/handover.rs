//! What clients notice of an upgrade in place.

use std::time::Duration;

use anyhow::ensure;
use nix::sys::signal::{Signal, kill};

use crate::Bench;
use crate::load::Peers;
use crate::measure::{Durations, peak_resident_bytes, resident_bytes};
use crate::report::Table;
use crate::servers::Contender;

const CONNECTIONS: usize = 10_000;
const BUSY: usize = 100;
const INTERVAL: Duration = Duration::from_secs(60);

/// One row per pulse-echo.
pub fn measure(bench: &Bench) -> anyhow::Result<Table> {
    let contenders = bench.contenders.iter().filter(|contender| contender.is_pulse_echo_line());
    Ok(Table {
        title: "An upgrade in place",
        note: "10,000 connections, 100 of them in a conversation without pause, while SIGUSR2 lets another program take \
               over in the server's process. The longest that each of the 100 waited for an echo; and what the new \
               program's memory came to at most, above that of the one before, per connection."
            .to_owned(),
        columns: vec!["server", "upgrades", "longest wait, median", "99 %", "longest", "memory"],
        rows: contenders.map(|contender| row(bench, contender)).collect::<anyhow::Result<_>>()?,
    })
}

fn row(bench: &Bench, contender: &Contender) -> anyhow::Result<Vec<String>> {
    let upgrades = bench.quick_or(3, 10);
    let server = contender.start(&bench.cores, INTERVAL)?;
    let mut peers = Peers::connect(server.address, CONNECTIONS)?;
    let (mut waits, mut memory) = (Vec::new(), 0);
    for upgrade in 1..=upgrades {
        let before = resident_bytes(server.process())?;
        let signal = || kill(server.process(), Signal::SIGUSR2);
        waits.extend(peers.longest_waits(BUSY, Duration::from_secs(2), signal)?);
        let adopted = contender.read_log()?.matches("\"event\":\"adopted\"").count();
        ensure!(adopted == upgrade, "{}: {adopted} programs took over, not {upgrade}", contender.name);
        memory = memory.max(peak_resident_bytes(server.process())?.saturating_sub(before));
    }
    ensure!(peers.lost == 0, "{}: {} connections lost", contender.name, peers.lost);
    let mut waits: Durations = waits.into_iter().collect();
    let mut milliseconds = |share| format!("{:.0} ms", waits.percentile(share).as_secs_f64() * 1e3);
    Ok(vec![
        contender.name.clone(),
        upgrades.to_string(),
        milliseconds(0.5),
        milliseconds(0.99),
        milliseconds(1.0),
        format!("{} bytes", memory / CONNECTIONS as u64),
    ])
}
