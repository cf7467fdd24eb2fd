//! `pulse-echo report`: reads this daemon's logs back and says on one page what ended, why, when and what came together.
//!
//! `source` finds the input, `lines` splits it within bounds, `formats` understands a line, `tally` counts, and
//! `page`, `json` and `svg` tell. Memory is bounded by constants, whatever the log holds. docs/report.md has the rules.

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
}

impl Display for NothingUnderstood {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "no record was understood in {} lines\n\
             looked for: pulse-echo's JSON log (flat objects with \"timestamp\" and \"event\"), its text log (lines with event=...), \
             and journalctl -o json of its unit; each plain, gzip or zstd",
            self.lines
        )
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
        return Err(NothingUnderstood { lines: tally.losses.lines }.into());
    }
    let findings = tally.finish(&zone, options.top);
    if let Some(file) = &options.svg {
        fs::write(file, svg::picture(&findings))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    let layout = Layout::of(&io::stdout());
    Ok(match (options.format, options.by) {
        (Format::Json, _) => json::document(&findings),
        (Format::Text, Some(by)) => page::table(&findings, by, &layout),
        (Format::Text, None) => page::page(&findings, &filters, &layout),
    })
}
