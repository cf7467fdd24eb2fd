//! Whose silence was it? From what the kernel knows of a connection to a verdict.
//!
//! The rules stand in [`judge`], first to last; where none holds the verdict is [`Verdict::Unknown`], which is an
//! honest answer. A wrong one would send somebody the wrong way at night.

use std::time::Duration;

use super::close::CloseReason;

/// Whose silence it was when the server gave up on a peer. The names are as fixed as those of the reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// What we sent goes unacknowledged: the network, or the peer's host, is gone.
    PathLost,
    /// The peer's host acknowledged our probe, its application did not answer.
    PeerHung,
    /// The peer's receive window is closed: its application does not read.
    PeerNotReading,
    /// The peer's host is alive, and nothing was asked of its application.
    PeerIdle,
    /// The evidence does not tell.
    Unknown,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Verdict; 5] =
        [Verdict::PathLost, Verdict::PeerHung, Verdict::PeerNotReading, Verdict::PeerIdle, Verdict::Unknown];

    /// The fixed name in logs and documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::PathLost => "path_lost",
            Verdict::PeerHung => "peer_hung",
            Verdict::PeerNotReading => "peer_not_reading",
            Verdict::PeerIdle => "peer_idle",
            Verdict::Unknown => "unknown",
        }
    }

    /// What it means, as the end of a sentence that begins with the close reason.
    pub const fn sentence(self) -> &'static str {
        match self {
            Verdict::PathLost => "its host acknowledges nothing: the network or the host is gone",
            Verdict::PeerHung => "its host acknowledged our probe, its application does not answer",
            Verdict::PeerNotReading => "its receive window is closed: its application does not read",
            Verdict::PeerIdle => "its host is alive, its application had nothing to say and was not asked",
            Verdict::Unknown => "the evidence does not tell whose silence it was",
        }
    }
}

/// What the kernel knew of the connection right before the close. `None`: it did not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Evidence {
    /// Segments sent and not acknowledged.
    pub unacked: Option<u32>,
    /// How often in a row the oldest of them was sent again on a timeout.
    pub retransmits: Option<u32>,
    /// Bytes written and not sent yet.
    pub unsent_bytes: Option<u32>,
    /// Bytes the peer is ready to take.
    pub send_window: Option<u32>,
    /// Keepalives or window probes in a row that went unanswered.
    pub kernel_probes: Option<u32>,
    /// Since the last acknowledgement.
    pub last_ack: Option<Duration>,
    /// The smoothed round-trip time.
    pub round_trip: Option<Duration>,
}

/// What was asked of the peer, and how its host was watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Questions {
    /// A probe waits for the application's answer.
    pub application: bool,
    /// After this much silence the kernel asks the host for a sign of life (keepalive); `None`: it never does.
    pub host_after: Option<Duration>,
}

/// A verdict, and the evidence that it stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// Whose silence it was.
    pub verdict: Verdict,
    /// Why we think so.
    pub evidence: Evidence,
}

/// A keepalive may just be on its way when we look; after this long it counts as unanswered.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// One unanswered probe of the kernel's may be on its way. Two cannot: the second is sent because the first was lost.
const SURELY_LOST: u32 = 2;

/// Judges a silence; `None` where `reason` is none.
pub fn judge(reason: CloseReason, evidence: &Evidence, questions: Questions) -> Option<Verdict> {
    match reason {
        CloseReason::ReadTimeout | CloseReason::HeartbeatTimeout | CloseReason::WriteTimeout => {
            let verdict = match evidence.send_window {
                Some(0) => behind_closed_window(evidence),
                _ => behind_open_window(evidence, questions),
            };
            Some(verdict.unwrap_or(Verdict::Unknown))
        }
        _ => None,
    }
}

/// With its window closed, the peer's host is asked again and again by window probes.
fn behind_closed_window(evidence: &Evidence) -> Option<Verdict> {
    if evidence.retransmits? > 0 {
        // A window that was taken back: the same signs in a living host and in a lost path.
        return None;
    }
    match evidence.kernel_probes? {
        0 if evidence.unsent_bytes? > 0 => Some(Verdict::PeerNotReading),
        SURELY_LOST.. => Some(Verdict::PathLost),
        _ => None,
    }
}

fn behind_open_window(evidence: &Evidence, questions: Questions) -> Option<Verdict> {
    let Evidence { unacked, retransmits, unsent_bytes, kernel_probes, .. } = *evidence;
    if (unacked? > 0 && retransmits? > 0) || kernel_probes? >= SURELY_LOST {
        return Some(Verdict::PathLost);
    }
    let all_acknowledged = unacked? == 0 && unsent_bytes? == 0;
    if !all_acknowledged {
        return None; // on its way, and not overdue: too early to tell
    }
    if questions.application {
        return Some(Verdict::PeerHung);
    }
    let alive = evidence.last_ack? <= questions.host_after? + ANSWER_TIME;
    alive.then_some(Verdict::PeerIdle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Evidence = Evidence {
        unacked: Some(0),
        retransmits: Some(0),
        unsent_bytes: Some(0),
        send_window: Some(65_536),
        kernel_probes: Some(0),
        last_ack: Some(Duration::from_secs(3)),
        round_trip: Some(Duration::from_millis(1)),
    };
    const KEEPALIVE: Questions = Questions { application: false, host_after: Some(Duration::from_secs(15)) };
    const PROBED: Questions = Questions { application: true, ..KEEPALIVE };
    const NOTHING: Questions = Questions { application: false, host_after: None };

    #[track_caller]
    fn expect(verdict: Verdict, evidence: Evidence, questions: Questions) {
        for reason in [CloseReason::ReadTimeout, CloseReason::HeartbeatTimeout, CloseReason::WriteTimeout] {
            assert_eq!(judge(reason, &evidence, questions), Some(verdict), "{reason:?} {evidence:?}");
        }
    }

    #[test]
    fn only_silence_is_judged() {
        for reason in CloseReason::ALL {
            let silent = matches!(
                reason,
                CloseReason::ReadTimeout | CloseReason::HeartbeatTimeout | CloseReason::WriteTimeout
            );
            assert_eq!(judge(reason, &IDLE, PROBED).is_some(), silent, "{reason:?}");
        }
    }

    #[test]
    fn bytes_sent_again_without_an_acknowledgement_are_a_lost_path() {
        let lost = Evidence { unacked: Some(3), retransmits: Some(2), ..IDLE };
        for questions in [NOTHING, KEEPALIVE, PROBED] {
            expect(Verdict::PathLost, lost, questions);
        }
    }

    #[test]
    fn bytes_on_their_way_prove_nothing() {
        expect(Verdict::Unknown, Evidence { unacked: Some(1), ..IDLE }, PROBED);
        expect(Verdict::Unknown, Evidence { unsent_bytes: Some(7), ..IDLE }, PROBED);
    }

    #[test]
    fn an_acknowledged_probe_without_an_answer_is_a_hung_application() {
        expect(Verdict::PeerHung, IDLE, PROBED);
    }

    #[test]
    fn two_unanswered_keepalives_are_a_lost_path_one_may_be_on_its_way() {
        let unanswered = |probes, seconds| Evidence {
            kernel_probes: Some(probes),
            last_ack: Some(Duration::from_secs(seconds)),
            ..IDLE
        };
        expect(Verdict::PathLost, unanswered(2, 21), KEEPALIVE);
        expect(Verdict::Unknown, unanswered(1, 18), KEEPALIVE);
        expect(Verdict::PeerIdle, unanswered(1, 15), KEEPALIVE);
    }

    #[test]
    fn a_host_that_is_asked_and_answers_makes_an_idle_peer() {
        expect(Verdict::PeerIdle, IDLE, KEEPALIVE);
        // Nobody asked the host, so its last word proves nothing about the silence since.
        expect(Verdict::Unknown, IDLE, NOTHING);
    }

    #[test]
    fn a_closed_window_whose_probes_are_answered_is_a_peer_that_does_not_read() {
        let closed = Evidence { send_window: Some(0), unsent_bytes: Some(5_000), ..IDLE };
        for questions in [NOTHING, KEEPALIVE, PROBED] {
            expect(Verdict::PeerNotReading, closed, questions);
            expect(Verdict::Unknown, Evidence { kernel_probes: Some(1), ..closed }, questions);
            expect(Verdict::PathLost, Evidence { kernel_probes: Some(2), ..closed }, questions);
        }
        let taken_back = Evidence { unacked: Some(1), retransmits: Some(4), ..closed };
        expect(Verdict::Unknown, taken_back, PROBED);
    }

    #[test]
    fn a_kernel_that_says_nothing_leaves_us_without_a_verdict() {
        expect(Verdict::Unknown, Evidence::default(), PROBED);
        expect(Verdict::Unknown, Evidence { unacked: None, ..IDLE }, PROBED);
        expect(Verdict::Unknown, Evidence { kernel_probes: None, ..IDLE }, PROBED);
    }

    #[test]
    fn names_differ() {
        let mut names = Verdict::ALL.map(Verdict::name).to_vec();
        names.dedup();
        assert_eq!(names.len(), Verdict::ALL.len());
    }
}
