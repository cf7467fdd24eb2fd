//! The rules of liveness, read as windows of time: what may happen from when on, and must by when.

use std::time::Duration;

use proptest::prelude::*;
use pulse_echo::core::{CloseReason, Deadlines, Heartbeat, Moment, Timing};

/// How long a connection may live on once it is over for age.
const LAST_GRACE: Duration = Duration::from_secs(5);

/// What the rules need to know of a connection's past.
#[derive(Debug)]
pub struct Model {
    timing: Timing,
    opened_at: Moment,
    /// The peer has sent nothing since then that was read, and was not kept from it by its own slow reading.
    silent_since: Moment,
    /// The probes since the last received byte: from when on each waited for one.
    waiting_probes: Vec<Moment>,
    has_probed: bool,
    mid_line: bool,
    stall: Option<Stall>,
    ending: Option<(CloseReason, Option<Moment>)>,
}

/// The peer leaves bytes of ours untaken.
#[derive(Debug)]
struct Stall {
    /// Its TCP took the last byte then.
    progress_at: Moment,
    /// We knew that it took a byte then; an acknowledgement shows only when the clock is asked.
    progress_known_at: Moment,
    acknowledgement_unseen: bool,
}

/// One thing that may happen at the earliest, and must at the latest, at these times.
#[derive(Debug, PartialEq, Eq)]
pub struct Window {
    pub what: What,
    pub earliest: Moment,
    pub latest: Moment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Probe,
    Finish,
    Close(CloseReason),
}

impl Model {
    pub fn new(timing: Timing, now: Moment) -> Model {
        Model {
            timing,
            opened_at: now,
            silent_since: now,
            waiting_probes: Vec::new(),
            has_probed: false,
            mid_line: false,
            stall: None,
            ending: None,
        }
    }

    pub fn windows(&self) -> Vec<Window> {
        if let Some((reason, until)) = self.ending {
            return until.map(|until| exactly(What::Close(reason), until)).into_iter().collect();
        }
        let lifetime = self.timing.deadlines.lifetime;
        let lifetime = lifetime.map(|lifetime| Window {
            what: What::Finish,
            earliest: self.opened_at + (lifetime - lifetime / 10),
            latest: self.opened_at + lifetime,
        });
        let others = match &self.stall {
            Some(stall) => vec![self.write_window(stall)],
            None => vec![self.read_window(), self.heartbeat_window()],
        };
        lifetime.into_iter().chain(others.into_iter().flatten()).collect()
    }

    fn write_window(&self, stall: &Stall) -> Option<Window> {
        let write = self.timing.deadlines.write?;
        let what = What::Close(CloseReason::WriteTimeout);
        let unseen = stall.acknowledgement_unseen.then_some(write);
        let latest = stall.progress_known_at + write + unseen.unwrap_or_default();
        Some(Window { what, earliest: stall.progress_at + write, latest })
    }

    fn read_window(&self) -> Option<Window> {
        let read = self.timing.deadlines.read?;
        Some(exactly(What::Close(CloseReason::ReadTimeout), self.silent_since + read))
    }

    fn heartbeat_window(&self) -> Option<Window> {
        let heartbeat = self.timing.heartbeat.filter(|_| !self.mid_line)?;
        let Some(waiting_since) = self.waiting_probes.last() else {
            let latest = self.silent_since + heartbeat.interval;
            let early = if self.has_probed { Duration::ZERO } else { heartbeat.interval / 5 };
            let earliest = self.silent_since + (heartbeat.interval - early);
            return Some(Window { what: What::Probe, earliest, latest });
        };
        let enough = self.waiting_probes.len() >= heartbeat.max_missed as usize;
        let what = if enough { What::Close(CloseReason::HeartbeatTimeout) } else { What::Probe };
        Some(exactly(what, *waiting_since + heartbeat.timeout))
    }

    /// Something arrived, and this goes back.
    pub fn received(&mut self, now: Moment, echo: &[u8]) {
        self.silent_since = now;
        self.waiting_probes.clear();
        self.echoed(echo);
    }

    pub fn echoed(&mut self, echo: &[u8]) {
        self.mid_line = echo.last().map_or(self.mid_line, |last| *last != b'\n');
    }

    pub fn blocked(&mut self, now: Moment) {
        let stall = Stall { progress_at: now, progress_known_at: now, acknowledgement_unseen: false };
        self.stall = Some(stall);
    }

    pub fn taken(&mut self, now: Moment, rest: usize) {
        match &mut self.stall {
            Some(stall) if rest > 0 => (stall.progress_at, stall.progress_known_at) = (now, now),
            Some(_) => {
                self.stall = None;
                self.silent_since = now;
                self.waiting_probes.last_mut().into_iter().for_each(|since| *since = now);
            }
            None => {}
        }
    }

    pub fn acknowledged(&mut self, now: Moment) {
        if let Some(stall) = &mut self.stall {
            (stall.progress_at, stall.acknowledgement_unseen) = (now, true);
        }
    }

    /// The clock was asked when it was due.
    pub fn looked(&mut self, now: Moment) {
        if let Some(stall) = &mut self.stall
            && stall.acknowledgement_unseen
        {
            (stall.progress_known_at, stall.acknowledgement_unseen) = (now, false);
        }
    }

    pub fn did(&mut self, what: What, now: Moment) {
        match what {
            What::Probe => {
                self.has_probed = true;
                self.waiting_probes.push(now);
            }
            What::Finish => self.ending(CloseReason::LifetimeOver, Some(now + LAST_GRACE)),
            What::Close(_) => {}
        }
    }

    /// We slept this long after something was due: the peer has its time again.
    pub fn forgave(&mut self, now: Moment, late: Duration) {
        if let Some(stall) = &mut self.stall {
            (stall.progress_at, stall.progress_known_at) = (now, now);
        } else if self.read_window().is_some_and(|window| window.latest + late == now) {
            self.silent_since = now;
        } else {
            // A late probe goes out at once; the wait for an answer is repeated as a whole.
            let again = self.waiting_probes.last().map_or(late, |since| now - *since);
            self.silent_since = now.min(self.silent_since + again);
            self.waiting_probes.last_mut().into_iter().for_each(|since| *since = now);
        }
    }

    /// The first end of ours stands.
    pub fn ending(&mut self, reason: CloseReason, until: Option<Moment>) {
        self.ending.get_or_insert((reason, until));
    }

    pub fn ending_reason(&self) -> Option<CloseReason> {
        self.ending.map(|(reason, _)| reason)
    }

    /// Probes whose wait was over before the next was sent.
    pub fn missed(&self) -> usize {
        self.waiting_probes.len().saturating_sub(1)
    }
}

fn exactly(what: What, at: Moment) -> Window {
    Window { what, earliest: at, latest: at }
}

fn some_milliseconds(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

pub fn heartbeat() -> impl Strategy<Value = Heartbeat> {
    (some_milliseconds(10..200), some_milliseconds(1..100), 1..5u32)
        .prop_map(|(interval, timeout, max_missed)| Heartbeat { interval, timeout, max_missed })
}

/// Any settings, some of them off.
pub fn timing() -> impl Strategy<Value = Timing> {
    let deadlines = (
        proptest::option::of(some_milliseconds(20..600)),
        proptest::option::weighted(0.8, some_milliseconds(8..200)),
        proptest::option::weighted(0.3, some_milliseconds(100..3_000)),
    );
    let deadlines = deadlines.prop_map(|(read, write, lifetime)| Deadlines { read, write, lifetime });
    (deadlines, proptest::option::weighted(0.8, heartbeat()))
        .prop_map(|(deadlines, heartbeat)| Timing { deadlines, heartbeat })
}
