//! Deadlines and heartbeats as a state machine: what happened and when, in; what to do next and when
//! to look again, out.
//!
//! Traffic only notes the time. Whoever owns the timer asks [`Liveness::next_timeout`] when to wake and then
//! calls [`Liveness::handle_timeout`]; calling it too early, or twice, does no harm.

use std::time::Duration;

use super::close::CloseReason;
use super::delivery::{Delivery, Left, first_look_after};
use super::evidence::Evidence;
use super::moment::Moment;
use super::snapshot::{Age, Implausible, LivenessState};
use super::timing::Timing;

/// What a connection owes to the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send the next probe.
    Probe,
    /// End the connection in good order.
    Finish(CloseReason),
    /// End the connection now.
    Close(CloseReason),
    /// The peer's TCP was silent for so long that it is given up, unless it only does not read.
    GiveUpUnlessHeard,
    /// We slept: so much later than it was due is this asked. The peer was given its time again.
    Forgive(Duration),
}

/// The first probe comes up to a fifth of the interval earlier, and the end of a lifetime up to a tenth of it, so that after
/// a mass reconnect neither happens to all at once. A number from 0 (not earlier) to 255 (almost as early as that), drawn
/// once per connection.
pub type Jitter = u8;

const JITTERS: u32 = Jitter::MAX as u32 + 1;

/// Later than this, and it was we who slept, stopped, starved or suspended: that must not count against a peer.
pub const PUNCTUAL: Duration = Duration::from_millis(200);

/// The greatest `heartbeat.max_missed`: Linux takes no more for TCP_KEEPCNT.
pub const MOST_MISSED: u32 = 127;

/// When a connection was last seen alive, and what it is waiting for.
#[derive(Debug)]
pub struct Liveness {
    opened_at: Moment,
    /// The last received byte; `opened_at` before there is one.
    heard_at: Moment,
    /// Where silence is counted from: `heard_at`, or later, when the peer took the last byte that it had left waiting.
    quiet_since: Moment,
    delivery: Delivery,
    /// Since when the newest probe has been waiting for a sign of life.
    awaiting_since: Option<Moment>,
    /// Probes in a row without a sign of life.
    missed: u32,
    jitter: Jitter,
    /// No probe was sent yet: the first one comes early by the jitter.
    is_unprobed: bool,
}

/// What a deadline or the heartbeat wants. Where several are due at one instant, the order here decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Lifetime,
    Read,
    Delivery,
    Probe,
    Miss,
}

/// What the kernel says when the clock is asked: what of ours is left on its way, and all the rest.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// Bytes that were not acknowledged.
    pub left: Left,
    /// All that it says.
    pub evidence: &'a Evidence,
}

impl Liveness {
    /// A connection that opens now.
    pub fn new(now: Moment, jitter: Jitter) -> Liveness {
        Liveness {
            opened_at: now,
            heard_at: now,
            quiet_since: now,
            delivery: Delivery::default(),
            awaiting_since: None,
            missed: 0,
            jitter,
            is_unprobed: true,
        }
    }

    /// What outlives the program.
    pub fn snapshot(&self, now: Moment) -> LivenessState {
        let Liveness {
            opened_at,
            heard_at,
            quiet_since,
            delivery,
            awaiting_since,
            missed,
            jitter,
            is_unprobed,
        } = self;
        LivenessState {
            opened: Age::of(*opened_at, now),
            heard: Age::of(*heard_at, now),
            quiet: Age::of(*quiet_since, now),
            delivery: delivery.snapshot(now),
            awaiting: awaiting_since.map(|at| Age::of(at, now)),
            missed: *missed,
            jitter: *jitter,
            is_unprobed: *is_unprobed,
        }
    }

    /// Goes on from there, after a pause in which the time of the peer stood still. Only its age has grown.
    ///
    /// # Errors
    /// More probes were missed than any connection allows.
    pub fn restore(state: &LivenessState, now: Moment, pause: Duration) -> Result<Liveness, Implausible> {
        let LivenessState { opened, heard, quiet, delivery, awaiting, missed, jitter, is_unprobed } = state;
        Implausible::unless(*missed <= MOST_MISSED, "too many missed probes")?;
        Age::are_past(&[*opened, *heard, *quiet, awaiting.unwrap_or(*quiet)])?;
        Ok(Liveness {
            opened_at: opened.moment(now) - pause,
            heard_at: heard.moment(now),
            quiet_since: quiet.moment(now),
            delivery: Delivery::restore(delivery, now)?,
            awaiting_since: awaiting.map(|age| age.moment(now)),
            missed: *missed,
            jitter: *jitter,
            is_unprobed: *is_unprobed,
        })
    }

    /// At least one byte arrived: whatever it says, the peer is alive.
    pub fn received(&mut self, now: Moment) {
        self.heard_at = now;
        self.quiet_since = now;
        if self.awaiting_since.take().is_some() {
            self.delivery.heard(now);
        }
        self.missed = 0;
    }

    /// Bytes were given to the kernel.
    pub fn sent(&mut self, now: Moment) {
        self.delivery.sent(now);
    }

    /// Since when there were bytes of which nobody knows whether they were acknowledged, if nobody has looked for them yet.
    pub fn unconfirmed_since(&self) -> Option<Moment> {
        self.delivery.unconfirmed_since()
    }

    /// The peer has all that was sent.
    pub fn confirmed(&mut self) {
        self.delivery.confirm();
    }

    /// The kernel takes no more of what is left to send. From here on the read deadline and the heartbeat rest, as nothing is
    /// read either.
    pub fn blocked(&mut self, now: Moment, evidence: &Evidence) {
        self.delivery.blocked(now, evidence);
    }

    /// The kernel has all that was to be sent: if it did not take it before, the peer's silence is counted from now.
    pub fn flushed(&mut self, now: Moment) {
        if self.delivery.flushed(now) {
            self.listen_from(now);
        }
    }

    /// The peer finished and was sent everything, our FIN too: from here on only its acknowledgement is waited for.
    pub fn expect_last(&mut self, now: Moment, look: Look<'_>) {
        self.delivery.expect_last(now, look.left, look.evidence);
    }

    /// When to look next for the acknowledgement of the last bytes, if it is waited for.
    pub fn next_last_look(&self) -> Option<Moment> {
        self.delivery.next_last_look()
    }

    /// Looks for it.
    pub fn look_for_last(&mut self, now: Moment, look: Look<'_>) {
        self.look(now, look);
    }

    fn listen_from(&mut self, since: Moment) {
        self.quiet_since = self.quiet_since.max(since);
        self.awaiting_since = self.awaiting_since.map(|awaiting| awaiting.max(since));
    }

    /// Traffic moves deadlines later, or begins a wait, which is at least this long.
    pub fn shortest_wait(timing: &Timing) -> Duration {
        let probe = timing.heartbeat.map(|heartbeat| heartbeat.interval - heartbeat.interval / 5);
        let miss = timing.heartbeat.map(|heartbeat| heartbeat.timeout);
        let waits = [timing.deadlines.read, first_look_after(timing), probe, miss];
        waits.into_iter().flatten().min().unwrap_or(Duration::MAX)
    }

    /// Whether a timer that was early enough before the last traffic still is: it fires before a wait that began with that can
    /// be over. So no deadline need be looked at. False proves nothing.
    ///
    /// This does not hold where the kernel took no more, nor for what [`Liveness::handle_timeout`] did.
    pub fn is_early_enough(&self, at: Moment, shortest_wait: Duration) -> bool {
        at <= self.heard_at + shortest_wait
    }

    /// When to call [`Liveness::handle_timeout`]; `None`: nothing is being waited for.
    pub fn next_timeout(&self, timing: &Timing, may_probe: bool) -> Option<Moment> {
        self.next_due(timing, may_probe).map(|(at, _)| at)
    }

    /// Whether what is due at `now` may end the connection. Then the socket is to be read once more and the kernel to be
    /// asked before [`Liveness::handle_timeout`] is.
    pub fn is_judging(&self, timing: &Timing, may_probe: bool, now: Moment) -> bool {
        match self.next_due(timing, may_probe) {
            Some((at, _)) if at > now => false,
            None => false,
            Some((_, Due::Probe)) => self.delivery.is_unconfirmed(),
            Some((_, Due::Lifetime | Due::Delivery | Due::Read | Due::Miss)) => true,
        }
    }

    /// Does what is due at `now`, at most one thing a call. `look`: what the kernel says, where this
    /// [is judging](Liveness::is_judging).
    pub fn handle_timeout(
        &mut self,
        timing: &Timing,
        may_probe: bool,
        now: Moment,
        look: Option<Look<'_>>,
    ) -> Option<Action> {
        let (at, due) = self.next_due(timing, may_probe)?;
        let late = now.checked_duration_since(at)?;
        if late > PUNCTUAL && self.forgive(due, now, late) {
            return Some(Action::Forgive(late));
        }
        let Some(look) = look else {
            return self.act(timing, due, now);
        };
        self.look(now, look);
        if due == Due::Delivery {
            if late > PUNCTUAL {
                self.delivery.forgive(now); // it was looked at so late for the first time
            }
            // A read deadline that is over at the same instant comes first. After a sleep of ours it is asked for by itself.
            let first = self.next_due(timing, may_probe);
            let read_is_over = first.is_some_and(|(at, due)| at <= now && due == Due::Read);
            if late > PUNCTUAL || !read_is_over {
                return self.undelivered(timing, now);
            }
        }
        // The peer may be held up, as has just been seen: then it is no longer due.
        let (_, due) = self.next_due(timing, may_probe).filter(|(at, _)| *at <= now)?;
        self.act(timing, due, now)
    }

    fn act(&mut self, timing: &Timing, due: Due, now: Moment) -> Option<Action> {
        match due {
            Due::Lifetime => Some(Action::Finish(CloseReason::LifetimeOver)),
            Due::Delivery => self.undelivered(timing, now),
            Due::Read => Some(Action::Close(CloseReason::ReadTimeout)),
            Due::Probe => {
                self.delivery.settle();
                Some(self.probe(now))
            }
            Due::Miss => Some(self.miss(timing, now)),
        }
    }

    fn look(&mut self, now: Moment, look: Look<'_>) {
        if let Some(since) = self.delivery.look(now, look.left, look.evidence, self.heard_at) {
            self.listen_from(since);
        }
    }

    /// Other settings hold from now on. What is overdue by them the peer could not know of: it has its time again.
    pub fn retime(&mut self, timing: &Timing, may_probe: bool, now: Moment) {
        while let Some((at, due)) = self.next_due(timing, may_probe)
            && at < now
            && self.forgive(due, now, now - at)
        {}
    }

    /// Gives the peer its time again after we slept. Returns whether there was anything to forgive.
    ///
    /// Restart only the timer that would blame the peer. A late probe blames nobody and goes out at once, but the read
    /// deadline must leave it as much time for its answer as if it had been punctual.
    fn forgive(&mut self, due: Due, now: Moment, late: Duration) -> bool {
        match due {
            Due::Lifetime => return false,
            Due::Read => self.quiet_since = now,
            Due::Probe => self.quiet_since = now.min(self.quiet_since + late),
            Due::Miss => {
                // All of the wait is repeated, and the read deadline must not come in between.
                let waited = self.awaiting_since.map_or(late, |since| now - since);
                self.quiet_since = now.min(self.quiet_since + waited);
                self.awaiting_since = Some(now);
            }
            Due::Delivery => return self.delivery.forgive(now),
        }
        true
    }

    /// The earliest thing due, and of several the first in the order of [`Due`].
    fn next_due(&self, timing: &Timing, may_probe: bool) -> Option<(Moment, Due)> {
        let lifetime = self.lifetime_due(timing);
        let delivery = self.delivery.next_look(timing, self.quiet_since, self.awaiting_since);
        let delivery = delivery.map(|at| (at, Due::Delivery));
        let (read, heartbeat) = match self.delivery.is_held_up() {
            true => (None, None),
            false => (self.read_due(timing), self.heartbeat_due(timing, may_probe)),
        };
        [lifetime, delivery, read, heartbeat].into_iter().flatten().min()
    }

    /// Connections that opened together, as after a restart, do not end together.
    fn lifetime_due(&self, timing: &Timing) -> Option<(Moment, Due)> {
        let lifetime = timing.deadlines.lifetime?;
        let early = lifetime / (10 * JITTERS) * u32::from(self.jitter);
        Some((self.opened_at + (lifetime - early), Due::Lifetime))
    }

    fn read_due(&self, timing: &Timing) -> Option<(Moment, Due)> {
        let read = timing.deadlines.read?;
        Some((self.quiet_since + read, Due::Read))
    }

    fn heartbeat_due(&self, timing: &Timing, may_probe: bool) -> Option<(Moment, Due)> {
        let heartbeat = timing.heartbeat.filter(|_| may_probe)?;
        Some(match self.awaiting_since {
            Some(since) => (since + heartbeat.timeout, Due::Miss),
            None => {
                let early = match self.is_unprobed {
                    true => heartbeat.interval * u32::from(self.jitter) / (5 * JITTERS),
                    false => Duration::ZERO, // nearly always: no need to divide
                };
                (self.quiet_since + (heartbeat.interval - early), Due::Probe)
            }
        })
    }

    fn probe(&mut self, now: Moment) -> Action {
        self.is_unprobed = false;
        self.awaiting_since = Some(now);
        Action::Probe
    }

    fn miss(&mut self, timing: &Timing, now: Moment) -> Action {
        self.missed += 1;
        match timing.heartbeat {
            Some(heartbeat) if self.missed < heartbeat.max_missed => self.probe(now),
            _ => Action::Close(CloseReason::HeartbeatTimeout),
        }
    }

    fn undelivered(&self, timing: &Timing, now: Moment) -> Option<Action> {
        if self.delivery.is_overdue(timing, now) {
            return Some(Action::Close(CloseReason::WriteTimeout));
        }
        self.delivery.is_unheard(timing, now).then_some(Action::GiveUpUnlessHeard)
    }

    /// When the connection was opened.
    pub fn opened_at(&self) -> Moment {
        self.opened_at
    }

    /// When the last byte was received; when the connection was opened, if there was none.
    pub fn heard_at(&self) -> Moment {
        self.heard_at
    }

    /// Since when the newest probe waits for its answer, if one does.
    pub fn awaiting_since(&self) -> Option<Moment> {
        self.awaiting_since
    }

    /// Probes in a row without a sign of life.
    pub fn missed(&self) -> u32 {
        self.missed
    }
}

#[cfg(test)]
mod tests;
