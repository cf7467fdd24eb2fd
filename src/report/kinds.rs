//! Kinds of ends: a reason and, where there is one, a verdict.

use std::net::IpAddr;

use jiff::tz::TimeZone;

use super::findings::{MassEvent, Row};
use super::idle_clusters::{Cluster, Idle};
use super::mass::{Series, Together};
use super::record::{Record, same};
use super::times;
use super::top::Count;
use crate::core::{CloseReason, EndedBy, Severity};
use crate::explain;

/// Kinds that are counted by name. The daemon has fewer; a hostile log may have more, and those beyond are one.
const MOST: usize = 64;

/// Ends of one kind.
#[derive(Debug)]
pub struct Kind {
    pub reason: String,
    pub verdict: Option<String>,
    /// `None`: a reason that this version does not know.
    known: Option<CloseReason>,
    count: Count,
    series: Series,
    idle: Idle,
}

/// All kinds.
#[derive(Debug, Default)]
pub struct Kinds(Vec<Kind>);

impl Kinds {
    /// Counts a close, and returns whether it was a loss.
    #[inline]
    pub fn add(&mut self, record: &Record<'_>, peer: Option<IpAddr>) -> bool {
        let place = self.place(record.reason, record.verdict);
        let Some(kind) = self.0.get_mut(place) else {
            return false;
        };
        let is_lost =
            !record.is_null() && kind.known.is_none_or(|reason| reason.severity() != Severity::Orderly);
        kind.count.closes += 1;
        kind.count.lost += u64::from(is_lost);
        if let Some(time) = record.time
            && !matches!(kind.known, Some(CloseReason::ServerShutdown | CloseReason::HandoverLost))
        {
            kind.series.add(time, peer);
        }
        if let Some(idle_ms) = record.idle_ms
            && kind.known.is_some_and(|reason| reason.ended_by() != EndedBy::Server)
        {
            kind.idle.add(idle_ms);
        }
        is_lost
    }

    #[inline]
    fn place(&mut self, reason: &[u8], verdict: &[u8]) -> usize {
        let is = |kind: &Kind| {
            same(kind.reason.as_bytes(), reason)
                && same(kind.verdict.as_deref().unwrap_or_default().as_bytes(), verdict)
        };
        self.0.iter().position(is).unwrap_or_else(|| self.new_kind(reason, verdict))
    }

    fn new_kind(&mut self, reason: &[u8], verdict: &[u8]) -> usize {
        if self.0.len() > MOST {
            return MOST;
        }
        let is_other = self.0.len() == MOST;
        let word = |word: &[u8]| {
            String::from_utf8_lossy(word.get(..word.len().min(80)).unwrap_or_default()).into_owned()
        };
        self.0.push(Kind {
            reason: if is_other { "(others)".to_owned() } else { word(reason) },
            verdict: (!is_other && !verdict.is_empty()).then(|| word(verdict)),
            known: str::from_utf8(reason).ok().and_then(CloseReason::named),
            count: Count::default(),
            series: Series::default(),
            idle: Idle::default(),
        });
        self.0.len() - 1
    }

    /// The table by one of the two words.
    pub fn rows<'k>(&'k self, word: impl Fn(&'k Kind) -> Option<&'k str>) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        for kind in &self.0 {
            let Some(name) = word(kind) else { continue };
            match rows.iter_mut().find(|row| row.name == name) {
                Some(row) => {
                    row.closes += kind.count.closes;
                    row.lost += kind.count.lost;
                }
                None => rows.push(Row::new(name, kind.count)),
            }
        }
        rows.sort_by(|one, other| other.closes.cmp(&one.closes).then_with(|| one.name.cmp(&other.name)));
        rows
    }

    /// What came together.
    pub fn mass_events(self, period: i64, zone: &TimeZone) -> Vec<MassEvent> {
        let kinds = self.0.len();
        let mut found = Vec::new();
        for kind in self.0 {
            let Kind { reason, verdict, series, idle, .. } = kind;
            let name = Name { reason, verdict };
            found.extend(
                series.events(period, kinds).into_iter().map(|together| name.together(together, zone)),
            );
            found.extend(idle.clusters().into_iter().map(|cluster| name.same_idle(cluster)));
        }
        found.sort_by_key(|event| {
            let begin = event.together.as_ref().map(|together| together.first_us);
            (begin.is_none(), begin, event.reason.clone())
        });
        found
    }
}

/// What a kind is called.
struct Name {
    reason: String,
    verdict: Option<String>,
}

impl Name {
    /// The word that says most.
    fn word(&self) -> &str {
        self.verdict.as_deref().unwrap_or(&self.reason)
    }

    fn event(&self, sentence: String) -> MassEvent {
        let word = self.word();
        MassEvent {
            reason: self.reason.clone(),
            verdict: self.verdict.clone(),
            since: None,
            together: None,
            same_idle: None,
            sentence,
            what_to_do: explain::all()
                .iter()
                .find(|entry| entry.name == word)
                .and_then(|entry| entry.what_to_do().first().copied()),
            explain: word.to_owned(),
        }
    }

    fn together(&self, together: Together, zone: &TimeZone) -> MassEvent {
        let span = together.last_us - together.first_us;
        let within =
            if span > 0 { format!(" within {}", times::duration(span)) } else { " at one moment".to_owned() };
        let from = match (&together.network, together.network_share) {
            (Some(network), Some(share)) => {
                let kind = if is_one_host(network) { "one host" } else { "one network" };
                format!(
                    ", {:.0} % from {network}: {kind}, not {} peers",
                    share * 100.0,
                    grouped(together.count)
                )
            }
            _ => ", from networks with nothing in common".to_owned(),
        };
        let sentence = format!("{} {}{within}{from}", grouped(together.count), self.word());
        let since = Some(times::local(together.first_us, zone));
        MassEvent { since, together: Some(together), ..self.event(sentence) }
    }

    fn same_idle(&self, cluster: Cluster) -> MassEvent {
        let sentence = format!(
            "{} {} after {} s ± {} s of silence: something on the way, or the peers' own timer, ends what is idle for {} s; probe more often than that",
            grouped(cluster.count),
            self.word(),
            tenths(cluster.idle_ms),
            tenths(cluster.spread_ms),
            tenths(cluster.idle_ms),
        );
        MassEvent { same_idle: Some(cluster), ..self.event(sentence) }
    }
}

fn is_one_host(network: &str) -> bool {
    network.ends_with("/32") || network.ends_with("/128")
}

fn tenths(milliseconds: u64) -> String {
    let text = format!("{:.1}", (milliseconds as f64) / 1000.0);
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// 1,204
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((tenths(350_000), tenths(100)), ("350".to_owned(), "0.1".to_owned()));
        assert_eq!(times::duration(1_800_000), "1.8 s");
    }
}
