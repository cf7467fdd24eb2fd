//! Which records count.

use std::net::IpAddr;

use anyhow::bail;
use ipnet::IpNet;
use jiff::ZonedDateTime;

use super::options::Options;
use super::record::Record;
use super::times;
use crate::explain;

/// Which records count.
#[derive(Debug)]
pub struct Filters {
    since: Option<i64>,
    until: Option<i64>,
    listener: Option<String>,
    peer: Option<IpNet>,
    reason: Option<String>,
    verdict: Option<String>,
}

impl Filters {
    /// # Errors
    /// A time is none, or the period would be empty.
    pub fn of(options: &Options, now: &ZonedDateTime) -> anyhow::Result<Filters> {
        let time = |text: &Option<String>| text.as_ref().map(|text| times::parse(text, now)).transpose();
        let (since, until) = (time(&options.since)?, time(&options.until)?);
        if let (Some(begin), Some(end)) = (since, until)
            && begin >= end
        {
            let zone = now.time_zone();
            bail!(
                "--since ({}) is not before --until ({})",
                times::local(begin, zone),
                times::local(end, zone)
            );
        }
        Ok(Filters {
            since,
            until,
            listener: options.listener.clone(),
            peer: options.peer,
            reason: options.reason.clone(),
            verdict: options.verdict.clone(),
        })
    }

    /// A record without a time counts where no time is asked for.
    #[inline]
    pub fn is_in_time(&self, time: Option<i64>) -> bool {
        let Some(time) = time else {
            return self.since.is_none() && self.until.is_none();
        };
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }

    /// The whole seconds that hold all records asked for, as journalctl takes them.
    pub fn seconds(&self) -> (Option<i64>, Option<i64>) {
        let begin = self.since.map(|since| since.div_euclid(times::SECOND));
        (begin, self.until.map(|until| until.div_euclid(times::SECOND) + 1))
    }

    /// Whether only some of the connections are asked for: then no totals can be held against the summaries.
    pub fn is_selective(&self) -> bool {
        self.listener.is_some() || self.peer.is_some() || self.reason.is_some() || self.verdict.is_some()
    }

    /// A reason or verdict asked for that this version does not know, as one with a typing error.
    pub fn unknown_word(&self) -> Option<&str> {
        let words = [&self.reason, &self.verdict].into_iter().flatten();
        words.map(String::as_str).find(|word| explain::all().iter().all(|entry| entry.name != *word))
    }

    /// Whether a close is asked for.
    #[inline]
    pub fn takes(&self, record: &Record<'_>, peer: Option<IpAddr>) -> bool {
        let is = |wanted: &Option<String>, value: &[u8]| {
            wanted.as_ref().is_none_or(|wanted| wanted.as_bytes() == value)
        };
        is(&self.listener, record.listener)
            && is(&self.reason, record.reason)
            && is(&self.verdict, record.verdict)
            && self.peer.is_none_or(|network| peer.is_some_and(|peer| network.contains(&peer)))
    }
}
