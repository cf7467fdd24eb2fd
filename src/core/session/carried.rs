//! A session that outlives the program.

use std::time::Duration;

use super::{Ending, LIFETIME_GRACE, Session};
use crate::core::close::CloseReason;
use crate::core::inquiry::Inquiry;
use crate::core::liveness::{Liveness, MOST_MISSED};
use crate::core::moment::Moment;
use crate::core::probes::Probes;
use crate::core::protocol::{Decoder, Probe, Protocol};
use crate::core::snapshot::{Age, EndingState, Implausible, SessionState};

/// More bytes than a connection can carry. Counters below it do not wrap.
const TOO_MANY_BYTES: u64 = 1 << 62;

/// Of the probes of one silence.
const MOST_PROBES_LENGTH: usize = MOST_MISSED as usize * Probe::LONGEST;

impl Session {
    /// What outlives the program.
    pub fn snapshot(&self, now: Moment) -> SessionState {
        let Session {
            decoder,
            liveness,
            probes,
            ending,
            received_bytes,
            sent_bytes,
            discarded_bytes,
            owed_bytes,
            probe_bytes,
            probes_start,
            probes_length,
            inquiry,
        } = self;
        SessionState {
            decoder: decoder.snapshot(),
            liveness: liveness.snapshot(now),
            probes: probes.snapshot(now),
            ending: ending.map(|ending| ending.snapshot(now)),
            received_bytes: *received_bytes,
            sent_bytes: *sent_bytes,
            discarded_bytes: *discarded_bytes,
            owed_bytes: *owed_bytes,
            probe_bytes: *probe_bytes,
            probes_start: *probes_start,
            probes_length: *probes_length,
            inquiry: inquiry.as_deref().map(|inquiry| inquiry.snapshot(now)),
        }
    }

    /// Goes on at `now` where the snapshot was made, after a pause that was ours: the peer's time stood still in it.
    ///
    /// # Errors
    /// No session can be in that state.
    pub fn restore(state: &SessionState, now: Moment, pause: Duration) -> Result<Session, Implausible> {
        let SessionState {
            decoder,
            liveness,
            probes,
            ending,
            received_bytes,
            sent_bytes,
            discarded_bytes,
            owed_bytes,
            probe_bytes,
            probes_start,
            probes_length,
            inquiry,
        } = state;
        let few_enough = *received_bytes < TOO_MANY_BYTES && *sent_bytes < TOO_MANY_BYTES;
        Implausible::unless(few_enough, "too many bytes")?;
        Implausible::unless(discarded_bytes <= received_bytes, "more bytes discarded than received")?;
        Implausible::unless(u64::from(*owed_bytes) <= *received_bytes, "more bytes owed than received")?;
        let (rest, all) = (usize::from(*probe_bytes), usize::from(*probes_length));
        Implausible::unless(rest <= Probe::LONGEST && all <= MOST_PROBES_LENGTH, "probes that are too long")?;
        Implausible::unless(probes_start <= sent_bytes, "a probe that begins behind what was sent")?;
        Ok(Session {
            decoder: Decoder::restore(decoder)?,
            liveness: Liveness::restore(liveness, now, pause)?,
            probes: Probes::restore(probes, now)?,
            ending: ending.as_ref().map(|ending| Ending::restore(ending, now)).transpose()?,
            received_bytes: *received_bytes,
            sent_bytes: *sent_bytes,
            discarded_bytes: *discarded_bytes,
            owed_bytes: *owed_bytes,
            probe_bytes: *probe_bytes,
            probes_start: *probes_start,
            probes_length: *probes_length,
            inquiry: inquiry.as_ref().map(|state| Box::new(Inquiry::restore(state, now))),
        })
    }

    /// Why it is ending in good order, if it is.
    pub fn ending(&self) -> Option<CloseReason> {
        self.ending.map(|ending| ending.reason)
    }

    /// Whether the acknowledgement of the last bytes is being looked for.
    pub fn expects_last(&self) -> bool {
        self.liveness.next_last_look().is_some()
    }

    /// What it speaks.
    pub fn protocol(&self) -> Protocol {
        self.decoder.protocol()
    }

    /// How many bytes wait to be sent: echo, and what is left of a probe.
    pub fn unsent_bytes(&self) -> u64 {
        u64::from(self.owed_bytes) + u64::from(self.probe_bytes)
    }
}

impl Ending {
    fn snapshot(self, now: Moment) -> EndingState {
        let Ending { reason, until } = self;
        EndingState { reason: reason.name().to_owned(), until: until.map(|at| Age::of(at, now)) }
    }

    fn restore(state: &EndingState, now: Moment) -> Result<Ending, Implausible> {
        let EndingState { reason, until } = state;
        let reason = CloseReason::named(reason).ok_or(Implausible("an unknown reason"))?;
        let is_ours = matches!(reason, CloseReason::LifetimeOver | CloseReason::ServerShutdown);
        Implausible::unless(is_ours, "an orderly end of ours that is none")?;
        let until = until.map(|age| age.moment(now));
        let is_soon = until.is_none_or(|until| until <= now + LIFETIME_GRACE);
        Implausible::unless(is_soon, "an end that takes too long")?;
        Ok(Ending { reason, until })
    }
}
