//! Who is counted most, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;

/// So many keys are counted one by one.
pub const EXACT: usize = 65_536;

/// So many are counted in one go.
const BATCH: usize = 256;

/// Counts keys. Beyond [`EXACT`] keys it is the sketch of Misra and Gries, pruned in batches as Apache DataSketches' frequent
/// items are: the median count is taken from all, and who has none left is dropped.
#[derive(Debug)]
pub struct Top<K> {
    counts: HashMap<K, Count>,
    /// Not counted yet. Counted in one go, the waits for memory overlap.
    pending: Vec<(K, bool)>,
    /// A count may be too low by so much.
    pub error: u64,
}

/// How often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    pub closes: u64,
    /// Those of them that were no orderly ends.
    pub lost: u64,
}

impl<K> Default for Top<K> {
    fn default() -> Top<K> {
        Top { counts: HashMap::new(), pending: Vec::with_capacity(BATCH), error: 0 }
    }
}

impl<K: Hash + Eq + Ord + Copy> Top<K> {
    #[inline]
    pub fn add(&mut self, key: K, is_lost: bool) {
        self.pending.push((key, is_lost));
        if self.pending.len() == BATCH {
            self.count();
        }
    }

    fn count(&mut self) {
        for (key, is_lost) in self.pending.drain(..) {
            let count = self.counts.entry(key).or_default();
            count.closes += 1;
            count.lost += u64::from(is_lost);
        }
        if self.counts.len() > EXACT {
            self.prune();
        }
    }

    fn prune(&mut self) {
        let mut closes: Vec<u64> = self.counts.values().map(|count| count.closes).collect();
        let middle = closes.len() / 2;
        let median = *closes.select_nth_unstable(middle).1;
        self.error += median;
        self.counts.retain(|_, count| {
            count.closes = count.closes.saturating_sub(median);
            count.lost = count.lost.min(count.closes);
            count.closes > 0
        });
    }

    /// The most lost first.
    pub fn ranking(&mut self) -> Vec<(K, Count)> {
        self.count();
        let mut ranking: Vec<(K, Count)> = self.counts.iter().map(|(key, count)| (*key, *count)).collect();
        ranking.sort_by_key(|(key, count)| (std::cmp::Reverse((count.lost, count.closes)), *key));
        ranking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequent_one_is_found_among_too_many() {
        let mut top = Top::default();
        for key in 0..300_000_u32 {
            top.add(key + 10, true);
            top.add(key % 3, true);
        }
        let ranking = top.ranking();
        assert!(top.counts.len() <= EXACT && top.error > 0);
        for (key, count) in ranking.iter().take(3) {
            assert!(
                *key < 3 && count.closes <= 100_000 && count.closes + top.error >= 100_000,
                "{key} {count:?}"
            );
        }
    }
}
