//! The probes of a connection: how many were sent, which were answered, how long the last answer took.

use std::num::NonZeroU64;
use std::time::Duration;

use super::moment::Moment;
use super::snapshot::{Age, Implausible, ProbesState};

/// The probes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeReport {
    /// Probes that left this host.
    pub sent: u64,
    /// Probes answered, each counted once.
    pub answered: u64,
    /// In a row, at the end.
    pub missed: u32,
    /// Of the newest probe that was answered.
    pub round_trip: Option<Duration>,
}

/// Which probe was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// The newest, by its number: the peer's application has read it.
    Newest,
    /// The newest by the rules, for the answer does not say which.
    SomeProbe,
    /// An older one, or the same a second time.
    NothingNew,
}

/// Probes and their answers on one connection.
#[derive(Debug, Default)]
pub struct Probes {
    sent: u64,
    /// As many as a connection lives to see.
    answered: u32,
    /// Bit `k` is set while probe number `sent - k` waits for its answer. Older probes are forgotten.
    unanswered: u32,
    newest_sent_at: Option<Moment>,
    round_trip_ns: Option<NonZeroU64>,
}

impl Probes {
    /// What outlives the program.
    pub fn snapshot(&self, now: Moment) -> ProbesState {
        let Probes { sent, answered, unanswered, newest_sent_at, round_trip_ns } = *self;
        ProbesState {
            sent,
            answered,
            unanswered,
            newest_sent: newest_sent_at.map(|at| Age::of(at, now)),
            round_trip_ns: round_trip_ns.map(NonZeroU64::get),
        }
    }

    /// Goes on from there.
    ///
    /// # Errors
    /// More were answered than sent, or more sent than there can be.
    pub fn restore(state: &ProbesState, now: Moment) -> Result<Probes, Implausible> {
        let ProbesState { sent, answered, unanswered, newest_sent, round_trip_ns } = *state;
        Implausible::unless(sent <= u64::MAX / 2, "too many probes")?;
        Implausible::unless(u64::from(answered) <= sent, "more probes answered than sent")?;
        Ok(Probes {
            sent,
            answered,
            unanswered,
            newest_sent_at: newest_sent.map(|age| age.moment(now)),
            round_trip_ns: round_trip_ns.and_then(NonZeroU64::new),
        })
    }

    /// Notes that a probe goes out now, and gives its number: 1, 2, …
    pub fn send(&mut self, now: Moment) -> u64 {
        self.sent += 1;
        self.unanswered = self.unanswered << 1 | 1;
        self.newest_sent_at = Some(now);
        self.sent
    }

    /// Notes an answer to the probe `number`; one without a number, or with one that was never sent, is an answer
    /// to the newest. A second answer to the same probe counts for nothing.
    pub fn answer(&mut self, number: Option<u64>, now: Moment) -> Answered {
        let number = number.filter(|number| (1..=self.sent).contains(number));
        let age = number.map_or(0, |number| self.sent - number);
        let bit = u32::try_from(age).ok().and_then(|age| 1u32.checked_shl(age));
        let Some(bit) = bit.filter(|bit| self.unanswered & bit != 0) else {
            return Answered::NothingNew;
        };
        self.unanswered &= !bit;
        self.answered = self.answered.saturating_add(1);
        if age > 0 {
            return Answered::NothingNew;
        }
        let sent_at = self.newest_sent_at;
        let round_trip = sent_at.map(|sent_at| (now - sent_at).as_nanos().max(1) as u64); // 584 years
        self.round_trip_ns = round_trip.and_then(NonZeroU64::new);
        if number.is_some() { Answered::Newest } else { Answered::SomeProbe }
    }

    /// When the newest was sent.
    pub fn newest_sent_at(&self) -> Option<Moment> {
        self.newest_sent_at
    }

    /// What is to be told of them. Of what was sent last, the kernel still has `unsent` bytes, and `rest` bytes of the newest
    /// probe it did not even take: a probe of which any is left has not left this host.
    pub fn report(&self, missed: u32, unsent: Option<u32>, rest: u8) -> ProbeReport {
        let unsent = unsent.unwrap_or_default() + u32::from(rest);
        ProbeReport {
            sent: self.sent - self.unsent(unsent, missed),
            answered: self.answered.into(),
            missed,
            round_trip: self.round_trip(),
        }
    }

    fn round_trip(&self) -> Option<Duration> {
        self.round_trip_ns.map(|nanos| Duration::from_nanos(nanos.get()))
    }

    /// How many of the newest probes, one after the other, have a part in the last `bytes` of what was sent.
    fn unsent(&self, bytes: u32, missed: u32) -> u64 {
        let newest =
            (0..=u64::from(missed)).map_while(|age| self.sent.checked_sub(age)).filter(|number| *number > 0);
        let before = newest.scan(0, |length, number| {
            let behind = *length;
            *length += line_length(number);
            Some(behind)
        });
        before.take_while(|behind| *behind < bytes).count() as u64
    }
}

/// `PING `, the number, and a line feed.
fn line_length(number: u64) -> u32 {
    const WITHOUT_NUMBER: u32 = 6;
    WITHOUT_NUMBER + number.checked_ilog10().map_or(1, |digits| digits + 1)
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
        assert_eq!((probes.answered, probes.round_trip()), (1, None));
        probes.answer(Some(3), now);
        assert_eq!(probes.answered, 2);
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
        assert_eq!(probes.answered, 1);
        assert_eq!(probes.round_trip(), Some(Duration::from_secs(1)));
    }

    #[test]
    fn an_answer_before_any_probe_and_one_after_many_are_harmless() {
        let now = Moment::START;
        let mut probes = Probes::default();
        probes.answer(None, now);
        assert_eq!(probes.answered, 0);
        for _ in 0..100 {
            probes.send(now);
        }
        probes.answer(Some(1), now);
        assert_eq!((probes.sent, probes.answered), (100, 0));
    }
}
