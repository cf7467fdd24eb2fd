//! One connection's protocol, liveness and counters together: the only thing a connection task talks to.

mod carried;

use std::ops::Range;
use std::time::Duration;

use super::close::{Close, CloseReason, EndedBy};
use super::delivery::Left;
use super::evidence::Evidence;
use super::inquiry::Inquiry;
use super::judge::{Questions, judge};
use super::liveness::{Action, Jitter, Liveness, Look};
use super::moment::Moment;
use super::probes::{Answered, ProbeReport, Probes};
use super::protocol::{Decoder, HEADROOM, Probe, Protocol};
use super::timing::{Timing, whole_seconds};
use super::verdict::{Silence, Verdict};

/// The state of one connection.
#[derive(Debug)]
pub struct Session {
    decoder: Decoder,
    liveness: Liveness,
    probes: Probes,
    /// Set once, by the first orderly end of ours; whatever happens later, that is why the connection ended.
    ending: Option<Ending>,
    received_bytes: u64,
    /// Given to the kernel, probes included.
    sent_bytes: u64,
    /// Received, and no longer on its way back: read only to let the peer finish.
    discarded_bytes: u64,
    /// On its way back, not yet sent.
    owed_bytes: u32,
    /// What is left to send of a probe. Then nothing else waits: while anything does, nothing is read or probed.
    probe_bytes: u8,
    /// The stream that goes to the peer has the probes of the last silence here, one after the other: so many bytes.
    probes_start: u64,
    probes_length: u16,
    /// There is one once a probe was missed.
    inquiry: Option<Box<Inquiry>>,
}

#[derive(Debug, Clone, Copy)]
struct Ending {
    reason: CloseReason,
    until: Option<Moment>,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Send these bytes.
    Send(Probe),
    /// Send what is owed and FIN, let the peer finish, then close.
    Finish,
    /// Close at once.
    Close(CloseReason),
    /// Nothing: we were this late to ask, and the peer was given its time again.
    Forgive(Duration),
}

/// What is known of a connection at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// From its opening to now.
    pub lifetime: Duration,
    /// Since the last received byte, or since the beginning where there was none.
    pub idle: Duration,
    /// All of them, answers to probes included.
    pub received_bytes: u64,
    /// All that the kernel took, probes included.
    pub sent_bytes: u64,
    /// Received, and not acknowledged by the peer's TCP as sent back.
    pub unechoed_bytes: u64,
    /// `None` where the probes are not ours to count: the raw protocol's are the kernel's.
    pub probes: Option<ProbeReport>,
}

impl Report {
    /// Whether this was a null connection: the peer came, said not a byte, and ended it itself, as health checks and port
    /// scanners do.
    pub fn is_null(&self, reason: CloseReason) -> bool {
        let by_peer = reason.ended_by() == EndedBy::Peer && reason != CloseReason::ProxyHeader;
        by_peer && self.received_bytes == 0
    }
}

/// How long a peer may take to finish once its connection is over for age.
const LIFETIME_GRACE: Duration = Duration::from_secs(5);

impl Session {
    /// A connection that opens now.
    pub fn new(protocol: Protocol, now: Moment, jitter: Jitter) -> Session {
        Session {
            decoder: Decoder::new(protocol),
            liveness: Liveness::new(now, jitter),
            probes: Probes::default(),
            ending: None,
            received_bytes: 0,
            sent_bytes: 0,
            discarded_bytes: 0,
            owed_bytes: 0,
            probe_bytes: 0,
            probes_start: 0,
            probes_length: 0,
            inquiry: None,
        }
    }

    /// What was to come first is over, and the stream begins.
    pub fn begin(&mut self, now: Moment) {
        self.liveness.received(now);
    }

    /// Takes received bytes, at least one, which stand in `buffer` from [`HEADROOM`] to its end.
    /// The returned part of `buffer` goes back to the peer.
    pub fn receive(&mut self, now: Moment, buffer: &mut [u8]) -> Range<usize> {
        self.received_bytes += (buffer.len() - HEADROOM) as u64;
        let probes = &mut self.probes;
        let mut has_all = false;
        let only_probe = self.liveness.awaits_only(probes.newest_sent_at());
        self.liveness.received(now);
        self.inquiry = None;
        let echo = self.decoder.decode(buffer, |number| {
            has_all |= match probes.answer(number, now) {
                Answered::Newest => true,
                Answered::SomeProbe => only_probe,
                Answered::NothingNew => false,
            };
        });
        // With nothing behind the probe the kernel need not be asked.
        if has_all && self.probes_end() == self.sent_bytes {
            self.liveness.confirmed();
        }
        self.owed_bytes += echo.len() as u32; // at most a scratch buffer
        echo
    }

    /// All of them so far.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// No more bytes will be echoed; the returned part of `buffer` is the last of them.
    pub fn end_of_input(&mut self, buffer: &mut [u8]) -> Range<usize> {
        let echo = self.decoder.finish(buffer);
        self.owed_bytes += echo.len() as u32; // at most a scratch buffer
        echo
    }

    /// Counts bytes that came after the end and do not go back.
    pub fn discard(&mut self, now: Moment, bytes: usize) {
        self.received_bytes += bytes as u64;
        self.discarded_bytes += bytes as u64;
        self.liveness.received(now);
    }

    /// Bytes were given to the kernel, in the order in which they were given out.
    pub fn sent(&mut self, now: Moment, bytes: usize) {
        let of_probe = bytes.min(self.probe_bytes.into());
        self.probe_bytes -= of_probe as u8;
        self.owed_bytes = self.owed_bytes.saturating_sub((bytes - of_probe) as u32);
        self.sent_bytes += bytes as u64;
        self.liveness.sent(now);
        if self.is_flushed() {
            self.liveness.flushed(now);
        }
    }

    /// The kernel does not take what is left to send. See [`Liveness::blocked`].
    pub fn blocked(&mut self, now: Moment, evidence: &Evidence) {
        self.liveness.blocked(now, evidence);
    }

    /// The peer finished and was sent everything, our FIN too. The connection ends once that is acknowledged; `evidence` says
    /// that it is not yet.
    pub fn expect_last(&mut self, now: Moment, evidence: &Evidence) {
        let left = self.left(evidence);
        self.liveness.expect_last(now, Look { left, evidence });
    }

    /// Whether the peer's TCP has acknowledged all that it was sent. Where the kernel does not say, it has.
    pub fn is_delivered(&self, evidence: &Evidence) -> bool {
        self.left(evidence).all == 0
    }

    fn probes_end(&self) -> u64 {
        self.probes_start + u64::from(self.probes_length)
    }

    /// What of ours is on its way or waits to be, in bytes.
    fn left(&self, evidence: &Evidence) -> Left {
        let acknowledged = evidence.acknowledged_bytes.unwrap_or(self.sent_bytes).min(self.sent_bytes);
        let probes =
            self.probes_end().min(self.sent_bytes).saturating_sub(self.probes_start.max(acknowledged));
        let in_kernel = self.sent_bytes - acknowledged;
        let unsent = u64::from(self.owed_bytes) + u64::from(self.probe_bytes);
        Left { all: in_kernel + unsent, echo: in_kernel.saturating_sub(probes) + u64::from(self.owed_bytes) }
    }

    /// Whether nothing is left to send. While this is false nothing may be read: that bounds the memory.
    pub fn is_flushed(&self) -> bool {
        self.owed_bytes == 0 && self.probe_bytes == 0
    }

    /// Begins an orderly end of ours, which lasts until `until` at most. The first one stands.
    pub fn finish(&mut self, reason: CloseReason, until: Option<Moment>) {
        self.ending.get_or_insert(Ending { reason, until });
    }

    /// From `now` on another timing holds. See [`Liveness::retime`].
    pub fn retime(&mut self, timing: &Timing, now: Moment) {
        if self.ending.is_none() {
            self.liveness.retime(timing, self.decoder.may_probe(), now);
        }
    }

    /// Whether a timer that was early enough before the last traffic still is, as far as can be told at no cost. In a
    /// conversation it is.
    pub fn is_timer_early_enough(&self, timer_at: Moment, shortest_wait: Duration) -> bool {
        self.ending.is_none() && self.is_flushed() && self.liveness.is_early_enough(timer_at, shortest_wait)
    }

    /// When to call [`Session::handle_timeout`]; `None`: nothing is being waited for.
    pub fn next_timeout(&self, timing: &Timing) -> Option<Moment> {
        match &self.ending {
            Some(ending) => [ending.until, self.liveness.next_last_look()].into_iter().flatten().min(),
            None => self.liveness.next_timeout(timing, self.decoder.may_probe()),
        }
    }

    /// Whether what is due at `now` may end the connection. Then the socket is to be read once more, and the kernel to be asked,
    /// before [`Session::handle_timeout`] is.
    pub fn is_judging(&self, timing: &Timing, now: Moment) -> bool {
        match &self.ending {
            Some(_) => self.liveness.next_last_look().is_some_and(|at| at <= now),
            None => self.liveness.is_judging(timing, self.decoder.may_probe(), now),
        }
    }

    /// Says what is due at `now`, if anything. `evidence`: what the kernel says, where this
    /// [is judging](Session::is_judging).
    pub fn handle_timeout(
        &mut self,
        timing: &Timing,
        now: Moment,
        evidence: Option<&Evidence>,
    ) -> Option<Step> {
        if let Some(evidence) = evidence {
            self.inquire(now, evidence);
        }
        let look = evidence.map(|evidence| Look { left: self.left(evidence), evidence });
        if let Some(ending) = &self.ending {
            look.into_iter().for_each(|look| self.liveness.look_for_last(now, look));
            let over = ending.until.is_some_and(|until| until <= now);
            return over.then_some(Step::Close(ending.reason));
        }
        let may_probe = self.decoder.may_probe();
        let due = self.liveness.handle_timeout(timing, may_probe, now, look);
        match due? {
            Action::Probe => self.probe(now).map(Step::Send),
            Action::Close(reason) => Some(Step::Close(reason)),
            Action::GiveUpUnlessHeard => {
                let ground = evidence.map(|evidence| judge(evidence, self.questions(timing, now, evidence)));
                let lost = ground.is_some_and(|ground| ground.verdict() == Verdict::PathLost);
                lost.then_some(Step::Close(CloseReason::HeartbeatTimeout))
            }
            Action::Forgive(late) => Some(Step::Forgive(late)),
            Action::Finish(reason) => {
                self.finish(reason, Some(now + LIFETIME_GRACE));
                Some(Step::Finish)
            }
        }
    }

    /// A probe waits for its answer: what does the kernel say of it?
    fn inquire(&mut self, now: Moment, evidence: &Evidence) {
        let Some(probed_at) = self.liveness.awaiting_since() else { return };
        let inquiry = self.inquiry.get_or_insert_with(|| Box::new(Inquiry::begin(probed_at, now, evidence)));
        inquiry.look(now, self.probes_start, evidence);
    }

    fn probe(&mut self, now: Moment) -> Option<Probe> {
        let probe = self.decoder.probe(self.probes.send(now))?;
        self.probe_bytes = probe.as_bytes().len() as u8; // at most 26
        if self.liveness.missed() == 0 {
            (self.probes_start, self.probes_length) = (self.sent_bytes, 0);
        }
        self.probes_length += u16::from(self.probe_bytes); // 127 probes at most
        Some(probe)
    }

    /// The close for `reason`, judged by what the kernel knew right before it.
    pub fn close(&self, reason: CloseReason, timing: &Timing, now: Moment, evidence: Evidence) -> Close {
        if !reason.is_silence() {
            return reason.into();
        }
        let questions = self.questions(timing, now, &evidence);
        let ground = judge(&evidence, questions);
        let asked = questions.application.and_then(|findings| findings.asked);
        Close {
            silence: Some(Box::new(Silence { ground, evidence, asked, behind_proxy: false })),
            ..reason.into()
        }
    }

    fn questions(&self, timing: &Timing, now: Moment, evidence: &Evidence) -> Questions {
        let heartbeat = timing.heartbeat;
        let awaiting = self.liveness.awaiting_since().and(self.inquiry.as_ref());
        Questions {
            application: awaiting.map(|inquiry| inquiry.findings(now, evidence)),
            answer_time: heartbeat.map_or(Duration::ZERO, |heartbeat| heartbeat.timeout),
            host_after: heartbeat.map(|heartbeat| whole_seconds(heartbeat.interval)),
            max_missed: heartbeat.map_or(u32::MAX, |heartbeat| heartbeat.max_missed),
            write: timing.deadlines.write,
            in_line: self.decoder.probes_peer() && !self.decoder.may_probe(),
        }
    }

    /// The final word on why the connection ended, where `cause` is what ended it just now: the first cause wins.
    pub fn conclude(&self, cause: Close) -> Close {
        match self.ending {
            Some(ending) if cause.reason != CloseReason::InternalError => ending.reason.into(),
            _ => cause,
        }
    }

    /// The connection's figures. `evidence`: what the kernel said at the end.
    pub fn report(&self, now: Moment, evidence: &Evidence) -> Report {
        let held = self.decoder.held_bytes() as u64;
        let probes = || self.probes.report(self.liveness.missed(), evidence.unsent_bytes, self.probe_bytes);
        Report {
            lifetime: now - self.liveness.opened_at(),
            idle: now - self.liveness.heard_at(),
            received_bytes: self.received_bytes,
            sent_bytes: self.sent_bytes,
            unechoed_bytes: self.discarded_bytes + self.left(evidence).echo + held,
            probes: self.decoder.probes_peer().then(probes),
        }
    }
}

#[cfg(test)]
mod tests;
