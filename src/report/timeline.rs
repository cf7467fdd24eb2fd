//! Closes over time, in buckets that grow with the period; and what else happened then.

use std::collections::VecDeque;

use serde::Serialize;

use super::times::SECOND;
use super::top::Count;

/// Widths in seconds; each divides the next, so that buckets can be joined.
const WIDTHS: [i64; 12] = [1, 5, 15, 60, 300, 900, 3600, 10_800, 43_200, 86_400, 604_800, 604_800 * 52];

/// Buckets that are kept.
const MOST: usize = 4096;

/// Marks that are kept.
const MOST_MARKS: usize = 1000;

/// Something to be shown on the time line.
#[derive(Debug, Clone, Serialize)]
pub struct Mark {
    /// Microseconds since 1970.
    pub time_us: i64,
    pub what: &'static str,
}

/// Closes per bucket, the empty ones there.
#[derive(Debug, Default)]
pub struct Timeline {
    width: usize,
    first: i64,
    buckets: VecDeque<Count>,
    pub marks: Vec<Mark>,
    /// Times so far away that no bucket of any width has them.
    pub stray: u64,
}

impl Timeline {
    #[inline]
    pub fn add(&mut self, time: i64, is_lost: bool) {
        let Some(bucket) = self.bucket(time) else {
            self.stray += 1;
            return;
        };
        bucket.closes += 1;
        bucket.lost += u64::from(is_lost);
    }

    pub fn mark(&mut self, time: i64, what: &'static str) {
        if self.marks.len() < MOST_MARKS {
            self.marks.push(Mark { time_us: time, what });
            // So that the line begins with a start before the first close, and reaches a stop after the last.
            let _ = self.bucket(time);
        }
    }

    #[inline]
    fn bucket(&mut self, time: i64) -> Option<&mut Count> {
        let number = time.div_euclid(SECOND * WIDTHS.get(self.width)?);
        if self.buckets.is_empty() {
            self.first = number;
        }
        let place = number - self.first;
        if usize::try_from(place).is_ok_and(|place| place < self.buckets.len()) {
            return self.buckets.get_mut(place as usize);
        }
        self.grow(place)?;
        self.bucket(time)
    }

    /// Makes room for a bucket so far behind the first.
    fn grow(&mut self, place: i64) -> Option<()> {
        let wanted = if place < 0 { self.buckets.len() as i64 - place } else { place + 1 };
        if wanted <= MOST as i64 {
            for _ in place..0 {
                self.buckets.push_front(Count::default());
                self.first -= 1;
            }
            if place >= 0 {
                self.buckets.resize(wanted as usize, Count::default());
            }
            return Some(());
        }
        let next = self.width + 1;
        WIDTHS.get(next)?;
        (self.first, self.buckets) = self.joined(next)?;
        self.width = next;
        Some(())
    }

    /// The buckets, joined to those of a greater width, and the number of the first of them.
    fn joined(&self, width: usize) -> Option<(i64, VecDeque<Count>)> {
        let ratio = WIDTHS.get(width)? / WIDTHS.get(self.width)?;
        let first = self.first.div_euclid(ratio);
        let mut joined = VecDeque::new();
        for (bucket, number) in self.buckets.iter().zip(self.first..) {
            let place = usize::try_from(number.div_euclid(ratio) - first).ok()?;
            if joined.len() <= place {
                joined.resize(place + 1, Count::default());
            }
            let target = joined.get_mut(place)?;
            target.closes += bucket.closes;
            target.lost += bucket.lost;
        }
        Some((first, joined))
    }

    /// At most so many buckets: their width in seconds, the beginning of the first in microseconds, and what is in them.
    pub fn at_most(&self, columns: usize) -> (i64, i64, Vec<Count>) {
        for width in self.width..WIDTHS.len() {
            if let Some((first, buckets)) = self.joined(width)
                && buckets.len() <= columns
            {
                let seconds = WIDTHS.get(width).copied().unwrap_or(1);
                return (seconds, first * seconds * SECOND, buckets.into());
            }
        }
        (1, 0, Vec::new())
    }
}
