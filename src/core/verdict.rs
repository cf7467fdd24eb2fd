//! Whose silence was it? From what the kernel knows of a connection to a verdict.
//!
//! The rules stand in [`judge`], first to last; where none holds the verdict is [`Verdict::Unknown`], which is an
//! honest answer. A wrong one would send somebody the wrong way at night.

use std::time::Duration;

use super::listed::listed;

listed! {
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
}

impl Verdict {
    /// The name, and what it means: the end of a sentence that begins with the close reason.
    const fn facts(self) -> (&'static str, &'static str) {
        match self {
            Verdict::PathLost => {
                ("path_lost", "its host acknowledges nothing: the network or the host is gone")
            }
            Verdict::PeerHung => {
                ("peer_hung", "its host acknowledged our probe, its application does not answer")
            }
            Verdict::PeerNotReading => {
                ("peer_not_reading", "its receive window is closed: its application does not read")
            }
            Verdict::PeerIdle => {
                ("peer_idle", "its host is alive, its application had nothing to say and was not asked")
            }
            Verdict::Unknown => ("unknown", "the evidence does not tell whose silence it was"),
        }
    }

    /// The fixed name in logs and documentation.
    pub const fn name(self) -> &'static str {
        self.facts().0
    }

    /// What it means, as the end of a sentence that begins with the close reason.
    pub const fn sentence(self) -> &'static str {
        self.facts().1
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
    /// The greatest segment that goes to it.
    pub segment: Option<u32>,
    /// Keepalives or window probes in a row that went unanswered.
    pub kernel_probes: Option<u32>,
    /// How long the kernel waits for an answer before it asks, or sends, again; twice as long every time.
    pub patience: Option<Duration>,
    /// Segments sent again since the connection began, for whatever reason.
    pub sent_again: Option<u32>,
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
    /// [`Evidence::sent_again`] when the application was asked first; `None`: not known.
    pub sent_again_before: Option<u32>,
    /// After this much silence the kernel asks the host for a sign of life (keepalive); `None`: it never does.
    pub host_after: Option<Duration>,
}

impl Evidence {
    /// Its names in a log record, in the order of [`Evidence::values`].
    pub const NAMES: [&str; 7] = [
        "tcp_unacked",
        "tcp_retransmits",
        "tcp_notsent_bytes",
        "tcp_snd_wnd",
        "tcp_probes",
        "tcp_last_ack_ms",
        "tcp_rtt_us",
    ];

    /// What a log record tells of it.
    pub fn values(&self) -> [Option<u64>; Evidence::NAMES.len()] {
        let Evidence {
            unacked,
            retransmits,
            unsent_bytes,
            send_window,
            kernel_probes,
            last_ack,
            round_trip,
            ..
        } = *self;
        let last_ack_ms = last_ack.map(|time| time.as_millis() as u64); // both come from 32 bits
        let round_trip_us = round_trip.map(|time| time.as_micros() as u64);
        let [unacked, retransmits, unsent_bytes, send_window, kernel_probes] =
            [unacked, retransmits, unsent_bytes, send_window, kernel_probes]
                .map(|count| count.map(u64::from));
        [unacked, retransmits, unsent_bytes, send_window, kernel_probes, last_ack_ms, round_trip_us]
    }
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

/// Linux answers window probes no more often than this (`tcp_invalid_ratelimit`, see the kernel's ip-sysctl.rst): one
/// that follows the last answer sooner proves nothing.
const BETWEEN_ANSWERS: Duration = Duration::from_millis(500);

/// Says whose silence it is.
pub fn judge(evidence: &Evidence, questions: Questions) -> Verdict {
    let verdict = match window_is_closed(evidence) {
        Some(true) => behind_closed_window(evidence),
        _ => behind_open_window(evidence, questions),
    };
    verdict.unwrap_or(Verdict::Unknown)
}

/// Closed is also a window that is smaller than the next segment: the kernel waits for it to open further.
fn window_is_closed(evidence: &Evidence) -> Option<bool> {
    let window = evidence.send_window?;
    let next = match evidence.unacked? {
        0 => evidence.unsent_bytes?.min(evidence.segment?).max(1),
        _ => 1,
    };
    Some(window < next)
}

/// With its window closed, the peer's host is asked again and again by window probes.
fn behind_closed_window(evidence: &Evidence) -> Option<Verdict> {
    let last_ack = evidence.last_ack?;
    if evidence.unacked? > 0 {
        // The window was taken back. What is beyond it is sent again in place of probes, and that is not counted.
        if last_ack <= ANSWER_TIME {
            return Some(Verdict::PeerNotReading); // it has just said once more that it is closed
        }
        return (last_ack > evidence.patience? + ANSWER_TIME).then_some(Verdict::PathLost);
    }
    let unanswered = evidence.kernel_probes?;
    if evidence.unsent_bytes? == 0 {
        // Nothing waits, so they are keepalives.
        return (unanswered >= SURELY_LOST).then_some(Verdict::PathLost);
    }
    let first_after = evidence.patience? / 1u32.checked_shl(unanswered)?;
    let sent_after = |nth: u32| first_after * ((1u32 << nth) - 1);
    match (1..=unanswered).map(sent_after).find(|after| *after >= BETWEEN_ANSWERS) {
        None => Some(Verdict::PeerNotReading),
        Some(after) => (last_ack > after + ANSWER_TIME).then_some(Verdict::PathLost),
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
        // A path that loses what we ask may lose what is answered as well.
        let nothing_lost = evidence.sent_again? == questions.sent_again_before?;
        return nothing_lost.then_some(Verdict::PeerHung);
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
        segment: Some(1_448),
        kernel_probes: Some(0),
        patience: Some(Duration::from_millis(200)),
        sent_again: Some(7),
        last_ack: Some(Duration::from_secs(3)),
        round_trip: Some(Duration::from_millis(1)),
    };
    const KEEPALIVE: Questions = Questions {
        application: false,
        sent_again_before: Some(7),
        host_after: Some(Duration::from_secs(15)),
    };
    const PROBED: Questions = Questions { application: true, ..KEEPALIVE };
    const NOTHING: Questions = Questions { host_after: None, ..KEEPALIVE };

    #[track_caller]
    fn expect(verdict: Verdict, evidence: Evidence, questions: Questions) {
        assert_eq!(judge(&evidence, questions), verdict, "{evidence:?}");
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

    /// What was asked got lost on its way once, and arrived the second time. Then the answer may be what got lost now.
    #[test]
    fn an_application_is_not_blamed_on_a_path_that_loses_packets() {
        expect(Verdict::Unknown, Evidence { sent_again: Some(8), ..IDLE }, PROBED);
        expect(Verdict::Unknown, IDLE, Questions { sent_again_before: None, ..PROBED });
        // Nothing was asked of it: its host's answers are enough.
        expect(Verdict::PeerIdle, Evidence { sent_again: Some(8), ..IDLE }, KEEPALIVE);
    }

    /// A closed window, `last_ack` after its host was heard; `probes` went unanswered since.
    fn closed(probes: u32, patience: f64, last_ack: f64) -> Evidence {
        Evidence {
            send_window: Some(0),
            unsent_bytes: Some(5_000),
            kernel_probes: Some(probes),
            patience: Some(Duration::from_secs_f64(patience)),
            last_ack: Some(Duration::from_secs_f64(last_ack)),
            ..IDLE
        }
    }

    #[test]
    fn a_closed_window_whose_probes_are_answered_is_a_peer_that_does_not_read() {
        for questions in [NOTHING, KEEPALIVE, PROBED] {
            expect(Verdict::PeerNotReading, closed(0, 0.2, 0.1), questions);
            expect(Verdict::PeerNotReading, closed(0, 6.4, 6.3), questions);
        }
    }

    #[test]
    fn a_window_probe_that_came_too_soon_to_be_answered_proves_nothing() {
        // Sent 0.4 seconds after the last answer, and the next one is not due yet.
        expect(Verdict::PeerNotReading, closed(1, 0.8, 1.1), PROBED);
    }

    #[test]
    fn a_window_probe_that_had_to_be_answered_and_was_not_is_a_lost_path() {
        // Sent after 3.2 seconds.
        expect(Verdict::Unknown, closed(1, 6.4, 4.1), PROBED);
        expect(Verdict::PathLost, closed(1, 6.4, 4.3), PROBED);
        // Sent after 0.2, 0.6 and 1.4 seconds; the second is the first that counts.
        expect(Verdict::Unknown, closed(3, 1.6, 1.5), PROBED);
        expect(Verdict::PathLost, closed(3, 1.6, 1.7), PROBED);
    }

    #[test]
    fn a_window_too_small_for_the_next_segment_is_closed() {
        for (window, unsent) in [(1_447, 90_000), (99, 100), (1, 2)] {
            let small =
                Evidence { send_window: Some(window), unsent_bytes: Some(unsent), ..closed(0, 0.2, 0.0) };
            expect(Verdict::PeerNotReading, small, PROBED);
        }
        for (window, unsent) in [(1_448, 90_000), (100, 100)] {
            let open =
                Evidence { send_window: Some(window), unsent_bytes: Some(unsent), ..closed(0, 0.2, 0.0) };
            expect(Verdict::Unknown, open, PROBED);
        }
    }

    /// Neither the retransmissions nor the probes count up then, but the kernel's patience grows.
    #[test]
    fn behind_a_window_taken_back_the_last_acknowledgement_tells() {
        let taken_back = |patience, last_ack| Evidence { unacked: Some(1), ..closed(0, patience, last_ack) };
        expect(Verdict::PeerNotReading, taken_back(3.2, 0.9), PROBED);
        expect(Verdict::Unknown, taken_back(3.2, 4.1), PROBED);
        expect(Verdict::PathLost, taken_back(3.2, 4.3), PROBED);
    }

    #[test]
    fn a_closed_window_for_which_nothing_waits_proves_little() {
        let full = |probes| Evidence { unsent_bytes: Some(0), ..closed(probes, 0.2, 5.0) };
        expect(Verdict::Unknown, full(0), KEEPALIVE);
        expect(Verdict::PathLost, full(2), KEEPALIVE);
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
