//! Logs that cannot be written: healthy peers must not feel it, and the books must balance.

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::ensure;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::churn::Churn;
use crate::load::Peers;
use crate::machine::yield_to_others;
use crate::measure::{Durations, now};
use crate::records::Records;
use crate::report::Table;
use crate::servers::{Contender, Server};
use crate::{Bench, FOLDER};

const INTERVAL: Duration = Duration::from_secs(1);
const HEALTHY: usize = 100;
const PERIOD: Duration = Duration::from_millis(10);
/// Twice what fits into the queue and on its way out of it.
const VISITS: u64 = 150_000;
const PATIENCE: Duration = Duration::from_secs(60);
const PEERS_LOST_AT_ONCE: usize = 15_000;

/// One row per kind of log.
pub fn measure(bench: &Bench) -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    for contender in bench.contenders.iter().filter(|contender| contender.is_pulse_echo_line()) {
        let of = |row: anyhow::Result<Vec<String>>| {
            let mut row = row?;
            row.insert(1, contender.name.clone());
            anyhow::Ok(row)
        };
        rows.push(of(file(bench, contender))?);
        rows.push(of(unread_pipe(bench, contender))?);
        rows.push(of(broken_pipe(bench, contender))?);
        rows.push(of(full_disk(bench, contender))?);
        rows.push(of(mass_death(bench, contender))?);
    }
    Ok(Table {
        title: "Logs under pressure",
        note: "Visitors connect, are echoed and close without a pause, each with its record, while the log takes it, is \
               a pipe that nobody reads, a pipe without a reader, a full disk; and 15,000 peers vanish at once. How \
               long the echoes of 100 healthy peers take meanwhile. Closes must be records + lost."
            .to_owned(),
        columns: vec!["log", "of", "echo, median", "99 %", "closes", "records", "lost"],
        rows,
    })
}

fn file(bench: &Bench, contender: &Contender) -> anyhow::Result<Vec<String>> {
    let server = contender.start(&bench.cores, INTERVAL)?;
    let took = churn(&server)?;
    server.stop()?;
    row("a file", took, Some(Records::of(&contender.read_log()?)?))
}

fn full_disk(bench: &Bench, contender: &Contender) -> anyhow::Result<Vec<String>> {
    let full = OpenOptions::new().write(true).open("/dev/full")?;
    let server = contender.start_with_log(&bench.cores, INTERVAL, full)?;
    let took = churn(&server)?;
    server.stop()?;
    row("a full disk", took, None)
}

fn unread_pipe(bench: &Bench, contender: &Contender) -> anyhow::Result<Vec<String>> {
    let pipe = NamedPipe::new()?;
    let server = contender.start_with_log(&bench.cores, INTERVAL, pipe.writer()?)?;
    let took = churn(&server)?;
    let records = pipe.read_until_stopped(server)?;
    row("a pipe that nobody reads", took, Some(records))
}

fn broken_pipe(bench: &Bench, contender: &Contender) -> anyhow::Result<Vec<String>> {
    let mut pipe = NamedPipe::new()?;
    let server = contender.start_with_log(&bench.cores, INTERVAL, pipe.writer()?)?;
    let told_before = pipe.break_off()?;
    let took = churn(&server)?;
    let mut records = pipe.read_until_stopped(server)?;
    records.closes += told_before.closes;
    row("a pipe without a reader", took, Some(records))
}

/// Healthy peers speak while visitors come and go; returns how long their echoes took.
fn churn(server: &Server) -> anyhow::Result<Durations> {
    let mut healthy = Peers::connect(server.address, HEALTHY)?;
    let took = thread::scope(|scope| {
        let visitors = scope.spawn(|| {
            yield_to_others();
            Churn::begin(server.address, b"")?.run(PATIENCE, VISITS)
        });
        let took = healthy.speak_calmly(PERIOD, || !visitors.is_finished())?;
        visitors.join().map_err(|_| anyhow::anyhow!("a load panicked"))??;
        anyhow::Ok(took)
    })?;
    ensure!(healthy.lost == 0, "{} healthy peers lost", healthy.lost);
    Ok(took)
}

fn mass_death(bench: &Bench, contender: &Contender) -> anyhow::Result<Vec<String>> {
    let server = contender.start(&bench.cores, INTERVAL)?;
    let peers = Peers::connect(server.address, PEERS_LOST_AT_ONCE)?;
    let mut healthy = Peers::connect(server.address, HEALTHY)?;
    let began_at = now();
    let (took, vanished_within) = thread::scope(|scope| {
        let end = scope.spawn(|| peers.abort().map(|()| now() - began_at));
        let took = healthy.speak_calmly(PERIOD, || now() < began_at + Duration::from_secs(2))?;
        let vanished_within = end.join().map_err(|_| anyhow::anyhow!("a load panicked"))??;
        anyhow::Ok((took, vanished_within))
    })?;
    ensure!(vanished_within < Duration::from_secs(1), "vanishing took {vanished_within:?}");
    server.stop()?;
    row("a file, 15,000 vanish", took, Some(Records::of(&contender.read_log()?)?))
}

fn row(name: &str, mut took: Durations, records: Option<Records>) -> anyhow::Result<Vec<String>> {
    let mut row = vec![name.to_owned()];
    for share in [0.5, 0.99] {
        row.push(format!("{:.0} µs", took.percentile(share).as_secs_f64() * 1e6));
    }
    match records {
        Some(records) => {
            ensure!(records.agree(), "{name}: {records:?}");
            row.extend([records.closed, records.closes, records.lost].map(|count| count.to_string()));
        }
        None => row.extend(["", "", "all"].map(str::to_owned)),
    }
    Ok(row)
}

/// A pipe with a name, so that its reader can go and come back.
struct NamedPipe {
    path: PathBuf,
    reader: Option<File>,
}

impl NamedPipe {
    fn new() -> anyhow::Result<NamedPipe> {
        let path = Path::new(FOLDER).join("log.pipe");
        let _ = fs::remove_file(&path); // of an earlier run
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR)?;
        let reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path)?;
        Ok(NamedPipe { path, reader: Some(reader) })
    }

    fn writer(&self) -> anyhow::Result<File> {
        Ok(OpenOptions::new().write(true).open(&self.path)?)
    }

    /// The reader goes, with what the server said at its start.
    fn break_off(&mut self) -> anyhow::Result<Records> {
        let mut text = Vec::new();
        if let Some(mut reader) = self.reader.take() {
            while !String::from_utf8_lossy(&text).contains("listening on") {
                let _ = reader.read_to_end(&mut text); // it fails where the pipe would block
            }
        }
        Records::of(&String::from_utf8(text)?)
    }

    /// The reader is there again, reads all, and meanwhile the server is stopped.
    fn read_until_stopped(&self, server: Server) -> anyhow::Result<Records> {
        let mut reader = File::open(&self.path)?;
        let reading = thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        thread::sleep(Duration::from_secs(1)); // what waited is read by then, so that the last summary finds room
        server.stop()?;
        let text = reading.join().map_err(|_| anyhow::anyhow!("the reader panicked"))??;
        Records::of(&text)
    }
}
