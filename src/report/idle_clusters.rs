//! Ends after the same silence: somebody's timer, as that of a middlebox. docs/report.md states the rule.

use serde::Serialize;

use super::mass::is_unusual;

/// Silences are counted by tenths of a second, up to this many: nearly two hours.
const TENTHS: usize = 72_000;
/// Shorter silences are those of a conversation.
const SHORTEST: usize = 10;
/// Fewer ends, or a smaller share of their kind, are not told.
const SHARE: f64 = 0.05;
/// At most so many of each kind.
const MOST: usize = 3;

/// The silences before ends of one kind.
#[derive(Debug, Default)]
pub struct Idle {
    count: u64,
    tenths: Vec<u32>,
}

/// Ends after the same silence.
#[derive(Debug, Clone, Serialize)]
pub struct Cluster {
    pub count: u64,
    pub idle_ms: u64,
    /// It holds 90 % of them, to either side.
    pub spread_ms: u64,
}

impl Idle {
    #[inline]
    pub fn add(&mut self, idle_ms: u64) {
        self.count += 1;
        let tenth = (idle_ms.saturating_add(50) / 100).min(TENTHS as u64) as usize;
        if tenth >= TENTHS {
            return;
        }
        if self.tenths.len() <= tenth {
            self.tenths.resize(tenth + 1, 0);
        }
        if let Some(count) = self.tenths.get_mut(tenth) {
            *count = count.saturating_add(1);
        }
    }

    fn sum(&self, from: usize, to: usize) -> u64 {
        let to = to.min(self.tenths.len());
        self.tenths.get(from.min(to)..to).unwrap_or_default().iter().map(|count| u64::from(*count)).sum()
    }

    /// The peaks, each held against what is around it.
    pub fn clusters(&self) -> Vec<Cluster> {
        let mut places: Vec<usize> = (SHORTEST..self.tenths.len()).collect();
        places.sort_by_key(|place| std::cmp::Reverse(self.sum(*place, place + 1)));
        let mut found: Vec<(usize, Cluster)> = Vec::new();
        for place in places.into_iter().take(32) {
            let is_new = found.iter().all(|(other, _)| other.abs_diff(place) > 10);
            if is_new
                && found.len() < MOST
                && let Some(cluster) = self.cluster(place)
            {
                found.push((place, cluster));
            }
        }
        found.into_iter().map(|(_, cluster)| cluster).collect()
    }

    fn cluster(&self, place: usize) -> Option<Cluster> {
        let count = self.sum(place - 1, place + 2);
        let (from, to) = (place / 2, place + place / 2);
        let around = self.sum(from, to).saturating_sub(self.sum(place.saturating_sub(5), place + 6)).max(1);
        let mean = around as f64 * 3.0 / (to - from).max(1) as f64;
        let is_share = count as f64 >= SHARE * self.count as f64;
        let is_sharp = self.sum(place, place + 1) as f64 >= 0.9 * count as f64;
        let spread_ms = if is_sharp { 100 } else { 200 };
        (is_share && is_unusual(count, mean, TENTHS as f64)).then_some(Cluster {
            count,
            idle_ms: place as u64 * 100,
            spread_ms,
        })
    }
}
