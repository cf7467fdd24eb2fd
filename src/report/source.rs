//! Where logs come from: files, standard input, journalctl; compressed ones are told by their first bytes.

use std::fs::File;
use std::io::{self, Cursor, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use anyhow::{Context as _, bail};
use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use super::filters::Filters;
use super::lines::Lines;
use super::options::Options;
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

/// RFC 1952, section 2.3.1, and RFC 8878, section 3.1.1.
fn unpacked(mut input: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    let mut magic = Vec::with_capacity(4);
    input.by_ref().take(4).read_to_end(&mut magic)?;
    let is_gzip = magic.starts_with(&[0x1f, 0x8b]);
    let is_zstd = magic == [0x28, 0xb5, 0x2f, 0xfd];
    let whole = Cursor::new(magic).chain(input);
    Ok(if is_gzip {
        Box::new(MultiGzDecoder::new(whole))
    } else if is_zstd {
        Box::new(Frames { input: Some(Box::new(whole)), frame: None })
    } else {
        Box::new(whole)
    })
}

/// The frames of a zstd file, one after the other.
struct Frames {
    /// `None` while a frame has it.
    input: Option<Box<dyn Read>>,
    frame: Option<StreamingDecoder<Box<dyn Read>, ruzstd::decoding::FrameDecoder>>,
}

impl Read for Frames {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let read = frame.read(space)?;
                if read > 0 || space.is_empty() {
                    return Ok(read);
                }
                self.input = self.frame.take().map(StreamingDecoder::into_inner);
            }
            let Some(mut input) = self.input.take() else {
                return Ok(0);
            };
            let mut first = [0; 1];
            if input.read(&mut first)? == 0 {
                return Ok(0);
            }
            let whole: Box<dyn Read> = Box::new(Cursor::new(first).chain(input));
            self.frame = Some(StreamingDecoder::new(whole).map_err(io::Error::other)?);
        }
    }
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
        self.output.read(space)
    }
}

impl<R> Drop for Journal<R> {
    fn drop(&mut self) {
        // It may have ended before; then there is nothing to end, and only its status to collect.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
