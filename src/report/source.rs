//! Where logs come from: files, standard input, journalctl.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use anyhow::{Context as _, bail};

use super::filters::Filters;
use super::lines::Lines;
use super::options::Options;
use super::packed::unpacked;
use super::progress::{Progress, Watched};

/// The unit that is asked where nothing is given.
const UNIT: &str = "pulse-echo";

/// The message by which journald tells what its rate limit dropped, see `systemd.catalog`.
const SUPPRESSED: &str = "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e";

/// All input.
pub struct Sources {
    pub list: Vec<Source>,
    pub progress: Rc<Progress>,
}

/// One log.
pub struct Source {
    pub name: String,
    pub lines: Lines<Box<dyn Read>>,
}

/// Opens what is asked for.
///
/// # Errors
/// There is no such file, or no journalctl.
pub fn open(options: &Options, filters: &Filters) -> anyhow::Result<Sources> {
    let progress = Progress::new();
    let mut list = Vec::new();
    for file in &options.files {
        list.push(of_file(file, &progress).with_context(|| format!("cannot read {}", file.display()))?);
    }
    if let Some(unit) = &options.unit {
        list.push(of_journal(unit, filters)?);
    }
    if list.is_empty() {
        // Standard error may be closed; there is nobody else to tell.
        let _ = writeln!(io::stderr(), "no FILE given: reading the journal of {UNIT}.service (journalctl)");
        list.push(of_journal(UNIT, filters)?);
    }
    Ok(Sources { list, progress })
}

fn of_file(path: &Path, progress: &Rc<Progress>) -> anyhow::Result<Source> {
    let progress = Rc::clone(progress);
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(Watched { input: io::stdin(), progress })
    } else {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            bail!("it is a directory");
        }
        progress.expect(metadata.len());
        Box::new(Watched { input: file, progress })
    };
    Ok(Source { name: path.display().to_string(), lines: Lines::new(unpacked(input)?) })
}

fn of_journal(unit: &str, filters: &Filters) -> anyhow::Result<Source> {
    let service = if unit.contains('.') { unit.to_owned() } else { format!("{unit}.service") };
    let mut command = Command::new("journalctl");
    command.args(["--quiet", "--no-pager", "--output=json"]);
    let (since, until) = filters.seconds();
    command.args(since.map(|since| format!("--since=@{since}")));
    command.args(until.map(|until| format!("--until=@{until}")));
    command.arg(format!("_SYSTEMD_UNIT={service}")).arg("+").arg(SUPPRESSED);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot run journalctl; name a FILE, or - for standard input")?;
    let output = child.stdout.take().context("journalctl has no output")?;
    let input: Box<dyn Read> = Box::new(Journal { child, output });
    Ok(Source { name: format!("journal of {service}"), lines: Lines::new(input) })
}

/// journalctl, which is waited for in the end.
struct Journal<R> {
    child: Child,
    output: R,
}

impl<R: Read> Read for Journal<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let length = self.output.read(space)?;
        if length == 0 && !space.is_empty() {
            let status = self.child.wait()?;
            if !status.success() {
                return Err(io::Error::other(format!("journalctl failed: {status}")));
            }
        }
        Ok(length)
    }
}

impl<R> Drop for Journal<R> {
    fn drop(&mut self) {
        // It may have ended before; then there is nothing to end, and only its status to collect.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
