//! All logs, merged by time, line by line into the tally.

use super::filters::Filters;
use super::formats::{Line, understand};
use super::source::{Source, Sources};
use super::tally::Tally;
use super::times::Clock;

/// A log that is read.
struct Log {
    /// Which one it is: 0, 1, …
    input: usize,
    source: Source,
    clock: Clock,
    /// For values that are not in the line as they are.
    space: String,
    /// The line to be read next, and when it was written.
    next: Option<((usize, usize), i64)>,
}

/// Reads everything. An input that breaks off counts as far as it went.
///
/// # Errors
/// None today; what is broken is counted.
pub fn read(sources: Sources, filters: &Filters, tally: &mut Tally) -> anyhow::Result<()> {
    let log =
        |(input, source)| Log { input, source, clock: Clock::default(), space: String::new(), next: None };
    let mut logs: Vec<Log> = sources.list.into_iter().enumerate().map(log).collect();
    match logs.as_mut_slice() {
        [only] => {
            while let Some(place) = next_line(&mut only.source, tally) {
                only.take(place, filters, tally);
            }
        }
        several => merge(several, filters, tally),
    }
    tally.losses.overlong_lines = logs.iter().map(|log| log.source.lines.skipped).sum();
    tally.losses.lines += tally.losses.overlong_lines;
    sources.progress.finish();
    Ok(())
}

/// The line that was written first is read first: each log is in order by itself.
fn merge(logs: &mut [Log], filters: &Filters, tally: &mut Tally) {
    logs.iter_mut().for_each(|log| log.advance(tally));
    loop {
        let waiting = logs.iter_mut().filter(|log| log.next.is_some());
        let Some(log) = waiting.min_by_key(|log| log.next.map(|(_, time)| time)) else {
            return;
        };
        if let Some((place, _)) = log.next {
            log.take(place, filters, tally);
        }
        log.advance(tally);
    }
}

fn next_line(source: &mut Source, tally: &mut Tally) -> Option<(usize, usize)> {
    match source.lines.next() {
        Ok(place) => place,
        Err(error) => {
            tally.losses.note_broken(format!("{}: {error}", source.name));
            None
        }
    }
}

impl Log {
    /// A line without a time belongs to the one before.
    fn advance(&mut self, tally: &mut Tally) {
        let before = self.next.map_or(i64::MIN, |(_, time)| time);
        self.next = next_line(&mut self.source, tally).map(|place| {
            let Log { source, clock, space, .. } = self;
            let time = match understand(source.lines.line(place), space) {
                Line::Record(record) => record.time.or_else(|| clock.read(record.stamp)),
                _ => None,
            };
            (place, time.unwrap_or(before))
        });
    }

    #[inline]
    fn take(&mut self, place: (usize, usize), filters: &Filters, tally: &mut Tally) {
        let Log { input, source, clock, space, .. } = self;
        let line = source.lines.line(place);
        if line.is_empty() {
            return;
        }
        tally.losses.lines += 1;
        match understand(line, space) {
            Line::Record(mut record) => {
                if record.time.is_none() {
                    record.time = clock.read(record.stamp);
                }
                if record.time.is_none() && !record.stamp.is_empty() {
                    tally.losses.not_understood += 1;
                } else {
                    tally.understood += 1;
                    if filters.is_in_time(record.time) {
                        tally.add(*input, &record, filters);
                    } else {
                        tally.leave_out(record.time);
                    }
                }
            }
            Line::Suppressed(messages) => tally.losses.note_suppressed(messages),
            Line::Foreign => tally.losses.foreign += 1,
            Line::NotUnderstood => tally.losses.not_understood += 1,
        }
    }
}
