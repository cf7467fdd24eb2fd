//! A silence that is asked about: what the kernel told of it since the first probe went unanswered.

use std::time::Duration;

use super::evidence::Evidence;
use super::moment::Moment;
use super::snapshot::{Age, InquiryState};

/// The kernel doubles its patience from here.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(200);

/// Of a kernel: `TCP_RTO_MAX`, include/net/tcp.h.
const LONGEST_PATIENCE: Duration = Duration::from_secs(120);

/// Later than this after the probe, data was sent again.
const SENT_AT_ONCE: Duration = Duration::from_millis(50);

/// What is known of a silence since its first probe. It is kept where a silence is, and asked of the kernel only when a probe
/// was missed: most are answered.
#[derive(Debug)]
pub struct Inquiry {
    /// When the peer's host acknowledged the first probe; `None`: it has not, as far as we know.
    asked_at: Option<Moment>,
    /// [`Evidence::total_retransmits`] when the first probe went out.
    retransmits_before: Option<u32>,
    /// [`Evidence::retransmission_timeout`] at the first look, but no less than 200 ms.
    patience: Duration,
}

/// What an inquiry has found by the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Findings {
    /// Since the peer's host acknowledged the first probe; `None`: as far as we know it has not.
    pub asked: Option<Duration>,
    /// Segments sent again since the first probe; `None` if unknown.
    pub retransmits: Option<u32>,
    /// How long the kernel of a peer waits at first before it sends its answer again.
    pub patience: Duration,
}

impl Inquiry {
    /// The first look at a silence, of which the first probe went out at `probed_at`.
    pub fn begin(probed_at: Moment, now: Moment, evidence: &Evidence) -> Inquiry {
        let timeout = evidence.retransmission_timeout.unwrap_or_default();
        let backed_off = 1 << evidence.retransmits.unwrap_or_default().min(16);
        Inquiry {
            asked_at: None,
            retransmits_before: retransmits_before(probed_at, now, evidence),
            patience: (timeout / backed_off).max(SHORTEST_PATIENCE),
        }
    }

    /// What outlives the program.
    pub fn snapshot(&self, now: Moment) -> InquiryState {
        let Inquiry { asked_at, retransmits_before, patience } = *self;
        InquiryState {
            asked: asked_at.map(|at| Age::of(at, now)),
            retransmits_before,
            patience_ns: u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// Goes on from there.
    pub fn restore(state: &InquiryState, now: Moment) -> Inquiry {
        let InquiryState { asked, retransmits_before, patience_ns } = *state;
        Inquiry {
            asked_at: asked.map(|age| age.moment(now)),
            retransmits_before,
            patience: Duration::from_nanos(patience_ns).clamp(SHORTEST_PATIENCE, LONGEST_PATIENCE),
        }
    }

    /// Another look. `question`: bytes that were sent before the first probe.
    pub fn look(&mut self, now: Moment, question: u64, evidence: &Evidence) {
        if self.asked_at.is_none() && evidence.acknowledged_bytes.is_some_and(|bytes| bytes > question) {
            self.asked_at = evidence.last_ack.map(|age| now - age);
        }
    }

    /// What is known at the last look.
    pub fn findings(&self, now: Moment, evidence: &Evidence) -> Findings {
        let retransmits = evidence.total_retransmits.zip(self.retransmits_before);
        Findings {
            asked: self.asked_at.map(|asked_at| now - asked_at),
            retransmits: retransmits.map(|(total, before)| total.saturating_sub(before)),
            patience: self.patience,
        }
    }
}

/// Nobody asked the kernel when the probe went out. What it sent again since then is counted back: on a timeout each time, and
/// once where data went out later than the probe did.
fn retransmits_before(probed_at: Moment, now: Moment, evidence: &Evidence) -> Option<u32> {
    let last_sent_at = evidence.last_data_sent.map(|age| now - age);
    let again = last_sent_at.is_some_and(|at| at > probed_at + SENT_AT_ONCE);
    let since = evidence.retransmits?.max(again.into());
    Some(evidence.total_retransmits?.saturating_sub(since))
}
