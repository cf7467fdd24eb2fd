//! Cost per echo: 64-byte ping-pong, one message outstanding per connection.

use std::time::Duration;

use crate::Bench;
use crate::load::Peers;
use crate::measure::cpu_time;
use crate::report::Table;
use crate::rounds::Rounds;
use crate::servers::{Contender, Server};

const INTERVAL: Duration = Duration::from_secs(15);
const CONNECTIONS: [usize; 2] = [100, 1000];
const SAMPLE: Duration = Duration::from_millis(200);

/// One row per contender.
pub fn measure(bench: &Bench) -> anyhow::Result<Table> {
    let rounds = bench.rounds(Rounds { starts: 1, rounds: 5 }, Rounds { starts: 5, rounds: 9 });
    let names = bench.contenders.iter().map(|contender| vec![contender.name.clone()]);
    let mut rows: Vec<Vec<String>> = names.collect();
    for connections in CONNECTIONS {
        let start = |contender: &Contender| start(bench, contender, connections);
        let figures = rounds.run(bench, start, sample, |_, _| Ok(()))?;
        for (row, figures) in rows.iter_mut().zip(figures) {
            row.push(format!("{:.2} µs", figures.median * 1e6));
            row.extend(figures.comparison());
        }
    }
    Ok(Table {
        title: "An echo",
        note: format!(
            "Processor time of the server per 64-byte echo, at 100 and at 1,000 connections, each with one message on \
             its way. Medians of {rounds}; the ratio is to the bare loop in the same round, with its middle half."
        ),
        columns: vec!["server", "100", "× bare", "half", "1,000", "× bare", "half"],
        rows,
    })
}

fn start(bench: &Bench, contender: &Contender, connections: usize) -> anyhow::Result<(Server, Peers)> {
    let server = contender.start(&bench.cores, INTERVAL)?;
    let mut peers = Peers::connect(server.address, connections)?;
    peers.begin()?;
    Ok((server, peers))
}

/// Seconds of processor time per echo.
fn sample((server, peers): &mut (Server, Peers)) -> anyhow::Result<f64> {
    peers.ping_pong(SAMPLE / 10)?;
    let before = cpu_time(server.process())?;
    let echoes = peers.ping_pong(SAMPLE)?;
    let used = cpu_time(server.process())? - before;
    Ok(used.as_secs_f64() / echoes as f64)
}
