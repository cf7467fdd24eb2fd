//! Deadlines and heartbeats as a state machine: what happened and when, in; what to do next and when
//! to look again, out.
//!
//! Traffic only notes the time. Whoever owns the timer asks [`Liveness::next_timeout`] when to wake and then
//! calls [`Liveness::handle_timeout`]; calling it too early, or twice, does no harm.

use std::time::Duration;

use super::close::CloseReason;
use super::moment::Moment;

/// The deadlines of a connection; `None` is `"off"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Longest time without a received byte.
    pub read: Option<Duration>,
    /// Longest time in which the peer's TCP takes not one of the bytes that wait for it.
    pub write: Option<Duration>,
    /// Greatest age.
    pub lifetime: Option<Duration>,
}

/// The same three settings as TCP keepalive has (tcp(7): `TCP_KEEPIDLE`, `TCP_KEEPINTVL`, `TCP_KEEPCNT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// Silence before the first probe.
    pub interval: Duration,
    /// How long each probe waits for any sign of life.
    pub timeout: Duration,
    /// Consecutive misses that end the connection; at least 1.
    pub max_missed: u32,
}

impl Heartbeat {
    /// The longest time in which a dead peer goes unnoticed.
    pub fn detection_time(&self) -> Duration {
        self.interval + self.timeout * self.max_missed
    }
}

/// The kernel's keepalive knows whole seconds only; rounded up, so that no peer is given up too early.
pub fn whole_seconds(duration: Duration) -> Duration {
    let up = u64::from(duration.subsec_nanos() > 0);
    Duration::from_secs(duration.as_secs() + up)
}

/// Everything that limits a connection in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long silence, a blocked write and the connection may last.
    pub deadlines: Deadlines,
    /// `None` is `interval = "off"`.
    pub heartbeat: Option<Heartbeat>,
}

/// What a connection owes to the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send the next probe.
    Probe,
    /// End the connection in good order.
    Finish(CloseReason),
    /// End the connection now.
    Close(CloseReason),
    /// We slept: so much later than it was due is this asked. The peer was given its time again.
    Forgive(Duration),
}

/// The first probe comes up to a fifth of the interval earlier, so that a mass reconnect does not beat in step.
/// A number from 0 (not earlier) to 255 (almost a fifth), drawn once per connection.
pub type Jitter = u8;

const GREATEST_JITTER: u32 = 5 * (Jitter::MAX as u32 + 1);

/// A blocked write is looked at four times per write deadline: the peer's last acknowledgement
/// is then known to a quarter of it.
const LOOKS_PER_WRITE_DEADLINE: u32 = 4;

/// Later than this, and it was we who slept, stopped, starved or suspended: that must not count against a peer.
pub const PUNCTUAL: Duration = Duration::from_millis(200);

/// When a connection was last seen alive, and what it is waiting for.
#[derive(Debug)]
pub struct Liveness {
    opened_at: Moment,
    /// The last received byte; `opened_at` before there is one.
    heard_at: Moment,
    /// Where silence is counted from: `heard_at`, or later, when the peer took the last byte of a blocked write.
    quiet_since: Moment,
    /// Bytes of ours that the peer does not take. Boxed: hardly a connection ever has any.
    blocked_write: Option<Box<BlockedWrite>>,
    /// Since when the newest probe has been waiting for a sign of life.
    awaiting_since: Option<Moment>,
    /// Probes in a row without a sign of life.
    missed: u32,
    /// The jitter of the first probe; 0 once that was sent.
    jitter: Jitter,
}

#[derive(Debug)]
struct BlockedWrite {
    progress_at: Moment,
    looked_at: Moment,
    acknowledged: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
enum Due {
    Lifetime,
    Write,
    Read,
    Probe,
    Miss,
}

impl Liveness {
    /// A connection that opens now.
    pub fn new(now: Moment, jitter: Jitter) -> Liveness {
        Liveness {
            opened_at: now,
            heard_at: now,
            quiet_since: now,
            blocked_write: None,
            awaiting_since: None,
            missed: 0,
            jitter,
        }
    }

    /// At least one byte arrived: whatever it says, the peer is alive.
    pub fn received(&mut self, now: Moment) {
        self.heard_at = now;
        self.quiet_since = now;
        self.awaiting_since = None;
        self.missed = 0;
    }

    /// Bytes are left that the peer does not take. From here on the read deadline and the heartbeat
    /// rest, as nothing is read either. `acknowledged`: as in [`Liveness::handle_timeout`].
    pub fn blocked(&mut self, now: Moment, acknowledged: Option<u64>) {
        let blocked_write = || Box::new(BlockedWrite { progress_at: now, looked_at: now, acknowledged });
        self.blocked_write.get_or_insert_with(blocked_write);
    }

    /// The peer took some of the bytes that waited for it.
    pub fn advanced(&mut self, now: Moment) {
        if let Some(blocked) = &mut self.blocked_write {
            blocked.progress_at = now;
        }
    }

    /// nothing waits for the peer any more: if it was blocked, its silence is counted from now.
    pub fn flushed(&mut self, now: Moment) {
        if self.blocked_write.take().is_some() {
            self.quiet_since = now;
            self.awaiting_since = self.awaiting_since.map(|_| now);
        }
    }

    /// When to call [`Liveness::handle_timeout`]; `None`: nothing is being waited for.
    pub fn next_timeout(&self, timing: &Timing, may_probe: bool) -> Option<Moment> {
        self.next_due(timing, may_probe).map(|(at, _)| at)
    }

    /// Does what is due at `now`, at most one thing a call.
    ///
    /// `acknowledged`: how many bytes the peer's TCP has acknowledged since the connection began; `None` if unknown.
    pub fn handle_timeout(
        &mut self,
        timing: &Timing,
        may_probe: bool,
        now: Moment,
        acknowledged: Option<u64>,
    ) -> Option<Action> {
        let (at, due) = self.next_due(timing, may_probe)?;
        let late = now.checked_duration_since(at)?;
        if late > PUNCTUAL && self.forgive(due, now, late) {
            return Some(Action::Forgive(late));
        }
        match due {
            Due::Lifetime => Some(Action::Finish(CloseReason::LifetimeOver)),
            Due::Write => self.look_at_blocked_write(timing, now, acknowledged),
            Due::Read => Some(Action::Close(CloseReason::ReadTimeout)),
            Due::Probe => Some(self.probe(now)),
            Due::Miss => Some(self.miss(timing, now)),
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
    /// Restarted is what would judge the peer. A late probe judges nothing and goes out at once, but the read
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
            Due::Write => {
                if let Some(blocked) = &mut self.blocked_write {
                    (blocked.progress_at, blocked.looked_at) = (now, now);
                }
            }
        }
        true
    }

    /// The earliest thing due. Where several are due at one instant, the order here decides.
    fn next_due(&self, timing: &Timing, may_probe: bool) -> Option<(Moment, Due)> {
        let lifetime = timing.deadlines.lifetime;
        let lifetime = lifetime.map(|lifetime| (self.opened_at + lifetime, Due::Lifetime));
        match &self.blocked_write {
            Some(blocked) => sooner(lifetime, blocked.due(timing)),
            None => sooner(sooner(lifetime, self.read_due(timing)), self.heartbeat_due(timing, may_probe)),
        }
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
                let early = match self.jitter {
                    0 => Duration::ZERO, // nearly always: no need to divide
                    jitter => heartbeat.interval * u32::from(jitter) / GREATEST_JITTER,
                };
                (self.quiet_since + (heartbeat.interval - early), Due::Probe)
            }
        })
    }

    fn probe(&mut self, now: Moment) -> Action {
        self.jitter = 0;
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

    fn look_at_blocked_write(
        &mut self,
        timing: &Timing,
        now: Moment,
        acknowledged: Option<u64>,
    ) -> Option<Action> {
        let write = timing.deadlines.write?;
        let blocked = self.blocked_write.as_mut()?;
        if acknowledged > blocked.acknowledged {
            blocked.progress_at = now;
            blocked.acknowledged = acknowledged;
        }
        blocked.looked_at = now;
        let over = now >= blocked.progress_at + write;
        over.then_some(Action::Close(CloseReason::WriteTimeout))
    }

    /// When the connection was opened.
    pub fn opened_at(&self) -> Moment {
        self.opened_at
    }

    /// When the last byte was received; when the connection was opened, if there was none.
    pub fn heard_at(&self) -> Moment {
        self.heard_at
    }

    /// Whether a probe waits for its answer.
    pub fn is_awaiting(&self) -> bool {
        self.awaiting_since.is_some()
    }

    /// Probes in a row without a sign of life.
    pub fn missed(&self) -> u32 {
        self.missed
    }
}

/// The first of equals.
fn sooner(first: Option<(Moment, Due)>, second: Option<(Moment, Due)>) -> Option<(Moment, Due)> {
    match (first, second) {
        (Some(first), Some(second)) if second.0 < first.0 => Some(second),
        (None, second) => second,
        (first, _) => first,
    }
}

impl BlockedWrite {
    fn due(&self, timing: &Timing) -> Option<(Moment, Due)> {
        let write = timing.deadlines.write?;
        let look = self.looked_at + write / LOOKS_PER_WRITE_DEADLINE;
        Some((look.min(self.progress_at + write), Due::Write))
    }
}

#[cfg(test)]
mod tests;
