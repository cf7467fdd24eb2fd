//! Which connections to open, and when enough is known.
//!
//! The first round ends at no death: its longer silences go on beside the second one, and what they say by its end counts. So
//! steps that disagree are seen, up to twice the limit and beyond, at no cost in time.

use std::time::Duration;

use super::findings::Findings;
use super::ladder;
use super::outcome::Step;
use crate::client::arguments::{Direction, IdleLimit};

/// So many silences longer than the shortest that one died of are waited for, however soon the second round is over: if they are
/// not outlived either, still longer ones will not be.
const CONFIRMATIONS: usize = 2;

/// What was opened, what is known, and what is still to come. Times count from the beginning.
#[derive(Debug)]
pub struct Search {
    resolution: Duration,
    samples: u32,
    /// More silences are not tried in one round.
    most_steps: u32,
    has_second_round: bool,
    first_round: Vec<Duration>,
    /// What is longer is not waited for. It is known once the second round has begun.
    reach: Option<Duration>,
    /// The connections that are silent now.
    pending: Vec<Pending>,
    /// Of those that are not.
    pub findings: Findings,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    idle: Duration,
    ends: Duration,
}

impl Search {
    /// Nothing is known yet; `most_connections` may be open at once.
    pub fn new(arguments: &IdleLimit, most_connections: u64) -> Search {
        let IdleLimit { max, resolution, samples, direction, .. } = *arguments;
        let is_inward = direction == Direction::In;
        let first_round = if is_inward { vec![max] } else { ladder::first_round(max, resolution) };
        // The first round's may all be open yet.
        let most_steps = (most_connections / u64::from(samples)).saturating_sub(first_round.len() as u64);
        Search {
            resolution,
            samples,
            most_steps: u32::try_from(most_steps).unwrap_or(u32::MAX),
            has_second_round: !is_inward,
            first_round,
            reach: None,
            pending: Vec::new(),
            findings: Findings::new(direction),
        }
    }

    /// The silences of the connections to begin with.
    pub fn begin(&mut self) -> Vec<Duration> {
        let steps = self.first_round.clone();
        self.open(&steps, Duration::ZERO)
    }

    /// The silences of the connections to open after this.
    pub fn ended(&mut self, step: Step, now: Duration) -> Vec<Duration> {
        if let Some(at) = self.pending.iter().position(|pending| pending.idle == step.idle) {
            self.pending.swap_remove(at);
        }
        self.findings.steps.push(step);
        match self.findings.died() {
            Some(died) if self.has_second_round && self.reach.is_none() => self.begin_second_round(died, now),
            _ => Vec::new(),
        }
    }

    fn begin_second_round(&mut self, died: Duration, now: Duration) -> Vec<Duration> {
        let mut longer = self.first_round.iter().filter(|step| **step > died);
        self.reach = Some(longer.nth(CONFIRMATIONS - 1).copied().unwrap_or(Duration::MAX));
        let lived = self.findings.lived().unwrap_or_default();
        let mut steps = ladder::second_round(lived, died, self.resolution, self.most_steps);
        steps.retain(|step| !self.first_round.contains(step));
        self.open(&steps, now)
    }

    fn open(&mut self, steps: &[Duration], now: Duration) -> Vec<Duration> {
        let opened: Vec<_> = steps.iter().flat_map(|step| vec![*step; self.samples as usize]).collect();
        let pending = opened.iter().map(|idle| Pending { idle: *idle, ends: now.saturating_add(*idle) });
        self.pending.extend(pending);
        opened
    }

    /// Connections that are silent now.
    pub fn open_connections(&self) -> usize {
        self.pending.len()
    }

    /// When the last silence ends that is waited for, by what is known now; `None`: what is still silent can change nothing.
    pub fn ends(&self) -> Option<Duration> {
        let reach = self.reach.unwrap_or(Duration::MAX);
        self.pending.iter().filter(|pending| pending.idle <= reach).map(|pending| pending.ends).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::idle_limit::outcome::Outcome;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// Lets the silences of a search end one after the other, each as `fate` has it. The steps, and how long it took.
    fn search(fate: impl Fn(Duration) -> Outcome) -> (Search, Duration) {
        let mut search = Search {
            resolution: seconds(1),
            samples: 1,
            most_steps: 100,
            has_second_round: true,
            first_round: ladder::first_round(seconds(100), seconds(1)),
            reach: None,
            pending: Vec::new(),
            findings: Findings::new(Direction::Out),
        };
        search.begin();
        let mut now = Duration::ZERO;
        while search.ends().is_some() {
            let next = search.pending.iter().copied().min_by_key(|pending| pending.ends).unwrap();
            now = next.ends;
            search.ended(Step { idle: next.idle, local: None, outcome: fate(next.idle) }, now);
        }
        (search, now)
    }

    fn forgets_after(limit: Duration) -> impl Fn(Duration) -> Outcome {
        move |idle| if idle < limit { Outcome::Alive } else { Outcome::Dropped }
    }

    #[test]
    fn every_limit_is_found_to_the_resolution_in_two_and_a_half_times_its_length() {
        for limit in (2..=100).map(seconds) {
            let (search, took) = search(forgets_after(limit));
            assert_eq!(search.findings.died(), Some(limit));
            assert_eq!(search.findings.lived(), Some(limit - seconds(1)));
            let shortest = search.first_round[0];
            assert!(took <= limit.max(shortest) * 5 / 2 + seconds(4), "{limit:?} took {took:?}");
        }
    }

    #[test]
    fn where_nothing_dies_the_first_round_is_all() {
        let (search, took) = search(|_| Outcome::Alive);
        assert_eq!((search.findings.died(), search.findings.lived()), (None, Some(seconds(100))));
        assert_eq!(took, seconds(100));
    }

    #[test]
    fn what_lives_beyond_a_death_is_seen() {
        let (search, _) = search(|idle| match idle.as_secs() {
            20..30 => Outcome::Dropped,
            _ => Outcome::Alive,
        });
        let alive = |step: &&Step| step.outcome == Outcome::Alive && step.idle > seconds(29);
        assert_eq!(search.findings.died(), Some(seconds(20)));
        assert!(search.findings.steps.iter().filter(alive).count() >= 1, "{:?}", search.findings);
    }

    #[test]
    fn what_the_far_end_closes_is_no_longer_waited_for() {
        let mut search = search(|_| Outcome::Alive).0;
        search.begin();
        let opened = search.pending.clone();
        for pending in opened {
            let closed = Outcome::Closed(seconds(6));
            let outcome = if pending.idle < seconds(6) { Outcome::Alive } else { closed };
            search.ended(Step { idle: pending.idle, local: None, outcome }, pending.idle.min(seconds(6)));
        }
        assert_eq!(search.findings.died(), Some(seconds(6)));
        assert!(search.ends().is_none_or(|ends| ends <= seconds(12)), "{search:?}");
    }
}
