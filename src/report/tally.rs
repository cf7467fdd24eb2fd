//! Counts records as they come.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hdrhistogram::Histogram;
use jiff::tz::TimeZone;

use super::daemons::Daemons;
use super::filters::Filters;
use super::findings::{Bucket, Findings, Line, Moment, Outside, Quantiles, Row};
use super::kinds::Kinds;
use super::losses::Losses;
use super::mass::is_unusual;
use super::record::Record;
use super::runs::Runs;
use super::timeline::Timeline;
use super::times::{SECOND, local};
use super::top::{Count, Top};

/// Columns of the time line.
const COLUMNS: usize = 64;
/// Different words of one sort that are counted by name.
const WORDS: usize = 64;
/// Hours that are counted: eleven years.
const HOURS: usize = 100_000;

/// All counts.
#[derive(Debug)]
pub struct Tally {
    pub understood: u64,
    pub losses: Losses,
    period: Option<(i64, i64)>,
    /// Records outside of the time asked for, and when they are from.
    outside: (u64, Option<(i64, i64)>),
    hosts: Words,
    versions: Words,
    listeners: Words,
    daemons: Daemons,
    kinds: Kinds,
    closes: u64,
    null_closes: u64,
    refused_records: u64,
    peers: Top<u128>,
    networks: Top<u128>,
    hours: BTreeMap<i64, Count>,
    lifetimes: Option<Histogram<u64>>,
    round_trips: Option<Histogram<u64>>,
    missed: Option<Histogram<u64>>,
    timeline: Timeline,
    stalls: u64,
    longest_stall_ms: u64,
}

impl Default for Tally {
    fn default() -> Tally {
        let histogram = || {
            let mut histogram = Histogram::new(3).ok()?;
            histogram.auto(true);
            Some(histogram)
        };
        Tally {
            understood: 0,
            losses: Losses::default(),
            period: None,
            outside: (0, None),
            hosts: Words::default(),
            versions: Words::default(),
            listeners: Words::default(),
            daemons: Daemons::default(),
            kinds: Kinds::default(),
            closes: 0,
            null_closes: 0,
            refused_records: 0,
            peers: Top::default(),
            networks: Top::default(),
            hours: BTreeMap::new(),
            lifetimes: histogram(),
            round_trips: histogram(),
            missed: histogram(),
            timeline: Timeline::default(),
            stalls: 0,
            longest_stall_ms: 0,
        }
    }
}

/// Words with their counts. A log has few of them; a hostile one may have many, and those beyond are one.
#[derive(Debug, Default)]
struct Words(Vec<(Vec<u8>, Count)>);

impl Words {
    #[inline]
    fn add(&mut self, word: &[u8], is_lost: bool) {
        let found = self.0.iter_mut().find(|(known, _)| known == word);
        let count = match found {
            Some((_, count)) => count,
            None => {
                let word: &[u8] = if self.0.len() < WORDS { word } else { b"(others)" };
                self.0.push((word.iter().take(80).copied().collect(), Count::default()));
                match self.0.last_mut() {
                    Some((_, count)) => count,
                    None => return,
                }
            }
        };
        count.closes += 1;
        count.lost += u64::from(is_lost);
        self.0.truncate(WORDS + 1);
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|(word, _)| String::from_utf8_lossy(word).into_owned()).collect()
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> =
            self.0.iter().map(|(word, count)| Row::new(String::from_utf8_lossy(word), *count)).collect();
        rows.sort_by(|one, other| other.closes.cmp(&one.closes).then_with(|| one.name.cmp(&other.name)));
        rows
    }
}

impl Tally {
    /// Counts a record.
    #[inline]
    pub fn add(&mut self, input: usize, record: &Record<'_>, filters: &Filters) {
        widen(&mut self.period, record.time);
        if !record.host.is_empty() {
            self.hosts.add(record.host, false);
        }
        match record.event {
            b"close" => self.close(input, record, filters),
            b"summary" => self.daemons.count(input, record, |runs| runs.summary(record)),
            b"open" => self.daemons.count(input, record, Runs::open),
            b"refuse" => {
                self.refused_records = self.refused_records.saturating_add(record.count.unwrap_or(1));
            }
            _ => self.rare(input, record),
        }
    }

    /// Counts a record outside of the time asked for.
    pub fn leave_out(&mut self, time: Option<i64>) {
        self.outside.0 += 1;
        widen(&mut self.outside.1, time);
    }

    fn rare(&mut self, input: usize, record: &Record<'_>) {
        let mark = match record.event {
            b"starting" => {
                self.versions.add(record.version, false);
                if self.daemons.count(input, record, Runs::start) { "start" } else { "start in a handover" }
            }
            b"stopped" => "stop",
            b"reload" => "reload",
            b"reload_failed" => "reload failed",
            b"handover" => {
                self.daemons.count(input, record, Runs::hand_over);
                "handover"
            }
            b"adopted" => {
                self.daemons.count(input, record, |runs| runs.adopt(record));
                "adopted"
            }
            b"handover_failed" => {
                self.daemons.count(input, record, Runs::fail);
                "handover failed"
            }
            b"stall" => {
                self.stalls += 1;
                self.longest_stall_ms = self.longest_stall_ms.max(record.stalled_ms.unwrap_or(0));
                "stall"
            }
            _ => return,
        };
        if let Some(time) = record.time {
            self.timeline.mark(time, mark);
        }
    }

    fn close(&mut self, input: usize, record: &Record<'_>, filters: &Filters) {
        self.daemons.count(input, record, |runs| runs.close(record));
        let peer = address(record.peer);
        if !filters.takes(record, peer) {
            return;
        }
        self.closes += 1;
        let is_lost = self.kinds.add(record, peer);
        self.null_closes += u64::from(record.is_null());
        self.listeners.add(record.listener, is_lost);
        note(&mut self.lifetimes, record.lifetime_ms);
        note(&mut self.round_trips, record.rtt_us);
        note(&mut self.missed, record.probes_missed);
        if let Some(peer) = peer {
            self.peers.add(bits(peer), is_lost);
            self.networks.add(network_of(peer), is_lost);
        }
        if let Some(time) = record.time {
            self.timeline.add(time, is_lost);
            let hour = time.div_euclid(3600 * SECOND);
            if self.hours.len() < HOURS || self.hours.contains_key(&hour) {
                let count = self.hours.entry(hour).or_default();
                count.closes += 1;
                count.lost += u64::from(is_lost);
            }
        }
    }

    /// Everything that was found.
    pub fn finish(mut self, zone: &TimeZone, top: usize) -> Findings {
        let (first, last) = self.period.unwrap_or((0, 0));
        let local = |time: i64| local(time, zone);
        let hours = self.hours.iter().map(|(hour, count)| Row::new(local(hour * 3600 * SECOND), *count));
        Findings {
            since: self.period.map(|(first, _)| local(first)),
            until: self.period.map(|(_, last)| local(last)),
            period_us: last - first,
            hosts: self.hosts.names(),
            versions: self.versions.names(),
            records: self.understood,
            outside: Outside {
                records: self.outside.0,
                since: self.outside.1.map(|(first, _)| local(first)),
                until: self.outside.1.map(|(_, last)| local(last)),
            },
            totals: self.daemons.finish(),
            closes: self.closes,
            null_closes: self.null_closes,
            refused_records: self.refused_records,
            by_reason: self.kinds.rows(|kind| Some(kind.reason.as_str())),
            by_verdict: self.kinds.rows(|kind| kind.verdict.as_deref()),
            by_listener: self.listeners.rows(),
            by_peer: rows(&mut self.peers, peer_name, top),
            by_network: rows(&mut self.networks, network_name, top),
            by_hour: hours.collect(),
            by_peer_error: self.peers.error,
            by_network_error: self.networks.error,
            lifetime_ms: quantiles(self.lifetimes),
            rtt_us: quantiles(self.round_trips),
            probes_missed: quantiles(self.missed),
            timeline: line(self.timeline, zone),
            mass_events: self.kinds.mass_events(last - first, zone),
            stalls: self.stalls,
            longest_stall_ms: self.longest_stall_ms,
            losses: self.losses,
        }
    }
}

#[inline]
fn widen(period: &mut Option<(i64, i64)>, time: Option<i64>) {
    if let Some(time) = time {
        let (first, last) = period.unwrap_or((time, time));
        *period = Some((first.min(time), last.max(time)));
    }
}

fn rows(top: &mut Top<u128>, name: impl Fn(u128) -> String, most: usize) -> Vec<Row> {
    top.ranking().into_iter().take(most).map(|(key, count)| Row::new(name(key), count)).collect()
}

/// The address in `ip:port` or `[ip]:port`.
#[inline]
fn address(peer: &[u8]) -> Option<IpAddr> {
    if let Some(address) = ipv4_address(peer) {
        return Some(address.into());
    }
    let address: SocketAddr = str::from_utf8(peer).ok()?.parse().ok()?;
    Some(address.ip().to_canonical())
}

/// The address in `a.b.c.d:port`, as nearly all are; `std`'s parser takes a tenth of the whole time.
#[inline]
fn ipv4_address(peer: &[u8]) -> Option<Ipv4Addr> {
    let (mut bytes, mut place) = ([0_u8; 4], 0);
    let mut byte: u32 = 0;
    for (at, character) in peer.iter().enumerate() {
        match character {
            b'0'..=b'9' if byte < 100 => byte = byte * 10 + u32::from(character - b'0'),
            b'.' | b':' => {
                *bytes.get_mut(place)? = u8::try_from(byte).ok()?;
                (place, byte) = (place + 1, 0);
                if *character == b':' {
                    return (place == 4 && at < peer.len() - 1).then_some(bytes.into());
                }
            }
            _ => return None,
        }
    }
    None
}

/// An address as one number, IPv4 mapped into IPv6: it is hashed at once.
#[inline]
fn bits(peer: IpAddr) -> u128 {
    match peer {
        IpAddr::V4(peer) => peer.to_ipv6_mapped().to_bits(),
        IpAddr::V6(peer) => peer.to_bits(),
    }
}

/// The /24 of an IPv4 address, the /48 of an IPv6 one: what one site usually has.
#[inline]
fn network_of(peer: IpAddr) -> u128 {
    let host_bits = if peer.is_ipv4() { 8 } else { 80 };
    bits(peer) >> host_bits << host_bits
}

fn peer_name(bits: u128) -> String {
    Ipv6Addr::from_bits(bits).to_canonical().to_string()
}

fn network_name(bits: u128) -> String {
    match Ipv6Addr::from_bits(bits).to_canonical() {
        IpAddr::V4(network) => format!("{network}/24"),
        IpAddr::V6(network) => format!("{network}/48"),
    }
}

#[inline]
fn note(histogram: &mut Option<Histogram<u64>>, value: Option<u64>) {
    if let (Some(histogram), Some(value)) = (histogram, value) {
        // A year of microseconds, a thousand of milliseconds; beyond that it would only cost memory.
        histogram.saturating_record(value.min(1 << 45));
    }
}

fn quantiles(histogram: Option<Histogram<u64>>) -> Option<Quantiles> {
    let histogram = histogram.filter(|histogram| !histogram.is_empty())?;
    let at = |quantile| histogram.value_at_quantile(quantile);
    Some(Quantiles {
        count: histogram.len(),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        max: histogram.max(),
    })
}

fn line(timeline: Timeline, zone: &TimeZone) -> Line {
    let (bucket_s, begin_us, counts) = timeline.at_most(COLUMNS);
    let all: u64 = counts.iter().map(|count| count.lost).sum();
    let others = (counts.len() as f64 - 1.0).max(1.0);
    let bucket = |(place, count): (usize, &Count)| {
        let mean = (all - count.lost).max(1) as f64 / others;
        Bucket {
            begin: local(begin_us + place as i64 * bucket_s * SECOND, zone),
            closes: count.closes,
            lost: count.lost,
            is_unusual: counts.len() > 2 && is_unusual(count.lost, mean, counts.len() as f64),
        }
    };
    let mut marks = timeline.marks;
    marks.sort_by_key(|mark| mark.time_us);
    let marks = marks.iter().map(|mark| Moment {
        time: local(mark.time_us, zone),
        what: mark.what,
        time_us: mark.time_us,
    });
    Line {
        bucket_s,
        begin_us,
        buckets: counts.iter().enumerate().map(bucket).collect(),
        marks: marks.collect(),
        stray: timeline.stray,
    }
}
