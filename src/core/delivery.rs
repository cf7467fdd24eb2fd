//! What becomes of the bytes that we give to our own kernel: the peer's TCP acknowledges them, or they are outstanding.
//!
//! Sending only notes the time. Whether bytes were acknowledged is asked of the kernel when the clock wants to know.

use std::time::Duration;

use super::evidence::Evidence;
use super::moment::Moment;
use super::snapshot::{Age, DeliveryState, Implausible, OutstandingState};
use super::timing::{Deadlines, Heartbeat, Timing};

/// Outstanding bytes are looked for four times per write deadline: the peer's last acknowledgement is then known to a quarter
/// of it, and a busy connection asks the kernel no more often.
const LOOKS_PER_WRITE_DEADLINE: u32 = 4;

/// How soon to look first for the acknowledgement of the last bytes; twice as long each time after that.
const FIRST_LOOK_AT_LAST_BYTES: Duration = Duration::from_millis(1);

/// And how late at the most.
const LONGEST_BETWEEN_LAST_LOOKS: Duration = Duration::from_secs(1);

/// Which bytes of ours the peer's TCP has not acknowledged, as far as we know.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Since when the kernel has bytes of which nobody knows whether they were acknowledged.
    unconfirmed_since: Option<Moment>,
    /// Boxed: a healthy connection has none, or not for long.
    outstanding: Option<Box<Outstanding>>,
}

/// Bytes that were looked for and not acknowledged by then, or that the kernel did not take.
#[derive(Debug)]
struct Outstanding {
    /// Not all of them are probes.
    echo: bool,
    /// The kernel takes no more.
    blocked: bool,
    /// The peer's window is closed to them.
    unwanted: bool,
    /// The peer's TCP acknowledged some of them then, as far as we know, or the first was sent then.
    progress_at: Moment,
    /// The peer's TCP was heard then, whatever it said.
    heard_at: Moment,
    looked_at: Moment,
    acknowledged: Option<u64>,
    /// They are the last: the connection ends with their acknowledgement, which is looked for since then.
    last_since: Option<Moment>,
}

/// What of ours is still on its way to the peer, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// All of it.
    pub all: u64,
    /// What is no probe.
    pub echo: u64,
}

impl Delivery {
    /// What outlives the program.
    pub fn snapshot(&self, now: Moment) -> DeliveryState {
        let Delivery { unconfirmed_since, outstanding } = self;
        DeliveryState {
            unconfirmed: unconfirmed_since.map(|at| Age::of(at, now)),
            outstanding: outstanding.as_deref().map(|outstanding| outstanding.snapshot(now)),
        }
    }

    /// Goes on from there.
    ///
    /// # Errors
    /// Nothing can have come of bytes that way.
    pub fn restore(state: &DeliveryState, now: Moment) -> Result<Delivery, Implausible> {
        let DeliveryState { unconfirmed, outstanding } = state;
        Age::are_past(unconfirmed.as_slice())?;
        let outstanding = outstanding.as_ref().map(|state| Outstanding::restore(state, now)).transpose()?;
        Ok(Delivery {
            unconfirmed_since: unconfirmed.map(|age| age.moment(now)),
            outstanding: outstanding.map(Box::new),
        })
    }

    /// Bytes were given to the kernel.
    pub fn sent(&mut self, now: Moment) {
        self.unconfirmed_since.get_or_insert(now);
        // Room for more where there was none: some were sent on.
        if let Some(outstanding) = self.outstanding.as_deref_mut().filter(|outstanding| outstanding.blocked) {
            outstanding.progress_at = now;
        }
    }

    /// The peer broke its silence: its time for what it was sent in that begins anew.
    pub fn heard(&mut self, now: Moment) {
        self.unconfirmed_since = self.unconfirmed_since.map(|since| since.max(now));
    }

    /// The kernel takes no more.
    pub fn blocked(&mut self, now: Moment, evidence: &Evidence) {
        let outstanding =
            self.outstanding.get_or_insert_with(|| Box::new(Outstanding::new(now, now, evidence)));
        outstanding.blocked = true;
        outstanding.echo = true;
    }

    /// The kernel took all. Returns whether it had not before.
    pub fn flushed(&mut self, now: Moment) -> bool {
        let was_blocked = self.outstanding.as_ref().is_some_and(|outstanding| outstanding.blocked);
        if was_blocked {
            *self = Delivery { unconfirmed_since: Some(now), outstanding: None };
        }
        was_blocked
    }

    /// The peer has everything.
    pub fn confirm(&mut self) {
        *self = Delivery::default();
    }

    /// Since when there is anything unconfirmed, if nobody has looked for it yet.
    pub fn unconfirmed_since(&self) -> Option<Moment> {
        self.unconfirmed_since.filter(|_| self.outstanding.is_none())
    }

    /// The peer is silent, and everything was looked for just now: what is not outstanding was acknowledged. What comes next is
    /// looked for by itself.
    pub fn settle(&mut self) {
        if self.outstanding.is_none() {
            self.unconfirmed_since = None;
        }
    }

    /// Whether the kernel must be asked before the peer's silence means anything.
    pub fn is_unconfirmed(&self) -> bool {
        self.unconfirmed_since.is_some() || self.outstanding.is_some()
    }

    /// Whether the peer does not take its echo: then its silence is no idleness.
    pub fn is_held_up(&self) -> bool {
        let held_up =
            |outstanding: &Outstanding| outstanding.echo && (outstanding.blocked || outstanding.unwanted);
        self.outstanding.as_deref().is_some_and(held_up)
    }

    /// Takes in what the kernel says: so much is `left`. Where the peer was held up and is not any more, returns when it took the
    /// last byte.
    ///
    /// `received_at`: when the last byte was received. Where that was since the last look more will be sent, and the next look
    /// keeps its place.
    pub fn look(
        &mut self,
        now: Moment,
        left: Left,
        evidence: &Evidence,
        received_at: Moment,
    ) -> Option<Moment> {
        let heard_at = evidence.last_ack.map(|age| now - age);
        if left.all == 0 {
            let was_held_up = self.is_held_up();
            let is_active = self.looked_at().is_some_and(|looked_at| looked_at < received_at);
            self.confirm();
            self.unconfirmed_since = is_active.then_some(received_at);
            return heard_at.filter(|_| was_held_up);
        }
        // The last echo went out with the last byte that came in: its time begins then.
        let since = self.unconfirmed_since.unwrap_or(now).max(received_at);
        let outstanding =
            self.outstanding.get_or_insert_with(|| Box::new(Outstanding::new(since, now, evidence)));
        outstanding.look(now, left, evidence, heard_at.unwrap_or(now));
        None
    }

    fn looked_at(&self) -> Option<Moment> {
        self.outstanding.as_ref().map(|outstanding| outstanding.looked_at).or(self.unconfirmed_since)
    }

    /// When to look next, if nothing else comes first. The peer is silent since `quiet_since`, and since `probed_since` a probe
    /// waits for its answer.
    pub fn next_look(
        &self,
        timing: &Timing,
        quiet_since: Moment,
        probed_since: Option<Moment>,
    ) -> Option<Moment> {
        match (&self.outstanding, self.unconfirmed_since) {
            (Some(outstanding), _) => outstanding.next_look(timing, quiet_since),
            // Of what went out in a silence the heartbeat takes care.
            (None, Some(since)) if probed_since.is_some() && since > quiet_since => {
                Some(since + timing.deadlines.write?)
            }
            (None, Some(since)) => Some(since + first_look_after(timing)?),
            (None, None) => None,
        }
    }

    /// Nothing more will be sent: so much is `left`, and the connection ends once it is acknowledged.
    pub fn expect_last(&mut self, now: Moment, left: Left, evidence: &Evidence) {
        self.look(now, left, evidence, Moment::START);
        if let Some(outstanding) = &mut self.outstanding {
            (outstanding.last_since, outstanding.echo) = (Some(now), true);
        }
    }

    /// When to look for the acknowledgement of the last bytes, if nothing more will be sent.
    pub fn next_last_look(&self) -> Option<Moment> {
        self.outstanding.as_ref()?.next_last_look()
    }

    /// Whether the write deadline is over, as of the last look.
    pub fn is_overdue(&self, timing: &Timing, now: Moment) -> bool {
        let due = |outstanding: &Outstanding| Some(outstanding.progress_at + timing.deadlines.write?);
        self.outstanding.as_deref().and_then(due).is_some_and(|due| due <= now)
    }

    /// Without a write deadline: whether the peer's TCP has been silent for as long as a peer may be, as of the last look.
    pub fn is_unheard(&self, timing: &Timing, now: Moment) -> bool {
        if timing.deadlines.write.is_some() {
            return false;
        }
        let due = |outstanding: &Outstanding| Some(outstanding.heard_at + timing.heartbeat?.detection_time());
        let outstanding = self.outstanding.as_deref().filter(|outstanding| outstanding.echo);
        outstanding.and_then(due).is_some_and(|due| due <= now)
    }

    /// We slept: the peer has all of its time again. Returns whether it owes us anything.
    pub fn forgive(&mut self, now: Moment) -> bool {
        if let Some(outstanding) = &mut self.outstanding {
            (outstanding.progress_at, outstanding.looked_at) = (now, now);
        }
        self.outstanding.is_some()
    }
}

/// A write deadline looks for itself; without one the heartbeat does.
pub fn first_look_after(timing: &Timing) -> Option<Duration> {
    match timing.deadlines.write {
        Some(write) => Some(write / LOOKS_PER_WRITE_DEADLINE),
        None => timing.heartbeat.map(|heartbeat| heartbeat.interval),
    }
}

impl Outstanding {
    fn snapshot(&self, now: Moment) -> OutstandingState {
        let Outstanding {
            echo,
            blocked,
            unwanted,
            progress_at,
            heard_at,
            looked_at,
            acknowledged,
            last_since,
        } = *self;
        OutstandingState {
            echo,
            blocked,
            unwanted,
            progress: Age::of(progress_at, now),
            heard: Age::of(heard_at, now),
            looked: Age::of(looked_at, now),
            acknowledged,
            last: last_since.map(|at| Age::of(at, now)),
        }
    }

    fn restore(state: &OutstandingState, now: Moment) -> Result<Outstanding, Implausible> {
        let OutstandingState { echo, blocked, unwanted, progress, heard, looked, acknowledged, last } =
            *state;
        Age::are_past(&[progress, heard, looked, last.unwrap_or(looked)])?;
        Ok(Outstanding {
            echo,
            blocked,
            unwanted,
            progress_at: progress.moment(now),
            heard_at: heard.moment(now),
            looked_at: looked.moment(now),
            acknowledged,
            last_since: last.map(|age| age.moment(now)),
        })
    }

    fn new(since: Moment, now: Moment, evidence: &Evidence) -> Outstanding {
        let heard_at = evidence.last_ack.map_or(since, |age| now - age);
        Outstanding {
            echo: false,
            blocked: false,
            unwanted: false,
            // What was acknowledged meanwhile was so by then.
            progress_at: since.max(heard_at),
            heard_at,
            looked_at: now,
            acknowledged: evidence.acknowledged_bytes,
            last_since: None,
        }
    }

    fn look(&mut self, now: Moment, left: Left, evidence: &Evidence, heard_at: Moment) {
        if evidence.acknowledged_bytes > self.acknowledged {
            self.progress_at = self.progress_at.max(heard_at);
            self.acknowledged = evidence.acknowledged_bytes;
        }
        self.echo = left.echo > 0 || self.blocked || self.last_since.is_some();
        self.unwanted = evidence.window_is_closed() == Some(true);
        self.heard_at = self.heard_at.max(heard_at);
        self.looked_at = now;
    }

    fn next_look(&self, timing: &Timing, quiet_since: Moment) -> Option<Moment> {
        let write = timing.deadlines.write.map(|write| match self.echo {
            true => (self.looked_at + write / LOOKS_PER_WRITE_DEADLINE).min(self.progress_at + write),
            false => self.progress_at + write, // the heartbeat looks meanwhile
        });
        let silence = match timing.deadlines {
            Deadlines { write: Some(_), .. } => None,
            _ if !self.echo => None,
            Deadlines { read, .. } => self.next_look_at_silence(timing.heartbeat, read, quiet_since),
        };
        [write, silence, self.next_last_look()].into_iter().flatten().min()
    }

    fn next_last_look(&self) -> Option<Moment> {
        let looked_for = self.looked_at - self.last_since?;
        let pause = looked_for.clamp(FIRST_LOOK_AT_LAST_BYTES, LONGEST_BETWEEN_LAST_LOOKS);
        Some(self.looked_at + pause)
    }

    /// Without a write deadline, the heartbeat and the read deadline ask in its place whether the peer's TCP still answers, and
    /// whether it has taken its echo: while it does not, they rest.
    fn next_look_at_silence(
        &self,
        heartbeat: Option<Heartbeat>,
        read: Option<Duration>,
        quiet_since: Moment,
    ) -> Option<Moment> {
        let Some(heartbeat) = heartbeat else {
            return Some(self.looked_at + read?);
        };
        let look = (quiet_since + heartbeat.interval).max(self.looked_at + heartbeat.timeout);
        let over = self.heard_at + heartbeat.detection_time();
        Some(if over > self.looked_at { look.min(over) } else { look })
    }
}
