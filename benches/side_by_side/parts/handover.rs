//! What clients notice of an upgrade: in place, and by the service manager's way.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::ensure;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Bench;
use crate::fd_store::FdStore;
use crate::load::Peers;
use crate::measure::{Durations, memory_in_use, now};
use crate::report::Table;
use crate::servers::{Contender, Server};

const CONNECTIONS: usize = 10_000;
const BUSY: usize = 100;
const INTERVAL: Duration = Duration::from_secs(40);

/// More than is needed.
const ROOM: usize = 8;

/// How long the connections may take to be with the next program.
const PATIENCE: Duration = Duration::from_secs(20);

/// How they come to it.
#[derive(Debug, Clone, Copy)]
enum Way {
    InPlace,
    NextProcess,
}

/// Two rows per pulse-echo.
pub fn measure(bench: &Bench) -> anyhow::Result<Table> {
    let contenders = bench.contenders.iter().filter(|contender| contender.is_pulse_echo_line());
    let ways = |contender| [Way::InPlace, Way::NextProcess].map(|way| row(bench, contender, way));
    Ok(Table {
        title: "An upgrade",
        note: "10,000 connections, 100 of them in a conversation without pause, while SIGUSR2 lets another program take \
               over in the server's process, or while the program leaves them with the service manager (a stand-in that \
               starts the next one at once). The longest that each of the 100 waited for an echo; and in an upgrade of \
               its own, with nobody talking, what all programs of the server and files in memory together came to at \
               most, above what there was before, per connection."
            .to_owned(),
        columns: vec!["server", "way", "upgrades", "longest wait, median", "99 %", "longest", "memory"],
        rows: contenders.flat_map(ways).collect::<anyhow::Result<_>>()?,
    })
}

fn row(bench: &Bench, contender: &Contender, way: Way) -> anyhow::Result<Vec<String>> {
    let upgrades = bench.quick_or(3, 10);
    let mut service = Service::start(bench, contender)?;
    let mut peers = Peers::connect(service.server.address, CONNECTIONS)?;
    let mut waits = Durations::default();
    for _ in 0..upgrades {
        let upgraded = thread::scope(|scope| {
            let (service, mut upgrade) = (&mut service, None);
            let begin = || {
                upgrade = Some(scope.spawn(move || service.upgrade(way)));
                Ok(())
            };
            let longest = peers.longest_waits(BUSY, Duration::from_secs(2), begin)?;
            longest.into_iter().for_each(|wait| waits.note(wait));
            upgrade.map_or(Ok(()), |upgrade| upgrade.join().unwrap_or_else(|_| Ok(())))
        });
        upgraded?;
    }
    let memory = service.memory_of_upgrade(way)?;
    peers.longest_waits(BUSY, Duration::from_secs(1), || Ok(()))?;
    ensure!(peers.lost == 0, "{}: {} connections lost", contender.name, peers.lost);
    let mut milliseconds = |share| format!("{:.0} ms", waits.percentile(share).as_secs_f64() * 1e3);
    Ok(vec![
        contender.name.clone(),
        match way {
            Way::InPlace => "in place".to_owned(),
            Way::NextProcess => "service manager".to_owned(),
        },
        upgrades.to_string(),
        milliseconds(0.5),
        milliseconds(0.99),
        milliseconds(1.0),
        format!("{} bytes", memory / CONNECTIONS as u64),
    ])
}

/// A server with somebody who keeps its connections.
struct Service<'b> {
    bench: &'b Bench,
    contender: &'b Contender,
    store: FdStore,
    server: Server,
    /// How many programs took over.
    adopted: usize,
}

impl Service<'_> {
    fn start<'b>(bench: &'b Bench, contender: &'b Contender) -> anyhow::Result<Service<'b>> {
        let store = FdStore::new(ROOM);
        let served_by = |command: Command| store.pass_to(&command);
        let server = contender.start_as(&bench.cores, INTERVAL, served_by)?;
        Ok(Service { bench, contender, store, server, adopted: 0 })
    }

    fn upgrade(&mut self, way: Way) -> anyhow::Result<()> {
        self.adopted += 1;
        match way {
            Way::InPlace => kill(self.server.process(), Signal::SIGUSR2)?,
            Way::NextProcess => self.restart()?,
        }
        let (contender, adopted) = (self.contender, self.adopted);
        let patience_ends_at = now() + PATIENCE;
        let done =
            || contender.read_log().is_ok_and(|log| log.matches("\"event\":\"adopted\"").count() == adopted);
        self.store.serve_until(|| done() || now() > patience_ends_at);
        ensure!(done(), "{}: no program took over", contender.name);
        Ok(())
    }

    /// As `systemctl restart`.
    fn restart(&mut self) -> anyhow::Result<()> {
        leave(self.server.process());
        let server = &mut self.server;
        self.store.serve_until(|| server.has_ended());
        ensure!(self.store.len() > 0, "{}: it has left nothing", self.contender.name);
        let (store, bench) = (&self.store, self.bench);
        server.become_next(self.contender, &bench.cores, INTERVAL, |command| store.pass_to(&command))
    }

    fn memory_of_upgrade(&mut self, way: Way) -> anyhow::Result<u64> {
        let before = memory_in_use()?;
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let sampler = scope.spawn(|| {
                let mut most = 0;
                while !is_over.load(Ordering::Relaxed) {
                    most = memory_in_use().map_or(most, |memory| memory.max(most));
                }
                most
            });
            let upgraded = self.upgrade(way);
            is_over.store(true, Ordering::Relaxed);
            let most = sampler.join().unwrap_or_default();
            upgraded.map(|()| most.saturating_sub(before))
        })
    }
}

/// What the unit sends for a restart.
#[expect(unsafe_code, reason = "no safe crate has real-time signals")]
fn leave(process: Pid) {
    // SAFETY: this sends a signal to our child.
    unsafe { libc::kill(process.as_raw(), libc::SIGRTMIN() + 1) };
}
