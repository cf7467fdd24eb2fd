//! `pulse-echo report`: reads this daemon's logs back and says on one page what ended, why, when and what came together.
//!
//! `source` finds the input, `lines` splits it within bounds, `formats` understands a line, `tally` counts, and
//! `page`, `json` and `svg` tell. Memory is bounded by constants, whatever the log holds. docs/report.md has the rules.

mod daemons;
mod filters;
mod findings;
mod formats;
mod idle_clusters;
mod json;
mod kinds;
mod lines;
mod losses;
mod mass;
mod options;
mod packed;
mod page;
mod progress;
mod reader;
mod record;
mod runs;
mod scan;
mod source;
mod svg;
mod tally;
mod timeline;
mod times;
mod top;
mod usual;

use std::fmt::{self, Display};
use std::fs;
use std::io;

use anyhow::Context as _;

pub use options::{By, Format, Options};

use filters::Filters;
use page::Layout;
use tally::Tally;

/// No line of the whole input was a record of this daemon.
#[derive(Debug)]
pub struct NothingUnderstood {
    lines: u64,
    /// Inputs that broke off.
    broken: Vec<String>,
    is_of_journal: bool,
}

impl Display for NothingUnderstood {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "no record was understood in {} lines", self.lines)?;
        self.broken.iter().try_for_each(|broken| writeln!(formatter, "broke off: {broken}"))?;
        formatter.write_str(if self.is_of_journal && self.lines == 0 {
            "journalctl showed nothing of the unit: is that its name, was it up in that time, and may you read the journal \
             (as root, or as a member of the group systemd-journal)?"
        } else {
            "looked for: pulse-echo's JSON log (flat objects with \"timestamp\" and \"event\"), its text log (lines with event=...), \
             and journalctl -o json of its unit; each plain, gzip or zstd"
        })
    }
}

impl std::error::Error for NothingUnderstood {}

/// Reads the logs and returns the page. The picture is written to its file.
///
/// # Errors
/// An input cannot be read, a time is no time, or [`NothingUnderstood`].
pub fn run(options: &Options) -> anyhow::Result<String> {
    let zone = jiff::tz::TimeZone::system();
    let filters = Filters::of(options, &jiff::Timestamp::now().to_zoned_datetime(zone.clone()))?;
    let sources = source::open(options, &filters)?;
    let mut tally = Tally::default();
    reader::read(sources, &filters, &mut tally)?;
    if tally.understood == 0 {
        let losses = tally.losses;
        let is_of_journal = options.files.is_empty();
        return Err(
            NothingUnderstood { lines: losses.lines, broken: losses.broken_inputs, is_of_journal }.into()
        );
    }
    let findings = tally.finish(&zone, options.top);
    if let Some(file) = &options.svg {
        fs::write(file, svg::picture(&findings))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    let layout = Layout::of(&io::stdout());
    Ok(match (options.format, options.by) {
        (Format::Json, _) => json::document(&findings),
        (Format::Text, _) if findings.is_outside() => page::outside(&findings),
        (Format::Text, Some(by)) => page::table(&findings, by, &layout),
        (Format::Text, None) => page::page(&findings, &filters, &layout),
    })
}
