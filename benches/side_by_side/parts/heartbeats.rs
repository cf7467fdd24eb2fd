//! Heartbeats at scale: how punctual are they, and what do they cost?

use std::time::Duration;

use anyhow::ensure;

use crate::Bench;
use crate::load::Peers;
use crate::measure::{cpu_time, now};
use crate::report::Table;
use crate::servers::Contender;

const CONNECTIONS: usize = 19_000;
const INTERVAL: Duration = Duration::from_secs(1);

/// One row per contender that probes.
pub fn measure(bench: &Bench) -> anyhow::Result<Table> {
    let contenders = bench.contenders.iter().filter(|contender| contender.probes());
    let rows = contenders.map(|contender| row(bench, contender)).collect::<anyhow::Result<_>>()?;
    Ok(Table {
        title: "Heartbeats",
        note: "19,000 connections, each silent but for its answers, probed every second, spread over it in no order. How \
               late the probes came, counted at the client from its last answer, so the way there and back is \
               included; and the share of one core that the server used."
            .to_owned(),
        columns: vec!["server", "probes", "late, median", "99 %", "longest", "core"],
        rows,
    })
}

fn row(bench: &Bench, contender: &Contender) -> anyhow::Result<Vec<String>> {
    let server = contender.start(&bench.cores, INTERVAL)?;
    let mut peers = Peers::connect(server.address, CONNECTIONS)?;
    // Peers that connect one after the other stand in memory in the order in which they are probed, where all are probed on time.
    peers.speak_in_no_order(INTERVAL)?;
    peers.answer_probes(INTERVAL * 2, INTERVAL)?;
    let (before, began_at) = (cpu_time(server.process())?, now());
    let duration = Duration::from_secs(bench.quick_or(3, 10));
    let mut lateness = peers.answer_probes(duration, INTERVAL)?;
    let used = cpu_time(server.process())? - before;
    ensure!(peers.lost == 0, "{}: {} connections lost", contender.name, peers.lost);
    let milliseconds = |duration: Duration| format!("{:.1} ms", duration.as_secs_f64() * 1e3);
    Ok(vec![
        contender.name.clone(),
        lateness.count().to_string(),
        milliseconds(lateness.percentile(0.5)),
        milliseconds(lateness.percentile(0.99)),
        milliseconds(lateness.percentile(1.0)),
        format!("{:.0} %", used.as_secs_f64() / (now() - began_at).as_secs_f64() * 100.0),
    ])
}
