//! One connection's protocol, liveness and counters together: the only thing a connection task talks to.

use std::ops::Range;
use std::time::Duration;

use super::close::{Close, CloseReason};
use super::liveness::{Action, Jitter, Liveness, Timing, whole_seconds};
use super::moment::Moment;
use super::probes::Probes;
use super::protocol::{Decoder, HEADROOM, Probe, Protocol};
use super::verdict::{Evidence, Questions, Silence, judge};

/// The state of one connection.
#[derive(Debug)]
pub struct Session {
    decoder: Decoder,
    liveness: Liveness,
    probes: Probes,
    /// Set once, by the first orderly end of ours; whatever happens later, that is why the connection ended.
    ending: Option<Ending>,
    received_bytes: u64,
    sent_bytes: u64,
    /// Received, and no longer on its way back: read only to let the peer finish.
    discarded_bytes: u64,
    /// On its way back, not yet sent.
    owed_bytes: u32,
    /// What is left to send of a probe. Then nothing else waits: while anything does, nothing is read or probed.
    probe_bytes: u8,
    /// Segments sent again before the first probe of the current silence; `None` if unknown.
    sent_again_before: Option<u32>,
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
    /// Received and never sent back.
    pub unechoed_bytes: u64,
    /// `None` where the probes are not ours to count: the raw protocol's are the kernel's.
    pub probes: Option<ProbeReport>,
}

/// The probes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeReport {
    /// Probes sent.
    pub sent: u64,
    /// Probes answered, each counted once.
    pub answered: u64,
    /// In a row, at the end.
    pub missed: u32,
    /// Of the newest probe that was answered.
    pub round_trip: Option<Duration>,
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
            sent_again_before: None,
        }
    }

    /// Takes received bytes, at least one, which stand in `buffer` from [`HEADROOM`] to its end.
    /// The returned part of `buffer` goes back to the peer.
    pub fn receive(&mut self, now: Moment, buffer: &mut [u8]) -> Range<usize> {
        self.received_bytes += (buffer.len() - HEADROOM) as u64;
        self.liveness.received(now);
        let probes = &mut self.probes;
        let echo = self.decoder.decode(buffer, |number| probes.answer(number, now));
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

    /// Bytes were sent, in the order in which they were given out.
    pub fn sent(&mut self, now: Moment, bytes: usize) {
        let of_probe = bytes.min(self.probe_bytes.into());
        self.probe_bytes -= of_probe as u8;
        self.owed_bytes = self.owed_bytes.saturating_sub((bytes - of_probe) as u32);
        self.sent_bytes += bytes as u64;
        self.liveness.advanced(now);
        if self.is_flushed() {
            self.liveness.flushed(now);
        }
    }

    /// The peer does not take what is left to send. See [`Liveness::blocked`].
    pub fn blocked(&mut self, now: Moment, acknowledged: Option<u64>) {
        self.liveness.blocked(now, acknowledged);
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

    /// When to call [`Session::handle_timeout`]; `None`: nothing is being waited for.
    pub fn next_timeout(&self, timing: &Timing) -> Option<Moment> {
        match &self.ending {
            Some(ending) => ending.until,
            None => self.liveness.next_timeout(timing, self.decoder.may_probe()),
        }
    }

    /// Says what is due at `now`, if anything. `acknowledged`: see [`Liveness::handle_timeout`].
    ///
    /// Ask only after one more look at the socket: an answer may have arrived that was not read yet.
    pub fn handle_timeout(
        &mut self,
        timing: &Timing,
        now: Moment,
        acknowledged: Option<u64>,
    ) -> Option<Step> {
        if let Some(ending) = &self.ending {
            let over = ending.until.is_some_and(|until| until <= now);
            return over.then_some(Step::Close(ending.reason));
        }
        let may_probe = self.decoder.may_probe();
        let due = self.liveness.handle_timeout(timing, may_probe, now, acknowledged);
        match due? {
            Action::Probe => self.probe(now).map(Step::Send),
            Action::Close(reason) => Some(Step::Close(reason)),
            Action::Forgive(late) => Some(Step::Forgive(late)),
            Action::Finish(reason) => {
                self.finish(reason, Some(now + LIFETIME_GRACE));
                Some(Step::Finish)
            }
        }
    }

    fn probe(&mut self, now: Moment) -> Option<Probe> {
        let probe = self.decoder.probe(self.probes.send(now))?;
        self.probe_bytes = probe.as_bytes().len() as u8; // at most 26
        Some(probe)
    }

    /// Whether the probe that goes out now is the first of a silence: whoever sends it then also says how many segments
    /// had to be sent again so far ([`Session::note_sent_again`]).
    pub fn is_asking_first(&self) -> bool {
        self.liveness.missed() == 0
    }

    /// How many segments had to be sent again since the connection began; `None` if unknown.
    pub fn note_sent_again(&mut self, segments: Option<u32>) {
        self.sent_again_before = segments;
    }

    /// The close for `reason`, judged by what the kernel knew right before it.
    pub fn close(&self, reason: CloseReason, timing: &Timing, evidence: Evidence) -> Close {
        let questions = Questions {
            application: self.liveness.is_awaiting(),
            sent_again_before: self.sent_again_before,
            host_after: timing.heartbeat.map(|heartbeat| whole_seconds(heartbeat.interval)),
        };
        let silence = || Box::new(Silence { verdict: judge(&evidence, questions), evidence });
        let silence = reason.is_silence().then(silence);
        Close { silence, ..reason.into() }
    }

    /// The final word on why the connection ended, where `cause` is what ended it just now: the first cause wins.
    pub fn conclude(&self, cause: Close) -> Close {
        match self.ending {
            Some(ending) if cause.reason != CloseReason::InternalError => ending.reason.into(),
            _ => cause,
        }
    }

    /// The connection's figures.
    pub fn report(&self, now: Moment) -> Report {
        let held = self.decoder.held_bytes() as u64;
        Report {
            lifetime: now - self.liveness.opened_at(),
            idle: now - self.liveness.heard_at(),
            received_bytes: self.received_bytes,
            sent_bytes: self.sent_bytes,
            unechoed_bytes: self.discarded_bytes + u64::from(self.owed_bytes) + held,
            probes: self.decoder.probes_peer().then(|| self.probe_report()),
        }
    }

    fn probe_report(&self) -> ProbeReport {
        ProbeReport {
            sent: self.probes.sent(),
            answered: self.probes.answered(),
            missed: self.liveness.missed(),
            round_trip: self.probes.round_trip(),
        }
    }
}

#[cfg(test)]
mod tests;
