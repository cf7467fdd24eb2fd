//! Cost of a whole connection: connect, echo, close, and with pulse-echo the record of the close.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::ensure;

use crate::Bench;
use crate::churn::Churn;
use crate::measure::cpu_time;
use crate::records::Records;
use crate::report::Table;
use crate::rounds::Rounds;
use crate::servers::{Contender, Server};

const INTERVAL: Duration = Duration::from_secs(15);
const SAMPLE: Duration = Duration::from_millis(200);

/// One row per contender.
pub fn measure(bench: &Bench) -> anyhow::Result<Table> {
    let rounds = bench.rounds(Rounds { starts: 1, rounds: 5 }, Rounds { starts: 5, rounds: 9 });
    let mut records = BTreeMap::new();
    let start = |contender: &Contender| {
        let server = contender.start(&bench.cores, INTERVAL)?;
        Ok((Churn::begin(server.address, contender.header())?, server))
    };
    let end = |contender: &Contender, (visitors, server)| {
        drop::<Churn>(visitors);
        Server::stop(server)?;
        let counted = Records::of(&contender.read_log()?)?;
        ensure!(counted.agree(), "{}: {counted:?}", contender.name);
        *records.entry(contender.name.clone()).or_insert(0) += counted.closes;
        Ok(())
    };
    let contenders: Vec<_> = bench.contenders.iter().chain(&bench.behind_proxy).collect();
    let figures = rounds.run(&contenders, start, sample, end)?;
    let rows = figures.iter().map(|figures| {
        let mut row = vec![figures.name.clone(), format!("{:.1} µs", figures.median * 1e6)];
        row.extend(figures.comparison());
        row.push(match records.get(&figures.name) {
            Some(0) | None => "none written".to_owned(),
            Some(records) => format!("{records}, none lost"),
        });
        row
    });
    Ok(Table {
        title: "A whole connection",
        note: format!(
            "Processor time of the server per connection: connect, one 64-byte echo, close; 64 at a time. pulse-echo \
             writes a JSON record of each close to a file, the others write nothing; PROXY: with a header of version 2 \
             before the message. Medians of {rounds}; the ratio is \
             to the bare loop in the same round, with its middle half."
        ),
        columns: vec!["server", "connection", "× bare", "half", "records"],
        rows: rows.collect(),
    })
}

/// Seconds of processor time per connection.
fn sample((visitors, server): &mut (Churn, Server)) -> anyhow::Result<f64> {
    visitors.run(SAMPLE / 10, u64::MAX)?;
    let before = cpu_time(server.process())?;
    let visits = visitors.run(SAMPLE, u64::MAX)?;
    let used = cpu_time(server.process())? - before;
    Ok(used.as_secs_f64() / visits as f64)
}
