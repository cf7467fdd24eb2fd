//! Log formats, and where the records go: to standard error, or to systemd's journal.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::set_global_default;
use tracing::{Event, Metadata, Subscriber};
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
    fn wants_the_journal(self) -> bool {
        match self {
            LogFormat::Auto => stderr_is_the_journal(),
            LogFormat::Journald => true,
            LogFormat::Text | LogFormat::Json => false,
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

static RUNNING: OnceLock<LogQueue> = OnceLock::new();

/// Waits a moment for what was logged to be written: what waits would not outlive this program.
pub fn flush() {
    const PATIENCE: Duration = Duration::from_millis(500);
    RUNNING.get().into_iter().for_each(|queue| queue.flush(PATIENCE));
}

/// The running log.
#[derive(Debug)]
pub struct Logging {
    queue: LogQueue,
    filter: Handle<LevelFilter, Registry>,
}

impl Logging {
    /// Starts logging, for the whole process; panics become records too. Where the journal is wanted and takes no
    /// records they go to standard error as text, and the first one says so.
    ///
    /// # Errors
    /// No thread could be started, or the process logs already.
    pub fn start(format: LogFormat, level: LogLevel) -> anyhow::Result<Logging> {
        let journal = format.wants_the_journal().then(JournalSink::new).transpose();
        let (filter, handle) = reload::Layer::new(level.filter());
        let (queue, missed) = match journal {
            Ok(Some(journal)) => (write_to_journal(journal, filter)?, None),
            Ok(None) => (write_to_stderr(format, filter)?, None),
            Err(cause) => (write_to_stderr(format, filter)?, Some(cause)),
        };
        if let Some(cause) = missed {
            events::journal_missed(journal::SOCKET, &cause);
        }
        std::panic::set_hook(Box::new(events::panicked));
        let _ = RUNNING.set(queue.clone()); // a process has one log
        Ok(Logging { queue, filter: handle })
    }

    /// From now on writes records of this level and above.
    pub fn set_level(&self, level: LogLevel) {
        // It fails only where there is no log any more.
        let _ = self.filter.reload(level.filter());
    }
}

/// Writes what waits to be written, after a panic too: that is the record which says so.
impl Drop for Logging {
    fn drop(&mut self) {
        self.queue.finish(LAST_RECORDS_PATIENCE);
    }
}

type Filter = reload::Layer<LevelFilter, Registry>;

fn write_to_journal(journal: JournalSink, filter: Filter) -> anyhow::Result<LogQueue> {
    let queue = LogQueue::start(journal)?;
    let records = RecordLayer { queue: queue.clone(), write: journal::entry };
    set_global_default(tracing_subscriber::registry().with(filter).with(records))?;
    Ok(queue)
}

fn write_to_stderr(format: LogFormat, filter: Filter) -> anyhow::Result<LogQueue> {
    let queue = LogQueue::start(StreamSink::new(io::stderr()))?;
    let registry = tracing_subscriber::registry().with(filter);
    if format == LogFormat::Json {
        set_global_default(registry.with(RecordLayer { queue: queue.clone(), write: json::line }))?;
        return Ok(queue);
    }
    let to_the_journal = stderr_is_the_journal();
    let lines = TextLines { queue: queue.clone(), with_severity: to_the_journal };
    let text = fmt::layer().with_target(false).log_internal_errors(false).with_writer(lines);
    let text = text.with_ansi(colour_wanted(&io::stderr()));
    if to_the_journal {
        set_global_default(registry.with(text.without_time()))?; // the journal has its own
    } else {
        set_global_default(registry.with(text))?;
    }
    Ok(queue)
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

/// Colour is for people: only on a terminal that knows it, and not where <https://no-color.org> asks for none.
pub fn colour_wanted(stream: &impl IsTerminal) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let unknown = std::env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
    stream.is_terminal() && !refused && !unknown
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

/// Queues records that are lines of text.
struct TextLines {
    queue: LogQueue,
    /// The journal takes each line for information unless it begins with its severity, see sd-daemon(3).
    with_severity: bool,
}

impl<'a> MakeWriter<'a> for TextLines {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter { queue: &self.queue, severity: None }
    }

    fn make_writer_for(&'a self, record: &Metadata<'_>) -> LineWriter<'a> {
        let severity = self.with_severity.then(|| journal::priority(*record.level()));
        LineWriter { queue: &self.queue, severity }
    }
}

/// tracing-subscriber writes each record in one call.
struct LineWriter<'a> {
    queue: &'a LogQueue,
    severity: Option<u8>,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let line = one_line(record);
        match self.severity {
            Some(severity) => self.queue.push(&[format!("<{severity}>").as_bytes(), &line].concat()),
            None => self.queue.push(&line),
        }
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
