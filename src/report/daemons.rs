//! Whose records they are. A record does not say which daemon wrote it: a log may be given in pieces, and the logs of several
//! daemons at once.
//!
//! So both are counted, all records as one daemon's and those of each input and host as another's, and what reconciles
//! better is told.

use super::record::{Record, same};
use super::runs::{Runs, Totals};

/// So many are kept apart; more are taken for one.
const MOST: usize = 256;

/// The runs of all daemons.
#[derive(Debug, Default)]
pub struct Daemons {
    /// Of all records as one daemon's. While there is but one it would be the same again.
    together: Runs,
    each: Vec<Daemon>,
    /// Whose the last record was: mostly the next one's too.
    last: usize,
    are_too_many: bool,
}

/// One that writes into an input of its own, or on a host of its own.
#[derive(Debug)]
struct Daemon {
    input: usize,
    host: Vec<u8>,
    runs: Runs,
}

impl Daemons {
    /// Counts a record of `input`; returns what was counted for its own daemon.
    #[inline]
    pub fn count<T>(&mut self, input: usize, record: &Record<'_>, count: impl Fn(&mut Runs) -> T) -> T {
        self.find(input, record.host);
        if let [only] = self.each.as_mut_slice() {
            return count(&mut only.runs);
        }
        let counted = count(&mut self.together);
        self.each.get_mut(self.last).map_or(counted, |daemon| count(&mut daemon.runs))
    }

    #[inline]
    fn find(&mut self, input: usize, host: &[u8]) {
        let is = |daemon: &Daemon| daemon.input == input && same(&daemon.host, host);
        if !self.each.get(self.last).is_some_and(is) {
            self.last = self.each.iter().position(is).unwrap_or(self.each.len());
        }
        if self.last == self.each.len() {
            self.add(input, host);
        }
    }

    fn add(&mut self, input: usize, host: &[u8]) {
        if let [first] = self.each.as_slice() {
            self.together = first.runs.clone();
        }
        self.are_too_many = self.each.len() == MOST;
        if !self.are_too_many {
            let host = host.iter().take(80).copied().collect();
            self.each.push(Daemon { input, host, runs: Runs::default() });
        }
    }

    /// The totals of all of them.
    pub fn finish(mut self) -> Totals {
        if self.each.len() == 1 {
            return self.each.swap_remove(0).runs.finish();
        }
        let together = self.together.finish();
        let each: Vec<Totals> = self.each.into_iter().map(|daemon| daemon.runs.finish()).collect();
        let missing = |totals: &[Totals]| -> Option<u64> {
            let known = totals.iter().filter_map(|totals| totals.missing_close_records);
            known.map(i64::unsigned_abs).reduce(u64::saturating_add)
        };
        let apart = missing(&each).filter(|_| !self.are_too_many);
        match (apart, missing(std::slice::from_ref(&together))) {
            (Some(apart), Some(whole)) if apart < whole => {
                each.into_iter().fold(Totals::default(), Totals::with)
            }
            _ => together,
        }
    }
}
