//! Beyond the limits: how do healthy peers fare while others misbehave, and does the memory stay bounded?

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::ensure;

use crate::Bench;
use crate::load::Peers;
use crate::machine::yield_to_others;
use crate::measure::{Durations, now, peak_resident_bytes};
use crate::misuse::{self, Misuse};
use crate::report::Table;
use crate::servers::Contender;

const INTERVAL: Duration = Duration::from_secs(15);
const HEALTHY: usize = 100;
/// A healthy peer says something so often.
const PERIOD: Duration = Duration::from_millis(10);

struct Case {
    name: &'static str,
    misuse: Misuse,
    threads: usize,
    unit: &'static str,
}

const CASES: [Case; 4] = [
    Case {
        name: "two clients connect and reset",
        misuse: misuse::flood_of_connections,
        threads: 2,
        unit: "connections",
    },
    Case {
        name: "1,000 peers send and read nothing",
        misuse: misuse::peers_that_read_nothing,
        threads: 1,
        unit: "bytes",
    },
    Case {
        name: "1,000 peers send a byte a second",
        misuse: misuse::peers_that_trickle,
        threads: 1,
        unit: "bytes",
    },
    Case { name: "a firehose", misuse: misuse::firehose, threads: 1, unit: "bytes" },
];

/// One row per case.
pub fn measure(bench: &Bench) -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    for case in &CASES {
        for contender in bench.contenders.iter().filter(|contender| contender.probes()) {
            rows.push(row(bench, contender, case)?);
        }
    }
    Ok(Table {
        title: "Overload",
        note: "100 healthy peers each send 64 bytes every 10 ms; how long their echoes take, calm and while others \
               misbehave from the same core (which yields to the healthy ones); the most memory the server ever held."
            .to_owned(),
        columns: vec!["misuse", "of", "calm 99 %", "median", "99 %", "× calm", "longest", "memory", "how much"],
        rows,
    })
}

fn row(bench: &Bench, contender: &Contender, case: &Case) -> anyhow::Result<Vec<String>> {
    let server = contender.start(&bench.cores, INTERVAL)?;
    let mut healthy = Peers::connect(server.address, HEALTHY)?;
    let duration = Duration::from_secs(bench.quick_or(1, 5));
    let mut speak = || {
        let end = now() + duration;
        healthy.speak_calmly(PERIOD, || now() < end)
    };
    let mut calm = speak()?;
    let over = AtomicBool::new(false);
    let (mut loaded, amount) = thread::scope(|scope| {
        let misuse = || {
            yield_to_others();
            (case.misuse)(server.address, &over)
        };
        let threads: Vec<_> = (0..case.threads).map(|_| scope.spawn(misuse)).collect();
        let loaded = speak();
        over.store(true, Ordering::Relaxed);
        let mut amount = 0;
        for thread in threads {
            amount += thread.join().map_err(|_| anyhow::anyhow!("a load panicked"))??;
        }
        anyhow::Ok((loaded?, amount))
    })?;
    ensure!(healthy.lost == 0, "{}: {} healthy peers lost", case.name, healthy.lost);
    let ratio = loaded.percentile(0.99).as_secs_f64() / calm.percentile(0.99).as_secs_f64();
    let microseconds = |durations: &mut Durations, share| {
        format!("{:.0} µs", durations.percentile(share).as_secs_f64() * 1e6)
    };
    Ok(vec![
        case.name.to_owned(),
        contender.name.clone(),
        microseconds(&mut calm, 0.99),
        microseconds(&mut loaded, 0.5),
        microseconds(&mut loaded, 0.99),
        format!("{ratio:.1}"),
        microseconds(&mut loaded, 1.0),
        format!("{:.1} MiB", peak_resident_bytes(server.process())? as f64 / f64::from(1 << 20)),
        format!("{amount} {}", case.unit),
    ])
}
