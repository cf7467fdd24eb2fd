//! The rules of liveness, each by an example.

use super::*;
use crate::core::{Deadlines, Heartbeat, whole_seconds};

const SECOND: Duration = Duration::from_secs(1);
const READ_TIMEOUT: Action = Action::Close(CloseReason::ReadTimeout);
const WRITE_TIMEOUT: Action = Action::Close(CloseReason::WriteTimeout);
const HEARTBEAT_TIMEOUT: Action = Action::Close(CloseReason::HeartbeatTimeout);
const OVER_AGE: Action = Action::Finish(CloseReason::LifetimeOver);

fn forgive(seconds: u32) -> Action {
    Action::Forgive(SECOND * seconds)
}

/// A connection whose times are seconds since it was opened. Read 60, write 8, heartbeat 15 + 3 × 5.
struct Life {
    liveness: Liveness,
    timing: Timing,
    may_probe: bool,
    start: Moment,
    /// The kernel has bytes of an echo that the peer has not acknowledged, or does not take more.
    held_up: bool,
}

fn life() -> Life {
    let start = Moment::START;
    let deadlines = Deadlines { read: Some(SECOND * 60), write: Some(SECOND * 8), lifetime: None };
    let heartbeat = Heartbeat { interval: SECOND * 15, timeout: SECOND * 5, max_missed: 3 };
    let timing = Timing { deadlines, heartbeat: Some(heartbeat) };
    Life { liveness: Liveness::new(start, 0), timing, may_probe: true, start, held_up: false }
}

impl Life {
    fn at(&self, second: u32) -> Moment {
        self.start + SECOND * second
    }

    fn next(&self) -> Option<Duration> {
        let next = self.liveness.next_timeout(&self.timing, self.may_probe);
        next.map(|next| next - self.start)
    }

    fn ask(&mut self, second: u32, acknowledged: Option<u64>) -> Option<Action> {
        self.ask_at(self.at(second), Evidence { acknowledged_bytes: acknowledged, ..Evidence::default() })
    }

    fn ask_at(&mut self, now: Moment, evidence: Evidence) -> Option<Action> {
        let left = u64::from(self.held_up);
        let left = Left { all: left, echo: left };
        let judging = self.liveness.is_judging(&self.timing, self.may_probe, now);
        let look = judging.then_some(Look { left, evidence: &evidence });
        self.liveness.handle_timeout(&self.timing, self.may_probe, now, look)
    }

    fn block(&mut self, second: u32, acknowledged: Option<u64>) {
        let evidence = Evidence { acknowledged_bytes: acknowledged, ..Evidence::default() };
        self.held_up = true;
        self.liveness.blocked(self.at(second), &evidence);
    }

    /// The peer takes everything.
    fn flush(&mut self, second: u32) {
        self.held_up = false;
        self.liveness.flushed(self.at(second));
    }

    fn retime(&mut self, second: u32) {
        let now = self.at(second);
        self.liveness.retime(&self.timing, self.may_probe, now);
    }

    /// Asks whenever it wants to be asked, until something is done: this, at that second.
    #[track_caller]
    fn expect(&mut self, second: u32, action: Action) {
        let (mut done, mut looks) = (None, 0);
        while let (None, Some(next)) = (done, self.next()) {
            let now = self.start + next;
            let action = self.ask_at(now, Evidence::default());
            done = action.map(|action| (next, action));
            looks += 1;
            assert!(looks < 1_000, "it would be asked for ever");
        }
        assert_eq!(done, Some((SECOND * second, action)));
    }
}

#[test]
fn silence_is_probed_until_enough_probes_were_missed() {
    let mut life = life();
    for (missed, second) in [(0, 15), (1, 20), (2, 25)] {
        life.expect(second, Action::Probe);
        assert_eq!(life.liveness.missed(), missed);
    }
    life.expect(30, HEARTBEAT_TIMEOUT);
    assert_eq!(life.liveness.missed(), 3);
    assert_eq!(life.timing.heartbeat.map(|heartbeat| heartbeat.detection_time()), Some(SECOND * 30));
}

#[test]
fn any_byte_ends_the_wait_and_clears_what_was_missed() {
    let mut life = life();
    life.expect(15, Action::Probe);
    life.expect(20, Action::Probe);
    life.liveness.received(life.at(24));
    assert_eq!((life.liveness.missed(), life.liveness.heard_at()), (0, life.at(24)));
    life.expect(39, Action::Probe);
}

#[test]
fn asking_early_or_twice_does_no_harm() {
    let mut life = life();
    let answers = [14, 15, 15, 19].map(|second| life.ask(second, None));
    assert_eq!(answers, [None, Some(Action::Probe), None, None]);
    assert_eq!((life.next(), life.liveness.missed()), (Some(SECOND * 20), 0));
}

#[test]
fn only_the_first_probe_is_early_and_by_a_fifth_at_most() {
    for jitter in [1, 128, Jitter::MAX] {
        let mut life = life();
        life.liveness = Liveness::new(life.start, jitter);
        let first = life.next();
        assert!(first < Some(SECOND * 15) && first > Some(SECOND * 12), "{jitter}: {first:?}");
        let probe_at = first.map(|first| life.start + first).unwrap();
        life.ask_at(probe_at, Evidence::default());
        life.liveness.received(life.at(16));
        life.expect(31, Action::Probe);
    }
}

#[test]
fn where_no_probe_may_go_the_read_deadline_rules() {
    let mut life = life();
    life.may_probe = false;
    life.expect(60, READ_TIMEOUT);
}

#[test]
fn a_slow_reader_is_never_reported_as_idle() {
    let mut life = life();
    life.timing.deadlines.write = None;
    life.block(10, None);
    for second in (15..1_000).step_by(5) {
        assert_eq!((life.next(), life.ask(second, None)), (Some(SECOND * second), None));
    }
    life.flush(1_000);
    life.expect(1_015, Action::Probe);
    assert_eq!(life.liveness.heard_at(), life.start, "what it took is no byte received");
}

#[test]
fn a_probe_waits_for_its_answer_from_when_it_was_taken() {
    let mut life = life();
    life.expect(15, Action::Probe);
    life.block(15, None);
    life.flush(18);
    life.expect(23, Action::Probe);
    assert_eq!(life.liveness.missed(), 1);
}

#[test]
fn to_send_what_is_taken_at_once_is_no_sign_of_life() {
    let mut life = life();
    life.flush(10);
    life.expect(15, Action::Probe);
}

#[test]
fn every_byte_taken_starts_the_write_deadline_again() {
    let mut life = life();
    life.block(10, None);
    life.liveness.sent(life.at(17));
    life.block(17, None);
    life.expect(25, WRITE_TIMEOUT);
}

#[test]
fn an_acknowledgement_starts_the_write_deadline_again_and_is_looked_for_four_times_in_it() {
    let mut life = life();
    life.block(10, Some(5));
    for (second, acknowledged) in [(12, 5), (14, 6), (16, 6), (18, 6), (20, 6)] {
        assert_eq!(life.next(), Some(SECOND * second));
        assert_eq!(life.ask(second, Some(acknowledged)), None, "{second}");
    }
    assert_eq!(life.ask(22, Some(6)), Some(WRITE_TIMEOUT), "eight seconds after the growth was seen");
}

#[test]
fn over_age_is_an_orderly_end_even_for_a_peer_that_takes_nothing() {
    for held_up in [false, true] {
        let mut life = life();
        life.timing.deadlines.lifetime = Some(SECOND * 12);
        if held_up {
            life.block(11, None);
        }
        life.expect(12, OVER_AGE);
    }
}

#[test]
fn lifetimes_end_spread_over_their_last_tenth_and_never_late() {
    let ends = (0..=Jitter::MAX).map(|jitter| {
        let mut life = life();
        life.timing = Timing { heartbeat: None, ..life.timing };
        life.timing.deadlines = Deadlines { lifetime: Some(SECOND * 1000), read: None, write: None };
        life.liveness = Liveness::new(life.start, jitter);
        life.next().expect("the lifetime")
    });
    let ends: Vec<Duration> = ends.collect();
    assert_eq!(ends.first(), Some(&(SECOND * 1000)));
    assert!(ends.is_sorted_by(|earlier, later| earlier > later), "each at a time of its own");
    assert!(ends.last() > Some(&(SECOND * 900)), "{:?}", ends.last());
}

#[test]
fn of_things_due_at_once_age_comes_first_then_read_then_heartbeat() {
    let at_once = Some(SECOND * 15);
    let table = [(at_once, at_once, OVER_AGE), (None, at_once, READ_TIMEOUT), (None, None, Action::Probe)];
    for (lifetime, read, first) in table {
        let mut life = life();
        life.timing.deadlines = Deadlines { lifetime, read, ..life.timing.deadlines };
        life.expect(15, first);
    }
}

#[test]
fn with_everything_off_nothing_is_waited_for() {
    let mut life = life();
    let deadlines = Deadlines { read: None, write: None, lifetime: None };
    life.timing = Timing { deadlines, heartbeat: None };
    assert_eq!((life.next(), life.ask(1_000_000, None)), (None, None));
    life.block(0, None);
    assert_eq!(life.next(), None);
}

#[test]
fn what_would_judge_the_peer_starts_again_if_we_slept_through_it() {
    let mut unread = life();
    unread.may_probe = false;
    assert_eq!(unread.ask(100, None), Some(forgive(40)));
    unread.expect(160, READ_TIMEOUT);

    let mut held_up = life();
    held_up.block(0, None);
    assert_eq!(held_up.ask(100, None), Some(forgive(98)), "the first look was due after two seconds");
    held_up.expect(108, WRITE_TIMEOUT);

    let mut probed = life();
    probed.expect(15, Action::Probe);
    assert_eq!(probed.ask(100, None), Some(forgive(80)));
    probed.expect(105, Action::Probe);
    assert_eq!(probed.liveness.missed(), 1, "only that of the last five seconds");
}

#[test]
fn a_late_probe_goes_out_at_once_and_its_answer_has_the_usual_time() {
    let mut life = life();
    life.timing.deadlines.read = Some(SECOND * 31);
    assert_eq!(life.ask(30, None), Some(forgive(15)));
    for second in [30, 35, 40] {
        life.expect(second, Action::Probe);
    }
    life.expect(45, HEARTBEAT_TIMEOUT);
}

#[test]
fn a_wait_for_an_answer_that_is_repeated_puts_off_the_read_deadline_as_well() {
    let mut life = life();
    life.timing.deadlines.read = Some(SECOND * 31);
    life.expect(15, Action::Probe);
    assert_eq!(life.ask(21, None), Some(forgive(1)));
    for second in [26, 31] {
        life.expect(second, Action::Probe);
    }
    life.expect(36, HEARTBEAT_TIMEOUT);
}

#[test]
fn no_forgiveness_gives_more_than_the_whole_time() {
    let mut life = life();
    life.timing.deadlines.read = Some(SECOND * 20);
    life.expect(15, Action::Probe);
    // The read deadline and the wait for an answer were over at the same second.
    assert_eq!([life.ask(50, None), life.ask(50, None)], [Some(forgive(30)); 2]);
    life.may_probe = false;
    life.expect(70, READ_TIMEOUT);
}

#[test]
fn a_little_late_is_punctual_and_an_age_is_not_forgiven() {
    let mut life = life();
    let now = life.at(60) + PUNCTUAL;
    life.may_probe = false;
    assert_eq!(life.ask_at(now, Evidence::default()), Some(READ_TIMEOUT));
    life.timing.deadlines.lifetime = Some(SECOND);
    assert_eq!(life.ask(100, None), Some(OVER_AGE));
}

#[test]
fn what_new_settings_make_overdue_starts_again_and_a_probe_goes_out_at_once() {
    let mut unread = life();
    unread.may_probe = false;
    unread.timing.deadlines.read = Some(SECOND * 10);
    unread.retime(30);
    unread.expect(40, READ_TIMEOUT);

    let mut silent = life();
    silent.timing.heartbeat =
        silent.timing.heartbeat.map(|heartbeat| Heartbeat { interval: SECOND, ..heartbeat });
    silent.retime(10);
    silent.expect(10, Action::Probe);

    let mut held_up = life();
    held_up.block(0, None);
    held_up.timing.deadlines.write = Some(SECOND * 4);
    held_up.retime(7);
    held_up.expect(11, WRITE_TIMEOUT);

    let mut old = life();
    old.timing.deadlines.lifetime = Some(SECOND);
    old.retime(10);
    assert_eq!(old.ask(10, None), Some(OVER_AGE), "but an age is an age");
}

#[test]
fn to_be_blocked_again_is_no_progress() {
    let mut life = life();
    life.block(10, None);
    life.block(14, None);
    life.expect(18, WRITE_TIMEOUT);
}

#[test]
fn keepalive_times_are_rounded_up() {
    let rounded = |millis| whole_seconds(Duration::from_millis(millis)).as_secs();
    assert_eq!([1, 999, 1000, 1001, 15_000].map(rounded), [1, 1, 1, 2, 15]);
}
