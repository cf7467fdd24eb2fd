//! Cost per echo: 64-byte ping-pong, one message outstanding per connection.

use std::time::Duration;

use crate::Bench;
use crate::load::Peers;
use crate::measure::cpu_time;
use crate::report::Table;
use crate::rounds::{Figures, Rounds};
use crate::servers::{Contender, Server};

const INTERVAL: Duration = Duration::from_secs(15);
const CONNECTIONS: [usize; 3] = [100, 1000, 5000];
const SAMPLE: Duration = Duration::from_millis(200);

/// So many connections of ours at a time: all that are compared stay open, and a process has few descriptors by default.
const CONNECTIONS_AT_A_TIME: usize = 15_000;

/// One row per contender.
pub fn measure(bench: &Bench) -> anyhow::Result<Table> {
    let rounds = bench.rounds(Rounds { starts: 1, rounds: 5 }, Rounds { starts: 5, rounds: 9 });
    let names = bench.contenders.iter().map(|contender| vec![contender.name.clone()]);
    let mut rows: Vec<Vec<String>> = names.collect();
    for connections in CONNECTIONS {
        for group in groups(bench, connections) {
            let start = |contender: &Contender| start(bench, contender, connections);
            let figures = rounds.run(&group, start, sample, |_, _| Ok(()))?;
            add(&mut rows, figures);
        }
    }
    Ok(Table {
        title: "An echo",
        note: format!(
            "Processor time of the server per 64-byte echo, at 100, 1,000 and 5,000 connections, each with one message \
             on its way. Medians of {rounds}; the ratio is to the bare loop in the same round, with its middle half."
        ),
        columns: vec![
            "server", "100", "× bare", "half", "1,000", "× bare", "half", "5,000", "× bare", "half",
        ],
        rows,
    })
}

/// Who are measured in turns: the floor and as many as there are connections for.
fn groups(bench: &Bench, connections: usize) -> Vec<Vec<&Contender>> {
    let (floor, others): (Vec<_>, Vec<_>) =
        bench.contenders.iter().partition(|contender| contender.is_floor());
    if others.is_empty() {
        return vec![floor];
    }
    let beside_floor = (CONNECTIONS_AT_A_TIME / connections).saturating_sub(1).max(1);
    others.chunks(beside_floor).map(|group| [&floor, group].concat()).collect()
}

/// The floor is in every group, and is told of once.
fn add(rows: &mut [Vec<String>], figures: Vec<Figures>) {
    let shortest = rows.iter().map(Vec::len).min();
    for figures in figures {
        let row = rows.iter_mut().find(|row| row[0] == figures.name && Some(row.len()) == shortest);
        row.into_iter().for_each(|row| {
            row.push(format!("{:.2} µs", figures.median * 1e6));
            row.extend(figures.comparison());
        });
    }
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
