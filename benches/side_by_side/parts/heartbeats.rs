//! Heartbeats at scale: how punctual are they, and what do they cost?

use std::time::Duration;

use anyhow::ensure;

use crate::Bench;
use crate::load::Peers;
use crate::measure::{cpu_time, median, now};
use crate::report::Table;
use crate::rounds::Rounds;
use crate::servers::Contender;

const CONNECTIONS: usize = 19_000;
const INTERVAL: Duration = Duration::from_secs(1);

/// One row per contender that probes.
pub fn measure(bench: &Bench) -> anyhow::Result<Table> {
    let starts = bench.rounds(Rounds { starts: 1, rounds: 1 }, Rounds { starts: 5, rounds: 1 }).starts;
    let contenders: Vec<_> = bench.contenders.iter().filter(|contender| contender.probes()).collect();
    let mut samples = vec![Vec::new(); contenders.len()];
    for _ in 0..starts {
        for (contender, samples) in contenders.iter().zip(&mut samples) {
            samples.push(sample(bench, contender)?);
        }
    }
    let rows = contenders.iter().zip(&samples).map(|(contender, samples)| row(contender, samples));
    Ok(Table {
        title: "Heartbeats",
        note: format!(
            "19,000 connections, each silent but for its answers, probed every second, spread over it in no order. How \
             late the probes came, counted at the client from its last answer, so the way there and back is \
             included; and the share of one core that the server used. Medians of {starts} starts in turns, for there is \
             room for the connections of one at a time."
        ),
        columns: vec!["server", "probes", "late, median", "99 %", "longest", "core"],
        rows: rows.collect(),
    })
}

/// What one start brought.
#[derive(Clone)]
struct Sample {
    probes: usize,
    late: [Duration; 3],
    core: f64,
}

fn sample(bench: &Bench, contender: &Contender) -> anyhow::Result<Sample> {
    let server = contender.start(&bench.cores, INTERVAL)?;
    let mut peers = Peers::connect(server.address, CONNECTIONS)?;
    // Peers that connect one after the other stand in memory in the order in which they are probed, where all are probed on time.
    peers.speak_in_no_order(INTERVAL)?;
    peers.answer_probes(INTERVAL * 2, INTERVAL)?;
    let (before, began_at) = (cpu_time(server.process())?, now());
    let duration = Duration::from_secs(bench.quick_or(3, 4));
    let mut lateness = peers.answer_probes(duration, INTERVAL)?;
    let used = cpu_time(server.process())? - before;
    ensure!(peers.lost == 0, "{}: {} connections lost", contender.name, peers.lost);
    Ok(Sample {
        probes: lateness.count(),
        late: [0.5, 0.99, 1.0].map(|share| lateness.percentile(share)),
        core: used.as_secs_f64() / (now() - began_at).as_secs_f64(),
    })
}

fn row(contender: &Contender, samples: &[Sample]) -> Vec<String> {
    let probes: usize = samples.iter().map(|sample| sample.probes).sum();
    let late = |column: usize| {
        let seconds = samples.iter().map(|sample| sample.late[column].as_secs_f64());
        format!("{:.1} ms", median(seconds.collect()) * 1e3)
    };
    let core = median(samples.iter().map(|sample| sample.core).collect());
    vec![
        contender.name.clone(),
        probes.to_string(),
        late(0),
        late(1),
        late(2),
        format!("{:.1} %", core * 100.0),
    ]
}
