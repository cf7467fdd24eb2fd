//! Side by side: pulse-echo, a bare epoll loop, a plain tokio server and a Go program, measured in one run.
//!
//! ```sh
//! cargo bench                             # all of it, about twelve minutes
//! cargo bench -- echo churn --quick       # a first look
//! cargo bench -- --write                  # and into docs/performance.md
//! cargo bench -- --beside target/other    # another build of pulse-echo as well
//! ```

mod churn;
#[path = "../../tests/support/fd_store.rs"]
mod fd_store;
mod floor;
mod load;
mod machine;
mod measure;
mod misuse;
mod parts;
mod plain_tokio;
mod records;
mod report;
mod rounds;
mod servers;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use pulse_echo::limits;

use crate::machine::Cores;
use crate::report::Table;
use crate::rounds::Rounds;
use crate::servers::Contender;

/// What a run leaves behind.
const FOLDER: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/side_by_side");

#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure; everything without
    parts: Vec<Part>,
    /// Fewer and shorter rounds: a first look
    #[arg(long)]
    quick: bool,
    /// Write the tables into docs/performance.md
    #[arg(long)]
    write: bool,
    /// Another build of pulse-echo, measured as well
    #[arg(long, value_name = "FILE")]
    beside: Vec<PathBuf>,
    /// Measure only those beside the bare loop whose names contain one of these
    #[arg(long, value_name = "WORD")]
    only: Vec<String>,
    /// How often all are started anew, where they are compared in rounds
    #[arg(long)]
    starts: Option<usize>,
    /// cargo says so
    #[arg(long, hide = true)]
    bench: bool,
    /// Be one of the servers that are measured
    #[arg(long, hide = true, requires = "address")]
    serve: Option<OwnServer>,
    #[arg(long, hide = true)]
    address: Option<SocketAddr>,
    #[arg(long, hide = true, value_parser = milliseconds)]
    interval: Option<Duration>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Part {
    /// Processor time per echo
    Echo,
    /// Memory per idle connection
    Idle,
    /// Processor time per connect, echo, close
    Churn,
    /// Punctuality and cost of 19,000 heartbeats a second
    Heartbeats,
    /// Echo times of healthy peers while others misbehave
    Overload,
    /// What a log that cannot be written costs
    Logs,
    /// What clients notice of an upgrade
    Handover,
    /// How fast logs are read back
    Report,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OwnServer {
    Floor,
    PlainTokio,
}

/// What every part needs.
struct Bench {
    contenders: Vec<Contender>,
    /// Where what a header costs is to be seen.
    behind_proxy: Option<Contender>,
    cores: Cores,
    quick: bool,
    starts: Option<usize>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    limits::raise_descriptor_limit()?;
    if let (Some(server), Some(address)) = (arguments.serve, arguments.address) {
        let interval = arguments.interval.unwrap_or_default();
        match server {
            OwnServer::Floor => match floor::serve(address)? {},
            OwnServer::PlainTokio => match plain_tokio::serve(address, interval)? {},
        }
    }
    fs::create_dir_all(FOLDER)?;
    let mut contenders = Contender::all(&arguments.beside)?;
    contenders.retain(|contender| contender.is_wanted(&arguments.only));
    let Arguments { quick, starts, .. } = arguments;
    let behind_proxy = Some(Contender::behind_proxy()).filter(|it| it.is_wanted(&arguments.only));
    let bench = Bench { contenders, behind_proxy, cores: Cores::take()?, quick, starts };
    let parts = if arguments.parts.is_empty() { Part::value_variants() } else { &arguments.parts };
    let heading = heading(&bench, parts);
    println!("{heading}");
    let mut tables = Vec::new();
    for part in parts {
        let table = part.measure(&bench)?;
        println!("{table}");
        tables.push(table);
    }
    match (arguments.write, parts.len() == Part::value_variants().len()) {
        (false, _) => Ok(()),
        (true, true) => report::write(&heading, &tables),
        (true, false) => report::write_some(&heading, &tables),
    }
}

fn milliseconds(text: &str) -> anyhow::Result<Duration> {
    Ok(Duration::from_millis(text.trim_end_matches("ms").parse()?))
}

fn heading(bench: &Bench, parts: &[Part]) -> String {
    let is_all = parts.len() == Part::value_variants().len();
    let some = parts.iter().filter_map(Part::to_possible_value).map(|part| part.get_name().to_owned());
    let words = some.filter(|_| !is_all).chain(bench.quick.then(|| "--quick".to_owned()));
    let how = ["cargo bench --".to_owned()].into_iter().chain(words).chain(["--write".to_owned()]);
    format!(
        "Measured on {} by `{}`: {}.\n",
        jiff::Timestamp::now().strftime("%Y-%m-%d"),
        how.collect::<Vec<_>>().join(" "),
        machine::description()
    )
}

impl Part {
    fn measure(self, bench: &Bench) -> anyhow::Result<Table> {
        match self {
            Part::Echo => parts::echo::measure(bench),
            Part::Idle => parts::idle::measure(bench),
            Part::Churn => parts::churn::measure(bench),
            Part::Heartbeats => parts::heartbeats::measure(bench),
            Part::Overload => parts::overload::measure(bench),
            Part::Logs => parts::logs::measure(bench),
            Part::Handover => parts::handover::measure(bench),
            Part::Report => parts::report::measure(bench),
        }
    }
}

impl Bench {
    fn quick_or<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }

    fn rounds(&self, quick: Rounds, full: Rounds) -> Rounds {
        let rounds = self.quick_or(quick, full);
        Rounds { starts: self.starts.unwrap_or(rounds.starts), ..rounds }
    }
}
