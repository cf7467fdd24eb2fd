//! Memory per connection that says nothing but its heartbeats.

use std::time::Duration;

use anyhow::ensure;

use crate::Bench;
use crate::load::Peers;
use crate::measure::{median, now, resident_bytes};
use crate::report::Table;
use crate::rounds::Rounds;
use crate::servers::Contender;

const CONNECTIONS: usize = 15_000;
const INTERVAL: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(30);

/// One row per contender.
pub fn measure(bench: &Bench) -> anyhow::Result<Table> {
    let starts = bench.rounds(Rounds { starts: 1, rounds: 1 }, Rounds { starts: 3, rounds: 1 }).starts;
    let row = |contender: &Contender| {
        let samples = (0..starts).map(|_| bytes_per_connection(bench, contender));
        let bytes = median(samples.collect::<anyhow::Result<_>>()?);
        Ok(vec![contender.name.clone(), format!("{bytes:.0}")])
    };
    Ok(Table {
        title: "An idle connection",
        note: format!(
            "Bytes resident in the server per connection at 15,000 of them, each probed and heard at least once (the \
             bare loop probes nobody; raw peers are probed by the kernel). Medians of {starts} starts."
        ),
        columns: vec!["server", "bytes"],
        rows: bench.contenders.iter().chain(&bench.behind_proxy).map(row).collect::<anyhow::Result<_>>()?,
    })
}

fn bytes_per_connection(bench: &Bench, contender: &Contender) -> anyhow::Result<f64> {
    let server = contender.start(&bench.cores, INTERVAL)?;
    let before = resident_bytes(server.process())?;
    let mut peers = Peers::connect(server.address, CONNECTIONS)?;
    peers.introduce(contender.header())?;
    let patience_ends_at = now() + PATIENCE;
    while contender.probes() && peers.probed() < CONNECTIONS {
        peers.answer_probes(Duration::from_millis(100), INTERVAL)?;
        ensure!(now() < patience_ends_at, "{}: only {} were probed", contender.name, peers.probed());
    }
    peers.answer_probes(Duration::from_secs(1), INTERVAL)?;
    ensure!(peers.lost == 0, "{}: {} connections lost", contender.name, peers.lost);
    let grown = resident_bytes(server.process())?.saturating_sub(before);
    Ok(grown as f64 / CONNECTIONS as f64)
}
