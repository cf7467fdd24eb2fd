//! The report for people: one page for a terminal.

use std::fmt::Write as _;
use std::io::IsTerminal;

use super::filters::Filters;
use super::findings::{Findings, Quantiles, Row};
use super::kinds::grouped;
use super::options::By;
use super::times::{self, SECOND};
use crate::ops::logging::colour_wanted;

/// How wide, and whether in colour.
#[derive(Debug)]
pub struct Layout {
    width: usize,
    colour: bool,
}

impl Layout {
    /// Of a terminal its own width, else 80 columns.
    pub fn of(stream: &impl IsTerminal) -> Layout {
        let size = if stream.is_terminal() { terminal_size::terminal_size() } else { None };
        let width = size.map_or(80, |(width, _)| usize::from(width.0)).clamp(60, 160);
        Layout { width, colour: colour_wanted(stream) }
    }

    fn bold(&self, text: &str) -> String {
        if self.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn alarm(&self, text: &str) -> String {
        if self.colour { format!("\x1b[1;31m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Instead of a page with nothing on it.
pub fn outside(findings: &Findings) -> String {
    let outside = &findings.outside;
    let when = match (&outside.since, &outside.until) {
        (Some(since), Some(until)) => format!("they are from {since} to {until}"),
        _ => "they have no times".to_owned(),
    };
    format!("None of {} records is in the time asked for: {when}.\n", grouped(outside.records))
}

/// One table alone.
pub fn table(findings: &Findings, by: By, layout: &Layout) -> String {
    let mut page = Page { text: String::new(), layout };
    page.rows(findings.rows(by), findings.closes);
    page.text
}

/// The whole page.
pub fn page(findings: &Findings, filters: &Filters, layout: &Layout) -> String {
    let mut page = Page { text: String::new(), layout };
    page.head(findings);
    page.totals(findings, filters);
    if findings.closes > 0 {
        page.mass_events(findings);
        page.section("Close reasons");
        page.rows(&findings.by_reason, findings.closes);
    }
    if !findings.by_verdict.is_empty() {
        page.section("Verdicts on silent peers");
        page.rows(&findings.by_verdict, findings.by_verdict.iter().map(|row| row.closes).sum());
    }
    page.distributions(findings);
    page.timeline(findings);
    page.losers("Peers most lost", &findings.by_peer, findings.by_peer_error);
    page.losers("Networks most lost", &findings.by_network, findings.by_network_error);
    page.losses(findings);
    page.text
}

struct Page<'a> {
    text: String,
    layout: &'a Layout,
}

impl Page<'_> {
    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn section(&mut self, title: &str) {
        let title = self.layout.bold(title);
        self.line(&format!("\n{title}"));
    }

    /// A paragraph, broken into lines.
    fn paragraph(&mut self, indent: &str, text: &str) {
        let mut line = indent.to_owned();
        let is_begun = |line: &str| line.len() > indent.len();
        let rest = " ".repeat(indent.chars().count());
        for word in text.split_whitespace() {
            let length = line.chars().count() + word.chars().count() + 1;
            if is_begun(&line) && length > self.layout.width {
                self.line(&line);
                line.clone_from(&rest);
            }
            if line.chars().count() > indent.chars().count() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(&line);
    }

    fn head(&mut self, findings: &Findings) {
        let title = self.layout.bold("pulse-echo report");
        let mut origin: Vec<String> = findings.hosts.clone();
        origin.extend(findings.versions.iter().map(|version| format!("version {version}")));
        let origin = if origin.is_empty() { String::new() } else { format!(": {}", origin.join(", ")) };
        self.line(&format!("{title}{origin}"));
        match (&findings.since, &findings.until) {
            (Some(since), Some(until)) => {
                self.line(&format!("{since} to {until} ({})", times::duration(findings.period_us)));
            }
            _ => self.line("the records have no times"),
        }
    }

    fn totals(&mut self, findings: &Findings, filters: &Filters) {
        let totals = &findings.totals;
        self.section("Totals");
        let numbers = [
            ("accepted", totals.accepted),
            ("closed", totals.closed),
            ("open", totals.open),
            ("refused", totals.refused.or(Some(findings.refused_records))),
            ("null, only counted", totals.null_only_counted),
            ("close records", Some(totals.close_records)),
            ("starts", Some(totals.starts)),
        ];
        let known =
            numbers.iter().filter_map(|(name, number)| Some(format!("{name} {}", grouped((*number)?))));
        self.paragraph("  ", &known.collect::<Vec<_>>().join(" · "));
        if totals.daemons > 1 {
            self.line(&format!("  By their totals these are the logs of {} daemons.", totals.daemons));
        }
        match totals.missing_close_records {
            Some(0) => self.line("  They reconcile: every close that the summaries count is told for."),
            Some(missing) if missing > 0 => {
                let text = format!(
                    "They do not reconcile: {} close records are missing.",
                    grouped(missing.unsigned_abs())
                );
                self.paragraph("  ", &text);
            }
            Some(more) => {
                let text = format!(
                    "They do not reconcile: {} close records more than the summaries count. Is a log given twice?",
                    grouped(more.unsigned_abs())
                );
                self.paragraph("  ", &text);
            }
            None => self.paragraph("  ", "No summary in the log: whether it is complete cannot be told."),
        }
        if filters.is_selective() && findings.closes == 0 {
            self.line("  No close is as asked for.");
            if let Some(word) = filters.unknown_word() {
                let text = format!(
                    "{word:?} is no reason or verdict that this version knows: see pulse-echo explain."
                );
                self.paragraph("  ", &text);
            }
        } else if filters.is_selective() {
            self.line(&format!("  What follows is of the {} closes asked for.", grouped(findings.closes)));
        }
        if findings.null_closes > 0 {
            let text = format!(
                "{} of the closes are of peers that sent no byte and left, as health checks do; they are not counted as lost.",
                grouped(findings.null_closes)
            );
            self.paragraph("  ", &text);
        }
        let carried = &totals.carried;
        if carried.times > 0 {
            let pause = span(carried.longest_pause_ms, 1000);
            let text = format!(
                "Restarts that kept connections: {}. {} connections went on, {} were lost; nobody served them for {pause} at the longest.",
                grouped(carried.times),
                grouped(carried.connections),
                grouped(carried.lost)
            );
            self.paragraph("  ", &text);
        }
        if findings.stalls > 0 {
            let longest = times::duration(
                i64::try_from(findings.longest_stall_ms).unwrap_or(i64::MAX / 1000).saturating_mul(1000),
            );
            self.line(&format!(
                "  The server itself slept {} times, {longest} at the longest.",
                grouped(findings.stalls)
            ));
        }
    }

    fn mass_events(&mut self, findings: &Findings) {
        self.section("Mass events");
        if findings.mass_events.is_empty() {
            return self.line("  None: nothing came together.");
        }
        for event in &findings.mass_events {
            let when = event.since.as_ref().map(|since| format!("{since}: ")).unwrap_or_default();
            self.paragraph("  ! ", &format!("{when}{}", event.sentence));
            if let Some(advice) = event.what_to_do {
                self.paragraph("    ", advice);
            }
            self.line(&format!("    pulse-echo explain {}", event.explain));
        }
    }

    fn rows(&mut self, rows: &[Row], all: u64) {
        let name = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max(4);
        let bar = self.layout.width.saturating_sub(name + 32).max(8);
        self.line(&format!("  {:<name$} {:>10} {:>7} {:>8}", "", "closes", "share", "lost"));
        for row in rows {
            let share = row.closes as f64 / all.max(1) as f64;
            let text = format!(
                "  {:<name$} {:>10} {:>5.1} % {:>8} {}",
                row.name,
                grouped(row.closes),
                share * 100.0,
                grouped(row.lost),
                blocks(share, bar)
            );
            self.line(&text);
        }
    }

    fn distributions(&mut self, findings: &Findings) {
        if findings.lifetime_ms.is_none() {
            return;
        }
        self.section("Distributions");
        self.line(&format!("  {:<16} {:>10} {:>10} {:>10} {:>10}", "", "p50", "p90", "p99", "max"));
        let milliseconds = |value: u64| span(value, 1000);
        let microseconds = |value: u64| span(value, 1);
        self.distribution("lifetime", findings.lifetime_ms, milliseconds);
        self.distribution("probe round trip", findings.rtt_us, microseconds);
        self.distribution("missed probes", findings.probes_missed, grouped);
    }

    fn distribution(&mut self, name: &str, quantiles: Option<Quantiles>, write: impl Fn(u64) -> String) {
        if let Some(Quantiles { p50, p90, p99, max, .. }) = quantiles {
            let [p50, p90, p99, max] = [p50, p90, p99, max].map(write);
            self.line(&format!("  {name:<16} {p50:>10} {p90:>10} {p99:>10} {max:>10}"));
        }
    }

    fn timeline(&mut self, findings: &Findings) {
        let line = &findings.timeline;
        if line.buckets.is_empty() {
            return;
        }
        let width = times::duration(line.bucket_s * SECOND);
        self.section(&format!("Closes over time, {width} a column"));
        let most = line.buckets.iter().map(|bucket| bucket.closes).max().unwrap_or(0).max(1);
        let columns: String = line.buckets.iter().map(|bucket| column(bucket.closes, most)).collect();
        let lost: String = line.buckets.iter().map(|bucket| column(bucket.lost, most)).collect();
        self.line(&format!("  all    {columns} up to {}", grouped(most)));
        self.line(&format!("  lost   {lost}"));
        if line.buckets.iter().any(|bucket| bucket.is_unusual) {
            let marks: String =
                line.buckets.iter().map(|bucket| if bucket.is_unusual { '!' } else { ' ' }).collect();
            let marks = self.layout.alarm(marks.trim_end());
            self.line(&format!("         {marks}   unusual"));
        }
        self.marks(findings);
        let first = line.buckets.first().map(|bucket| bucket.begin.as_str()).unwrap_or_default();
        self.line(&format!("         {first}"));
        if line.stray > 0 {
            self.line(&format!("  {} closes at times too far from the others", grouped(line.stray)));
        }
    }

    /// One letter for a column's most telling mark.
    fn marks(&mut self, findings: &Findings) {
        let line = &findings.timeline;
        let mut letters = vec![' '; line.buckets.len()];
        for mark in &line.marks {
            let place = (mark.time_us - line.begin_us).div_euclid((line.bucket_s * SECOND).max(1));
            let letter = match mark.what {
                "start" => 'S',
                "stop" => 'E',
                "stall" => 'Z',
                "handover" | "start in a handover" | "adopted" | "handover failed" => 'H',
                _ => 'R',
            };
            if let Some(column) = usize::try_from(place).ok().and_then(|place| letters.get_mut(place))
                && *column != 'S'
            {
                *column = letter;
            }
        }
        let letters: String = letters.into_iter().collect();
        if !letters.trim().is_empty() {
            self.line(&format!("         {}", letters.trim_end()));
            self.line("         (S start, E stop, R reload, H handover, Z stall)");
        }
    }

    fn losers(&mut self, title: &str, rows: &[Row], error: u64) {
        let lost: Vec<&Row> = rows.iter().filter(|row| row.lost > 0).collect();
        if lost.is_empty() {
            return;
        }
        self.section(title);
        for row in lost {
            self.line(&format!("  {:>10} of {:>10}  {}", grouped(row.lost), grouped(row.closes), row.name));
        }
        if error > 0 {
            let text = format!(
                "Too many to count each: these are the most frequent, each count too low by {} at most.",
                grouped(error)
            );
            self.paragraph("  ", &text);
        }
    }

    fn losses(&mut self, findings: &Findings) {
        self.section("What the log itself lost");
        let (losses, totals) = (&findings.losses, &findings.totals);
        let facts = [
            (totals.log_lost.unwrap_or(0), "records could not be written (log_lost)"),
            (losses.suppressed, "messages were dropped by journald's rate limit"),
            (
                totals.unclosed_numbers,
                "connections have a number and no close record; open ones are among them",
            ),
            (totals.opens_without_close, "open records are without a close record"),
            (losses.not_understood, "lines were not understood"),
            (losses.overlong_lines, "lines were too long"),
            (losses.foreign, "entries of the journal are of others"),
        ];
        let before = self.text.len();
        for (count, what) in facts {
            if count > 0 {
                self.line(&format!("  {:>10} {what}", grouped(count)));
            }
        }
        for broken in &losses.broken_inputs {
            self.paragraph("  ", &format!("broke off: {broken}"));
        }
        if self.text.len() == before {
            let text = format!("  Nothing that shows: {} lines, all understood.", grouped(losses.lines));
            self.line(&text);
        }
    }
}

fn span(value: u64, microseconds: i64) -> String {
    times::duration(i64::try_from(value).unwrap_or(i64::MAX).saturating_mul(microseconds))
}

/// A bar of eighths.
fn blocks(share: f64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    let part = EIGHTHS.get(eighths % 8).copied().unwrap_or_default();
    let mut bar = "█".repeat(eighths / 8);
    let _ = write!(bar, "{part}"); // writing to a String cannot fail
    bar
}

/// Nothing is a dot, so that it is seen.
fn column(count: u64, most: u64) -> char {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    if count == 0 {
        return '·';
    }
    let height = (count as f64 / most as f64 * 8.0).ceil() as usize;
    HEIGHTS.get(height.clamp(1, 8) - 1).copied().unwrap_or('█')
}
