//! Whose silence was it? From what the kernel knows of a connection to the ground of a verdict.
//!
//! The rules stand in [`judge`], first to last; where none holds, too little is known, which is an honest answer. A wrong one
//! would send somebody the wrong way at night. On a path that loses packets an answer may be lost as well as a question, so an
//! application is blamed only after its host had time to send the answer several times.

use std::time::Duration;

use super::evidence::Evidence;
use super::inquiry::Findings;
use super::verdict::Ground;

/// What was asked of the peer, and how its host was watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Questions {
    /// What came of asking the application; `None`: no probe waits for its answer.
    pub application: Option<Findings>,
    /// How long each probe waits for its answer.
    pub answer_time: Duration,
    /// After this much silence the kernel asks the host for a sign of life (keepalive); `None`: it never does.
    pub host_after: Option<Duration>,
    /// So many of the kernel's questions go unanswered before it gives up.
    pub max_missed: u32,
    /// The write deadline.
    pub write: Option<Duration>,
    /// No probe can be sent: the peer stopped inside a line.
    pub in_line: bool,
}

/// A question of the kernel's may just be on its way when we look; after this long it counts as unanswered.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// Linux answers window probes no more often than this (`tcp_invalid_ratelimit`, see the kernel's ip-sysctl.rst): one
/// that follows the last answer sooner proves nothing.
const BETWEEN_ANSWERS: Duration = Duration::from_millis(500);

/// One lost window probe is bad luck. Two that had to be answered are a lost path.
const SURELY_LOST: usize = 2;

/// So often in a row is a segment sent again in vain on a path that is lost.
const RETRANSMITTED_IN_VAIN: u32 = 3;

/// Says what a verdict on a silence stands on.
pub fn judge(evidence: &Evidence, questions: Questions) -> Ground {
    let ground = match evidence.window_is_closed() {
        Some(true) => behind_closed_window(evidence, questions),
        _ => behind_open_window(evidence, questions),
    };
    ground.unwrap_or(Ground::TooLittle)
}

/// With its window closed, the peer's host is asked again and again by window probes.
fn behind_closed_window(evidence: &Evidence, questions: Questions) -> Option<Ground> {
    let last_ack = evidence.last_ack?;
    let lately = questions.write.map_or(ON_ITS_WAY, |write| (write / 2).max(ON_ITS_WAY));
    if evidence.unacked? > 0 {
        // The window was taken back. What is beyond it is sent again in place of probes, and that is not counted.
        let lost = last_ack > evidence.patience? + ON_ITS_WAY;
        return if lost { Some(Ground::Unacknowledged) } else { closed_if(last_ack <= lately) };
    }
    if evidence.unsent_bytes? == 0 {
        // Nothing waits, so they are keepalives.
        return (evidence.kernel_probes? >= questions.max_missed).then_some(Ground::Unacknowledged);
    }
    match overdue_window_probes(evidence)? {
        0 => Some(Ground::WindowClosed),
        SURELY_LOST.. => Some(Ground::Unacknowledged),
        _ => closed_if(last_ack <= lately),
    }
}

fn closed_if(said_so_lately: bool) -> Option<Ground> {
    said_so_lately.then_some(Ground::WindowClosed)
}

/// Window probes that had to be answered, and were not. They come after so long, twice, four times, … as long.
fn overdue_window_probes(evidence: &Evidence) -> Option<usize> {
    let (unanswered, last_ack) = (evidence.kernel_probes?, evidence.last_ack?);
    let first_after = evidence.patience? / 1u32.checked_shl(unanswered)?;
    let sent_after = |nth: u32| first_after.saturating_mul(1u32.checked_shl(nth).unwrap_or(u32::MAX) - 1);
    let overdue = |after: &Duration| *after >= BETWEEN_ANSWERS && last_ack > *after + ON_ITS_WAY;
    Some((1..=unanswered).map(sent_after).filter(overdue).count())
}

fn behind_open_window(evidence: &Evidence, questions: Questions) -> Option<Ground> {
    if evidence.receive_memory.is_some_and(|bytes| bytes > 0) {
        return Some(Ground::Hole);
    }
    if evidence.unacked? == 0 && evidence.unsent_bytes? > 0 {
        return Some(Ground::NothingLeaves);
    }
    match questions.application {
        Some(findings) => after_a_probe(evidence, questions, findings),
        None => without_a_probe(evidence, questions),
    }
}

fn after_a_probe(evidence: &Evidence, questions: Questions, findings: Findings) -> Option<Ground> {
    let Some(asked) = findings.asked else {
        // What does not leave this host counts as a timeout only.
        let sent_again = evidence.unacked? > 0 && findings.retransmits?.max(evidence.retransmits?) > 0;
        let lost = sent_again || evidence.kernel_probes? >= questions.max_missed;
        return lost.then_some(Ground::Unacknowledged);
    };
    let heard_long_after = asked.saturating_sub(evidence.last_ack?) >= questions.answer_time / 2;
    if (evidence.all_acknowledged()? || heard_long_after)
        && findings.retransmits? <= 4
        && answers_suffice(evidence, asked, findings.patience)?
    {
        return Some(Ground::Unanswered);
    }
    (evidence.retransmits? >= RETRANSMITTED_IN_VAIN).then_some(Ground::Unacknowledged)
}

/// Whether an answer would have been sent often enough by now for one to arrive: the more a path loses, the more often. The
/// bounds are measured; on a path that loses every fifth packet they leave half of the hung peers unknown.
fn answers_suffice(evidence: &Evidence, asked: Duration, patience: Duration) -> Option<bool> {
    let lost = f64::from(evidence.total_retransmits?) / f64::from(evidence.data_segments?.saturating_add(8));
    let sendings = 1.0 + (1.0 + asked.as_secs_f64() / patience.as_secs_f64()).log2().floor();
    Some(sendings >= 3.0 && lost <= 0.20 || sendings >= 2.0 && lost <= 0.10)
}

/// The kernel alone asked the host, by keepalives, or by what is on its way.
fn without_a_probe(evidence: &Evidence, questions: Questions) -> Option<Ground> {
    if evidence.unacked? > 0 {
        return (evidence.retransmits? > 0).then_some(Ground::Unacknowledged);
    }
    if evidence.kernel_probes? >= questions.max_missed {
        return Some(Ground::Unacknowledged);
    }
    let alive = evidence.last_ack? <= questions.host_after? + ON_ITS_WAY;
    let idle = if questions.in_line { Ground::StoppedInLine } else { Ground::NothingAsked };
    alive.then_some(idle)
}

#[cfg(test)]
mod tests;
