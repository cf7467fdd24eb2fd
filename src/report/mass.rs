//! Mass events: ends of one kind that came together, more than chance brings. docs/report.md states the rule.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::times::SECOND;

/// Windows that are looked at, in seconds; each divides the next.
const WIDTHS: [i64; 4] = [1, 10, 60, 600];
/// Fewer ends are no mass.
const FEWEST: u64 = 10;
/// So many times more than the rest of the log would bring.
const EFFECT: f64 = 4.0;
/// How often a log without any mass event may show one.
const FALSE_ALARMS: f64 = 1e-3;
/// The fullest windows are kept, so many of each width.
const CANDIDATES: usize = 32;
/// Peers of a window that are looked at for what they have in common.
const PEERS: usize = 256;
/// A network is named where it has so many of the peers.
const SHARE: f64 = 0.9;

/// An upper bound of the natural logarithm of P(X >= count) where X is Poisson with this mean (Chernoff).
pub fn ln_tail(count: f64, mean: f64) -> f64 {
    if count <= mean { 0.0 } else { count - mean - count * (count / mean).ln() }
}

/// Whether so many are more than chance brings, where so many places were looked at.
pub fn is_unusual(count: u64, mean: f64, looked_at: f64) -> bool {
    let count_f = count as f64;
    count >= FEWEST && count_f >= EFFECT * mean && ln_tail(count_f, mean) + looked_at.ln() < FALSE_ALARMS.ln()
}

/// Every so-many-th of a window's peers.
#[derive(Debug, Clone, Default)]
struct Sample {
    stride_log: u32,
    seen: u64,
    peers: Vec<IpAddr>,
}

impl Sample {
    fn add(&mut self, peer: IpAddr) {
        if self.seen.is_multiple_of(1 << self.stride_log) {
            self.peers.push(peer);
        }
        self.seen += 1;
        self.thin();
    }

    fn thin(&mut self) {
        while self.peers.len() > PEERS {
            self.halve();
        }
    }

    fn halve(&mut self) {
        let mut number = 0;
        self.peers.retain(|_| {
            number += 1;
            number % 2 == 1
        });
        self.stride_log += 1;
    }

    fn join(&mut self, mut other: Sample) {
        while self.stride_log < other.stride_log {
            self.halve();
        }
        while other.stride_log < self.stride_log {
            other.halve();
        }
        self.seen += other.seen;
        self.peers.append(&mut other.peers);
        self.thin();
    }

    /// The longest prefix that holds nearly all, and the share it holds.
    fn network(&self) -> Option<(IpNet, f64)> {
        let mut peers = self.peers.clone();
        peers.sort_unstable();
        let enough = (peers.len() as f64 * SHARE).ceil() as usize;
        let networks =
            peers.windows(enough.max(1)).filter_map(|window| common(*window.first()?, *window.last()?));
        let network = networks.max_by_key(IpNet::prefix_len)?;
        let inside = peers.iter().filter(|peer| network.contains(*peer)).count();
        Some((network, inside as f64 / peers.len() as f64))
    }
}

/// What two addresses have in common; of IPv4 at least 8 bits, of IPv6 16.
fn common(one: IpAddr, other: IpAddr) -> Option<IpNet> {
    let (bits, least) = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => ((one.to_bits() ^ other.to_bits()).leading_zeros(), 8),
        (IpAddr::V6(one), IpAddr::V6(other)) => ((one.to_bits() ^ other.to_bits()).leading_zeros(), 16),
        _ => return None,
    };
    if bits < least { None } else { IpNet::new(one, bits as u8).ok().map(|network| network.trunc()) }
}

#[derive(Debug, Clone, Default)]
struct Window {
    count: u64,
    first: i64,
    last: i64,
    sample: Sample,
}

impl Window {
    fn join(&mut self, other: Window) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.count += other.count;
        self.sample.join(other.sample);
    }

    fn number(&self, width: i64) -> i64 {
        self.first.div_euclid(width * SECOND)
    }
}

/// Windows of one width.
#[derive(Debug, Default)]
struct Scale {
    current: Option<Window>,
    fullest: Vec<Window>,
}

impl Scale {
    /// Takes a window that is over; one of the same number may come again where the log is not quite in order.
    fn keep(&mut self, window: Window, width: i64) {
        let number = window.number(width);
        if let Some(same) = self.fullest.iter_mut().find(|kept| kept.number(width) == number) {
            return same.join(window);
        }
        if window.count < FEWEST {
            return;
        }
        self.fullest.push(window);
        if self.fullest.len() > CANDIDATES {
            let emptiest = self.fullest.iter().enumerate().min_by_key(|(_, window)| window.count);
            if let Some((place, _)) = emptiest {
                self.fullest.swap_remove(place);
            }
        }
    }
}

/// The ends of one kind over time.
#[derive(Debug, Default)]
pub struct Series {
    count: u64,
    scales: [Scale; WIDTHS.len()],
}

/// Ends of one kind that came together.
#[derive(Debug, Clone, Serialize)]
pub struct Together {
    pub count: u64,
    pub first_us: i64,
    pub last_us: i64,
    /// So many the rest of the log would bring in the same time.
    pub expected: f64,
    pub network: Option<String>,
    /// Of the peers.
    pub network_share: Option<f64>,
}

impl Series {
    #[inline]
    pub fn add(&mut self, time: i64, peer: Option<IpAddr>) {
        self.count += 1;
        let second = time.div_euclid(SECOND);
        let Some(scale) = self.scales.first_mut() else { return };
        match &mut scale.current {
            Some(window) if window.first.div_euclid(SECOND) == second => {
                window.count += 1;
                window.first = window.first.min(time);
                window.last = window.last.max(time);
                if let Some(peer) = peer {
                    window.sample.add(peer);
                }
            }
            _ => {
                let mut window = Window { count: 1, first: time, last: time, sample: Sample::default() };
                if let Some(peer) = peer {
                    window.sample.add(peer);
                }
                self.pass(0, window);
            }
        }
    }

    /// A window begins; the one before it is over, and part of a wider one.
    fn pass(&mut self, level: usize, window: Window) {
        let (Some(scale), Some(width)) = (self.scales.get_mut(level), WIDTHS.get(level)) else {
            return;
        };
        let number = window.number(*width);
        match &mut scale.current {
            Some(current) if current.number(*width) == number => current.join(window),
            current => {
                if let Some(over) = current.replace(window) {
                    scale.keep(over.clone(), *width);
                    self.pass(level + 1, over);
                }
            }
        }
    }

    fn flush(&mut self) {
        for level in 0..WIDTHS.len() {
            let (Some(scale), Some(width)) = (self.scales.get_mut(level), WIDTHS.get(level)) else {
                return;
            };
            if let Some(over) = scale.current.take() {
                scale.keep(over.clone(), *width);
                self.pass(level + 1, over);
            }
        }
    }

    /// What came together in a log of so many microseconds with so many kinds of ends.
    pub fn events(mut self, period: i64, kinds: usize) -> Vec<Together> {
        self.flush();
        let seconds = (period as f64 / SECOND as f64).max(1.0);
        let looked_at: f64 =
            WIDTHS.iter().map(|width| (seconds / *width as f64).max(1.0)).sum::<f64>() * kinds as f64;
        let mut found = Vec::new();
        for (scale, width) in self.scales.iter().zip(WIDTHS) {
            let width_f = width as f64;
            if seconds < 2.0 * width_f {
                continue;
            }
            for window in &scale.fullest {
                let mean = (self.count - window.count).max(1) as f64 * width_f / (seconds - width_f);
                if is_unusual(window.count, mean, looked_at) {
                    found.push((ln_tail(window.count as f64, mean), width, mean, window));
                }
            }
        }
        found.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut chosen: Vec<Together> = Vec::new();
        let mut taken: Vec<(i64, i64)> = Vec::new();
        for (_, width, mean, window) in &found {
            let span = (window.number(*width) * width * SECOND, (window.number(*width) + 1) * width * SECOND);
            if taken.iter().any(|(begin, end)| span.0 < *end && *begin < span.1) {
                continue;
            }
            taken.push(span);
            let inside: Vec<&Window> = found
                .iter()
                .filter(|(_, narrow, _, part)| *narrow < *width && span.0 <= part.first && part.last < span.1)
                .map(|(_, _, _, part)| *part)
                .collect();
            chosen.push(together(window, &inside, *mean));
        }
        chosen.sort_by_key(|event| event.first_us);
        joined(chosen)
    }
}

/// A wide window has stragglers in it: where narrow ones have nearly all of it, they say when it was.
fn together(window: &Window, inside: &[&Window], expected: f64) -> Together {
    let narrowest = inside.iter().filter(|part| part.last - part.first <= SECOND);
    let (mut count, mut first, mut last) = (0, i64::MAX, i64::MIN);
    for part in narrowest {
        count += part.count;
        (first, last) = (first.min(part.first), last.max(part.last));
    }
    let is_narrow = count as f64 >= SHARE * window.count as f64;
    let (count, first, last) =
        if is_narrow { (count, first, last) } else { (window.count, window.first, window.last) };
    let network = window.sample.network();
    Together {
        count,
        first_us: first,
        last_us: last,
        expected: (expected * 100.0).round() / 100.0,
        network: network.map(|(network, _)| network.to_string()),
        network_share: network.map(|(_, share)| (share * 1000.0).round() / 1000.0),
    }
}

/// Events that follow each other closely are one.
fn joined(events: Vec<Together>) -> Vec<Together> {
    let mut joined: Vec<Together> = Vec::new();
    for event in events {
        match joined.last_mut() {
            Some(before)
                if event.first_us - before.last_us < 10 * SECOND && before.network == event.network =>
            {
                before.count += event.count;
                before.last_us = event.last_us;
                before.expected += event.expected;
            }
            _ => joined.push(event),
        }
    }
    joined
}
