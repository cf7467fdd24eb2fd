//! Log formats, and where the records go: to standard error, or to systemd's journal.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::set_global_default;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::{Layer, Registry};

use super::journal::{self, JournalSink};
use super::log_queue::LogQueue;
use super::log_stream::StreamSink;
use super::{events, json};

/// How records are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `journald` under systemd, else `text`.
    #[default]
    Auto,
    /// One line per record, `key=value`.
    Text,
    /// One flat JSON object per line.
    Json,
    /// For systemd's journal.
    Journald,
}

/// The least important records that are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Bugs, and what ends the daemon.
    Error,
    /// Connections lost, and what the operator should look at.
    Warn,
    /// Orderly ends, and what the daemon itself does.
    #[default]
    Info,
    /// New connections.
    Debug,
    /// The most there is.
    Trace,
}

impl LogFormat {
    fn decided(self) -> LogFormat {
        match self {
            LogFormat::Auto if stderr_is_the_journal() => LogFormat::Journald,
            LogFormat::Auto => LogFormat::Text,
            decided => decided,
        }
    }
}

impl LogLevel {
    fn filter(self) -> LevelFilter {
        match self {
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Trace => LevelFilter::TRACE,
        }
    }
}

/// How long the end of the process waits for the last records to be written.
const LAST_RECORDS_PATIENCE: Duration = Duration::from_secs(2);

/// The running log.
#[derive(Debug)]
pub struct Logging {
    queue: LogQueue,
    filter: Handle<LevelFilter, Registry>,
}

impl Logging {
    /// Starts logging, for the whole process; panics become records too.
    ///
    /// # Errors
    /// No thread could be started, or the process logs already.
    pub fn start(format: LogFormat, level: LogLevel) -> anyhow::Result<Logging> {
        let format = format.decided();
        let queue = match format {
            LogFormat::Journald => LogQueue::start(JournalSink::new()?)?,
            _ => LogQueue::start(StreamSink::new(io::stderr()))?,
        };
        let (filter, handle) = reload::Layer::new(level.filter());
        install(format, filter, queue.clone())?;
        std::panic::set_hook(Box::new(events::panicked));
        Ok(Logging { queue, filter: handle })
    }

    /// From now on writes records of this level and above.
    pub fn set_level(&self, level: LogLevel) {
        // It fails only where there is no log any more.
        let _ = self.filter.reload(level.filter());
    }

    /// Writes what waits to be written.
    pub fn finish(&self) {
        self.queue.finish(LAST_RECORDS_PATIENCE);
    }
}

type Filter = reload::Layer<LevelFilter, Registry>;

fn install(format: LogFormat, filter: Filter, queue: LogQueue) -> anyhow::Result<()> {
    let registry = tracing_subscriber::registry().with(filter);
    if format == LogFormat::Journald {
        return Ok(set_global_default(registry.with(RecordLayer { queue, write: journal::entry }))?);
    }
    if format == LogFormat::Json {
        return Ok(set_global_default(registry.with(RecordLayer { queue, write: json::line }))?);
    }
    let lines = fmt::layer().with_target(false).log_internal_errors(false).with_writer(queue);
    let text = lines.with_ansi(colour_wanted());
    if stderr_is_the_journal() {
        return Ok(set_global_default(registry.with(text.without_time()))?); // the journal has its own
    }
    Ok(set_global_default(registry.with(text))?)
}

/// Queues each record as `write` puts it.
struct RecordLayer {
    queue: LogQueue,
    write: fn(&Event<'_>) -> Vec<u8>,
}

impl<S: Subscriber> Layer<S> for RecordLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.queue.push(&(self.write)(event));
    }
}

/// Colour is for people: only on a terminal, and not where <https://no-color.org> asks for none.
fn colour_wanted() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !refused
}

/// Whether what is written to standard error goes to systemd's journal.
///
/// `JOURNAL_STREAM` names the device and inode of the journal's stream, see systemd.exec(5). The variable alone
/// proves nothing: a shell inside a service hands it on to children whose output goes elsewhere.
pub fn stderr_is_the_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    std::fs::metadata("/proc/self/fd/2")
        .is_ok_and(|stderr| stream == format!("{}:{}", stderr.dev(), stderr.ino()))
}

impl<'a> MakeWriter<'a> for LogQueue {
    type Writer = RecordWriter<'a>;

    fn make_writer(&'a self) -> RecordWriter<'a> {
        RecordWriter(self)
    }
}

/// tracing-subscriber writes each record in one call.
#[derive(Debug)]
pub struct RecordWriter<'a>(&'a LogQueue);

impl Write for RecordWriter<'_> {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        self.0.push(&one_line(record));
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The record with the line feeds inside it, which only free text can have, written as `\n`.
fn one_line(record: &[u8]) -> Cow<'_, [u8]> {
    let body = record.strip_suffix(b"\n").unwrap_or(record);
    if !body.contains(&b'\n') {
        return record.into();
    }
    let mut line = body.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(&br"\n"[..]);
    line.push(b'\n');
    line.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_whatever_it_says() {
        assert_eq!(*one_line(b"plain\n"), *b"plain\n");
        assert_eq!(*one_line(b"two\nlines\n"), *b"two\\nlines\n");
    }
}
