//! Whatever happens to a connection in whatever order: nothing is done too early, nothing too late, nothing twice.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;
use pulse_echo::core::{
    Close, CloseReason, Deadlines, Evidence, HEADROOM, Heartbeat, Jitter, Liveness, Moment, PUNCTUAL,
    Protocol, Session, Step, Timing,
};

use crate::model::{Model, What, heartbeat, timing};

/// What can happen to a connection. What cannot happen in its state is skipped.
#[derive(Debug, Clone, Copy)]
enum Event {
    Receive(&'static str),
    /// From now on the peer takes only so many bytes at once of what it is sent.
    Room(usize),
    /// The peer takes so many of the bytes that wait for it.
    Take(usize),
    /// The peer's TCP takes bytes out of the send buffer: there is no room yet, but it is alive.
    Acknowledge,
    Wait(u64),
    /// The timer fires when it should.
    AskOnTime,
    /// The timer fires so much later.
    AskLate(u64),
    /// Somebody asks, perhaps for nothing.
    AskNow,
    EndOfInput,
    /// Another program goes on with the connection.
    HandOver,
    /// The server stops; its grace is so long.
    Stop(Option<u64>),
}

fn event() -> impl Strategy<Value = Event> {
    let bytes =
        select(vec!["x\n", "half", "\n", "PONG 1\n", "PONG\n", "PING\n", "PO", "long line\nand half"]);
    prop_oneof![
        40 => bytes.prop_map(Event::Receive),
        20 => prop_oneof![Just(usize::MAX), 0..8usize].prop_map(Event::Room),
        25 => prop_oneof![Just(usize::MAX), 1..5usize].prop_map(Event::Take),
        10 => Just(Event::Acknowledge),
        30 => (1..80u64).prop_map(Event::Wait),
        80 => Just(Event::AskOnTime),
        10 => prop_oneof![1..250u64, Just(2_000)].prop_map(Event::AskLate),
        10 => Just(Event::AskNow),
        1 => Just(Event::EndOfInput),
        10 => Just(Event::HandOver),
        1 => proptest::option::of(1..300u64).prop_map(Event::Stop),
    ]
}

/// The same session in another program, with nothing but words in between.
fn handed_over(session: &Session, now: Moment) -> Session {
    let words = serde_json::to_string(&session.snapshot(now)).expect("words for any state");
    let state = serde_json::from_str(&words).expect("the state that was put into words");
    let restored = Session::restore(&state, now, Duration::ZERO).expect("a state that a session was in");
    assert_eq!(restored.snapshot(now), state);
    restored
}

/// A connection and what the rules say about it.
struct Life {
    timing: Timing,
    session: Session,
    model: Model,
    now: Moment,
    /// What the timer was set to. It is moved forward only when it fires.
    timer_at: Option<Moment>,
    room: usize,
    unsent: usize,
    unsent_is_probe: bool,
    acknowledged: Option<u64>,
    input_ended: bool,
    closed_for: Option<CloseReason>,
    received_bytes: u64,
    discarded_bytes: u64,
    sent_bytes: u64,
    probes: u64,
}

impl Life {
    fn new(timing: Timing, jitter: Jitter, acknowledged: Option<u64>) -> Life {
        let now = Moment::START;
        Life {
            timing,
            session: Session::new(Protocol::Line, now, jitter),
            model: Model::new(timing, now),
            now,
            timer_at: None,
            room: usize::MAX,
            unsent: 0,
            unsent_is_probe: false,
            acknowledged,
            input_ended: false,
            closed_for: None,
            received_bytes: 0,
            discarded_bytes: 0,
            sent_bytes: 0,
            probes: 0,
        }
    }

    fn happens(&mut self, event: Event) -> TestCaseResult {
        match event {
            Event::Receive(bytes) => self.receive(bytes.as_bytes()),
            Event::Room(bytes) => self.room = bytes,
            Event::Take(bytes) => self.take(bytes),
            Event::Acknowledge => {
                if let Some(acknowledged) = &mut self.acknowledged {
                    *acknowledged += 1;
                    self.model.acknowledged(self.now);
                }
            }
            Event::Wait(milliseconds) => self.now = self.now + Duration::from_millis(milliseconds),
            Event::AskOnTime => return self.ask_after(Duration::ZERO),
            Event::AskLate(milliseconds) => return self.ask_after(Duration::from_millis(milliseconds)),
            Event::AskNow => return self.ask_until_at_rest(),
            Event::EndOfInput if self.unsent == 0 => {
                self.input_ended = true;
                let mut buffer = [0; HEADROOM];
                let rest = self.session.end_of_input(&mut buffer);
                self.model.echoed(&buffer[rest.clone()]);
                self.unsent_is_probe = false;
                self.send(rest.len());
            }
            Event::EndOfInput => {}
            Event::HandOver => {
                self.session = handed_over(&self.session, self.now);
                self.timer_at = None;
            }
            Event::Stop(grace) => {
                let until = grace.map(|grace| self.now + Duration::from_millis(grace));
                self.session.finish(CloseReason::ServerShutdown, until);
                self.model.ending(CloseReason::ServerShutdown, until);
            }
        }
        Ok(())
    }

    /// Nothing is read while anything waits for the peer.
    fn receive(&mut self, bytes: &[u8]) {
        if self.unsent > 0 || self.input_ended {
            return;
        }
        self.received_bytes += bytes.len() as u64;
        if self.model.ending_reason().is_some() {
            self.discarded_bytes += bytes.len() as u64;
            self.session.discard(self.now, bytes.len());
            return self.model.received(self.now, b"");
        }
        let mut buffer = [&[0; HEADROOM], bytes].concat();
        let echo = self.session.receive(self.now, &mut buffer);
        self.model.received(self.now, &buffer[echo.clone()]);
        self.unsent_is_probe = false;
        self.send(echo.len());
    }

    fn send(&mut self, bytes: usize) {
        self.unsent = bytes;
        self.take(self.room);
        if self.unsent > 0 {
            let evidence = self.evidence();
            self.session.blocked(self.now, &evidence);
            self.model.blocked(self.now);
        }
    }

    fn take(&mut self, bytes: usize) {
        let bytes = bytes.min(self.unsent);
        if bytes > 0 {
            self.unsent -= bytes;
            self.sent_bytes += bytes as u64;
            self.session.sent(self.now, bytes);
            self.model.taken(self.now, self.unsent);
        }
    }

    /// What the kernel took is acknowledged at once, but for what was there when it took no more.
    fn evidence(&self) -> Evidence {
        let acknowledged =
            self.acknowledged.map(|blocked| if self.unsent > 0 { blocked } else { self.sent_bytes });
        Evidence { acknowledged_bytes: acknowledged, ..Evidence::default() }
    }

    fn ask_after(&mut self, delay: Duration) -> TestCaseResult {
        if let Some(due) = self.session.next_timeout(&self.timing) {
            self.now = self.now.max(due) + delay;
        }
        self.ask_until_at_rest()
    }

    /// One call does one thing, and several may be due. Then everything is done that had to be.
    fn ask_until_at_rest(&mut self) -> TestCaseResult {
        for _ in 0..5 {
            self.ask()?;
            let next = self.session.next_timeout(&self.timing);
            if self.closed_for.is_some() || next.is_none_or(|next| next > self.now) {
                let windows = self.model.windows();
                let overdue = windows.iter().find(|window| window.latest <= self.now);
                prop_assert!(self.closed_for.is_some() || overdue.is_none(), "not done: {:?}", overdue);
                return Ok(());
            }
        }
        Err(TestCaseError::fail("asked again and again, something is always due"))
    }

    fn ask(&mut self) -> TestCaseResult {
        let now = self.now;
        let due = self.session.next_timeout(&self.timing);
        let late = due.and_then(|due| now.checked_duration_since(due));
        let judging = self.session.is_judging(&self.timing, now);
        let evidence = judging.then(|| self.evidence());
        let step = self.session.handle_timeout(&self.timing, now, evidence.as_ref());
        let Some(late) = late else {
            prop_assert_eq!(step, None, "nothing was due");
            prop_assert_eq!(self.session.next_timeout(&self.timing), due, "asking early changes nothing");
            return Ok(());
        };
        let slept = late > PUNCTUAL && self.model.ending_reason().is_none();
        match step {
            Some(Step::Forgive(told)) => {
                prop_assert!(slept && told == late, "{:?} late, and not {:?}", late, told);
                self.model.forgave(now, late);
                return Ok(());
            }
            // An age is not forgiven, and to look late whether something has arrived blames nobody.
            Some(Step::Finish) | None => {}
            _ => prop_assert!(!slept, "{:?} late, and yet {:?}", late, step),
        }
        self.model.looked(now);
        match step {
            Some(step) => self.does(step),
            None => Ok(()),
        }
    }

    fn does(&mut self, step: Step) -> TestCaseResult {
        match step {
            Step::Send(probe) => {
                self.expect(What::Probe)?;
                self.probes += 1;
                let line = format!("PING {}\n", self.probes);
                prop_assert_eq!(probe.as_bytes(), line.as_bytes());
                self.unsent_is_probe = true;
                self.send(line.len());
            }
            Step::Finish => self.expect(What::Finish)?,
            Step::Close(reason) => {
                self.expect(What::Close(reason))?;
                self.closed_for = Some(reason);
            }
            Step::Forgive(_) => {}
        }
        Ok(())
    }

    /// The rules must allow it now.
    fn expect(&mut self, what: What) -> TestCaseResult {
        let windows = self.model.windows();
        let allowed = windows.iter().any(|window| window.what == what && window.earliest <= self.now);
        prop_assert!(allowed, "{:?} {:?} after the opening; allowed: {:?}", what, self.age(), windows);
        self.model.did(what, self.now);
        Ok(())
    }

    fn age(&self) -> Duration {
        self.session.report(self.now, &Evidence::default()).lifetime
    }

    /// A timer that is left where it is, without a look at the deadlines, fires in time for all of them.
    fn move_timer(&mut self) -> TestCaseResult {
        let next = self.session.next_timeout(&self.timing);
        let shortest_wait = Liveness::shortest_wait(&self.timing);
        let pending = self.timer_at.filter(|at| *at > self.now);
        match pending.filter(|at| self.session.is_timer_early_enough(*at, shortest_wait)) {
            Some(at) => prop_assert!(next.is_none_or(|next| next >= at), "{:?} is due before {:?}", next, at),
            None => self.timer_at = pending.into_iter().chain(next).min(),
        }
        Ok(())
    }

    fn check(&mut self) -> TestCaseResult {
        self.move_timer()?;
        let next = self.session.next_timeout(&self.timing);
        let must_by = self.model.windows().iter().map(|window| window.latest).min();
        let in_time = must_by.is_none_or(|must_by| next.is_some_and(|next| next <= must_by));
        prop_assert!(in_time, "the timer would fire too late");
        let report = self.session.report(self.now, &Evidence::default());
        prop_assert_eq!(report.received_bytes, self.received_bytes);
        prop_assert_eq!(report.sent_bytes, self.sent_bytes);
        prop_assert_eq!(self.session.is_flushed(), self.unsent == 0);
        let unsent_echo = if self.unsent_is_probe { 0 } else { self.unsent };
        let unechoed = self.discarded_bytes + unsent_echo as u64;
        prop_assert!((unechoed..=unechoed + 63).contains(&report.unechoed_bytes), "the rest is held");
        let Some(probes) = report.probes else {
            return Err(TestCaseError::fail("the line protocol counts its probes"));
        };
        let not_left = self.unsent_is_probe && self.unsent > 0;
        prop_assert_eq!(probes.sent, self.probes - u64::from(not_left));
        prop_assert!(probes.answered <= probes.sent);
        let last_miss = self.closed_for == Some(CloseReason::HeartbeatTimeout);
        prop_assert_eq!(probes.missed as usize, self.model.missed() + usize::from(last_miss));
        let reset = self.session.conclude(CloseReason::PeerReset.into());
        let first_cause = self.model.ending_reason().unwrap_or(CloseReason::PeerReset);
        prop_assert_eq!(reset, Close::from(first_cause), "the first cause wins");
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.closed_for.is_some() || self.input_ended && self.unsent == 0
    }
}

proptest! {
    #![proptest_config(crate::config())]

    #[test]
    fn nothing_is_done_too_early_or_too_late(
        timing in timing(),
        jitter in any::<Jitter>(),
        acknowledged in proptest::option::of(0..9u64),
        events in vec(event(), 1..150),
    ) {
        let mut life = Life::new(timing, jitter, acknowledged);
        for event in events {
            life.happens(event)?;
            life.check()?;
            if life.is_over() {
                break;
            }
        }
    }

    #[test]
    fn a_silent_peer_is_closed_within_interval_and_all_timeouts(heartbeat in heartbeat(), jitter in any::<Jitter>()) {
        let Heartbeat { interval, timeout, max_missed } = heartbeat;
        let mut probes = Vec::new();
        let (closed_after, missed) = stay_silent(heartbeat, jitter, |after| probes.push(after))?;
        prop_assert!(probes[0] <= interval && probes[0] >= interval * 4 / 5);
        prop_assert!(jitter > 0 || probes[0] == interval);
        let times: Vec<Duration> = (0..max_missed).map(|count| probes[0] + timeout * count).collect();
        prop_assert_eq!(&probes, &times);
        prop_assert_eq!(closed_after, probes[0] + timeout * max_missed);
        prop_assert!(closed_after <= heartbeat.detection_time());
        prop_assert_eq!(missed, max_missed);
    }

    #[test]
    fn more_jitter_is_never_later(heartbeat in heartbeat(), jitter in 1..=Jitter::MAX) {
        let first_probe = |jitter| {
            let mut first = None;
            let end = stay_silent(heartbeat, jitter, |after| { first.get_or_insert(after); });
            end.map(|_| first)
        };
        prop_assert!(first_probe(jitter)? < first_probe(jitter - 1)?);
    }
}

/// Asks on time until the end; returns when that came, and what was missed by then.
fn stay_silent(
    heartbeat: Heartbeat,
    jitter: Jitter,
    mut probed: impl FnMut(Duration),
) -> Result<(Duration, u32), TestCaseError> {
    let deadlines = Deadlines { read: None, write: None, lifetime: None };
    let timing = Timing { deadlines, heartbeat: Some(heartbeat) };
    let start = Moment::START;
    let mut session = Session::new(Protocol::Line, start, jitter);
    while let Some(now) = session.next_timeout(&timing) {
        let evidence = session.is_judging(&timing, now).then(Evidence::default);
        match session.handle_timeout(&timing, now, evidence.as_ref()) {
            Some(Step::Send(probe)) => {
                session.sent(now, probe.as_bytes().len());
                probed(now - start);
            }
            Some(Step::Close(CloseReason::HeartbeatTimeout)) => {
                let missed =
                    session.report(now, &Evidence::default()).probes.map_or(0, |probes| probes.missed);
                return Ok((now - start, missed));
            }
            other => return Err(TestCaseError::fail(format!("{other:?} after {:?}", now - start))),
        }
    }
    Err(TestCaseError::fail("it waits for nothing"))
}
