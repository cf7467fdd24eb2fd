//! The probes of a connection: how many were sent, which were answered, how long the last answer took.

use std::time::Duration;

use super::moment::Moment;

/// Probes and their answers on one connection.
#[derive(Debug, Default)]
pub struct Probes {
    sent: u64,
    answered: u64,
    /// Bit `k` is set while probe number `sent - k` waits for its answer. Older probes are forgotten.
    unanswered: u64,
    newest_sent_at: Option<Moment>,
    round_trip: Option<Duration>,
}

impl Probes {
    /// Notes that a probe goes out now, and gives its number: 1, 2, …
    pub fn send(&mut self, now: Moment) -> u64 {
        self.sent += 1;
        self.unanswered = self.unanswered << 1 | 1;
        self.newest_sent_at = Some(now);
        self.sent
    }

    /// Notes an answer to the probe `number`; one without a number, or with one that was never sent, is an answer
    /// to the newest. A second answer to the same probe counts for nothing.
    pub fn answer(&mut self, number: Option<u64>, now: Moment) {
        let number = number.filter(|number| (1..=self.sent).contains(number));
        let age = number.map_or(0, |number| self.sent - number);
        let bit = u32::try_from(age).ok().and_then(|age| 1u64.checked_shl(age));
        let Some(bit) = bit.filter(|bit| self.unanswered & bit != 0) else {
            return;
        };
        self.unanswered &= !bit;
        self.answered += 1;
        if age == 0 {
            let sent_at = self.newest_sent_at;
            self.round_trip = sent_at.map(|sent_at| now - sent_at);
        }
    }

    /// Probes sent.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Probes answered, each counted once.
    pub fn answered(&self) -> u64 {
        self.answered
    }

    /// From the newest answered probe to its answer; `None` before there is one.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_probes() -> (Probes, Moment) {
        let start = Moment::START;
        let mut probes = Probes::default();
        for second in 0..3 {
            probes.send(start + Duration::from_secs(second));
        }
        (probes, start + Duration::from_secs(3))
    }

    #[test]
    fn an_answer_by_number_finds_its_probe() {
        let (mut probes, now) = three_probes();
        probes.answer(Some(2), now);
        assert_eq!((probes.answered(), probes.round_trip()), (1, None));
        probes.answer(Some(3), now);
        assert_eq!(probes.answered(), 2);
        assert_eq!(probes.round_trip(), Some(Duration::from_secs(1)));
    }

    #[test]
    fn an_answer_without_a_known_number_is_for_the_newest() {
        for number in [None, Some(0), Some(4), Some(u64::MAX)] {
            let (mut probes, now) = three_probes();
            probes.answer(number, now);
            assert_eq!(probes.round_trip(), Some(Duration::from_secs(1)));
        }
    }

    #[test]
    fn a_second_answer_counts_for_nothing() {
        let (mut probes, now) = three_probes();
        probes.answer(Some(3), now);
        probes.answer(Some(3), now + Duration::from_secs(9));
        assert_eq!(probes.answered(), 1);
        assert_eq!(probes.round_trip(), Some(Duration::from_secs(1)));
    }

    #[test]
    fn an_answer_before_any_probe_and_one_after_many_are_harmless() {
        let now = Moment::START;
        let mut probes = Probes::default();
        probes.answer(None, now);
        assert_eq!(probes.answered(), 0);
        for _ in 0..100 {
            probes.send(now);
        }
        probes.answer(Some(1), now);
        assert_eq!((probes.sent(), probes.answered()), (100, 0));
    }
}
