//! What the clock makes a connection do: its one timer, the last look before a peer is judged, probes and timeouts.

use std::task::{Context, Poll};

use super::{Connection, Progress, Stage, Transport};
use crate::core::{Close, CloseReason, Evidence, HEADROOM, Moment, Step};

impl<T: Transport> Connection<T> {
    /// Does what is due by the clock. `Ready(Ok)`: something was, and there may be more to write or read now: the last
    /// look may have found room for the rest, which the socket need not announce again.
    ///
    /// The timer is moved lazily: forward only when it fires, so that traffic costs no timer work, and no look at the
    /// deadlines.
    pub(super) fn watch_clock(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Progress {
        if self.is_timer_early_enough() {
            return Poll::Pending;
        }
        let Some(wake_at) = self.next_timeout() else {
            return Poll::Pending;
        };
        if self.timer_at.is_some_and(|at| at <= wake_at && !self.event_loop.timers.have_fired(at)) {
            return Poll::Pending;
        }
        let now = self.now();
        if wake_at > now {
            self.set_timer(wake_at);
            return Poll::Pending;
        }
        if self.stage == Stage::AwaitingHeader {
            self.look_again(cx, scratch)?;
            self.give_up_header()?;
        } else if self.session.is_judging(&self.listener.timing(), now) {
            self.look_again(cx, scratch)?;
            self.judge_by_clock(cx)?;
        } else {
            self.act_on_time(cx, now, None)?;
        }
        Poll::Ready(Ok(()))
    }

    fn is_timer_early_enough(&self) -> bool {
        let pending = self.timer_at.filter(|at| !self.event_loop.timers.have_fired(*at));
        let early_enough = |at| self.session.is_timer_early_enough(at, self.listener.shortest_wait());
        self.stage == Stage::Echoing && pending.is_some_and(early_enough)
    }

    fn set_timer(&mut self, at: Moment) {
        self.unset_timer();
        self.event_loop.timers.set(self.slot, at);
        self.timer_at = Some(at);
    }

    /// One more look at the socket itself before the clock is believed: what arrived, or was taken, while we slept
    /// must not count as silence.
    fn look_again(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Result<(), Close> {
        if !self.unsent.is_empty() {
            let written = self.transport.write_now(cx, self.unsent.rest());
            if let Poll::Ready(written) = written {
                let written = self.take_written(self.now(), written)?;
                self.unsent.keep_last(self.unsent.rest().len() - written);
            }
        } else if matches!(self.stage, Stage::AwaitingHeader | Stage::Echoing)
            && let Poll::Ready(read) = self.transport.read_now(cx, &mut scratch[HEADROOM..])
        {
            self.take_read(cx, scratch, read)?;
        }
        Ok(())
    }

    /// Does what is due, with what the kernel says where that may end the connection.
    fn judge_by_clock(&mut self, cx: &mut Context<'_>) -> Result<(), Close> {
        let now = self.now();
        let judging = self.session.is_judging(&self.listener.timing(), now);
        let evidence = judging.then(|| self.transport.evidence());
        self.act_on_time(cx, now, evidence)
    }

    fn act_on_time(
        &mut self,
        cx: &mut Context<'_>,
        now: Moment,
        evidence: Option<Evidence>,
    ) -> Result<(), Close> {
        if self.stage == Stage::PeerFinished && self.unsent.is_empty() {
            // The last look found the end: that came before the deadline. Whoever is queued would not come to say so.
            return match self.end_once_delivered(cx) {
                Poll::Ready(ended) => ended,
                Poll::Pending => Ok(()),
            };
        }
        let timing = self.listener.timing();
        if self.stage == Stage::LastAck
            && let Some(evidence) = &evidence
        {
            self.look_for_reset()?;
            if self.session.is_delivered(evidence) {
                return Err(CloseReason::PeerClosed.into());
            }
        }
        match self.session.handle_timeout(&timing, now, evidence.as_ref()) {
            None => Ok(()),
            Some(Step::Send(probe)) => self.send(cx, now, probe.as_bytes()),
            Some(Step::Finish) => {
                self.begin_to_end();
                Ok(())
            }
            Some(Step::Forgive(late)) => {
                self.event_loop.stalls.note(late, true);
                // A probe goes out at once: where the machine stays busy, the next run would come too late again.
                self.judge_by_clock(cx)
            }
            Some(Step::Close(reason)) => {
                let evidence = self.last_evidence(evidence.unwrap_or_default());
                let close = self.session.close(reason, &timing, now, evidence);
                Err(if self.origin.proxy().is_some() { close.behind_proxy() } else { close })
            }
        }
    }

    /// The last look at the socket found nothing to read: what the kernel has received all the same stands behind a hole.
    fn last_evidence(&self, evidence: Evidence) -> Evidence {
        let found_nothing = self.stage == Stage::Echoing && self.unsent.is_empty();
        let receive_memory = found_nothing.then(|| self.transport.receive_memory()).flatten();
        Evidence { receive_memory, ..evidence }
    }

    fn next_timeout(&mut self) -> Option<Moment> {
        if self.stage == Stage::AwaitingHeader {
            return self.header_due();
        }
        self.session.next_timeout(&self.listener.timing())
    }
}

impl<T> Connection<T> {
    pub(super) fn unset_timer(&mut self) {
        if let Some(at) = self.timer_at.take() {
            self.event_loop.timers.unset(self.slot, at);
        }
    }
}
