//! Whose silence it was, in words that say no more than is known.

use super::evidence::Evidence;
use super::listed::listed;

listed! {
    /// Whose silence it was when the server gave up on a peer. The names are as fixed as those of the reasons.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum Verdict {
        /// What we sent goes unacknowledged: the network, or the peer's host, is gone.
        PathLost,
        /// The peer's host acknowledged our probe, its application did not answer.
        PeerHung,
        /// The peer's receive window stayed closed: its application took nothing.
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
            Verdict::PathLost => ("path_lost", Ground::Unacknowledged.sentence()),
            Verdict::PeerHung => ("peer_hung", Ground::Unanswered.sentence()),
            Verdict::PeerNotReading => ("peer_not_reading", Ground::WindowClosed.sentence()),
            Verdict::PeerIdle => ("peer_idle", Ground::NothingAsked.sentence()),
            Verdict::Unknown => ("unknown", Ground::TooLittle.sentence()),
        }
    }

    /// The fixed name in logs and documentation.
    pub const fn name(self) -> &'static str {
        self.facts().0
    }

    /// What it usually means; the [`Ground`] of a verdict says it of one silence.
    pub const fn sentence(self) -> &'static str {
        self.facts().1
    }
}

/// What a verdict stands on. Several of them lead to one verdict, each with words of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// What we sent was sent again, or asked for, in vain.
    Unacknowledged,
    /// Nothing of ours is on its way, though the peer would take it.
    NothingLeaves,
    /// Bytes of the peer's arrived, and others before them did not.
    Hole,
    /// A probe arrived, and no answer came.
    Unanswered,
    /// The window is closed, and the peer's host says so again and again.
    WindowClosed,
    /// The host is alive, and that is all that was asked.
    NothingAsked,
    /// The same, in the middle of a line, where no probe can be sent.
    StoppedInLine,
    /// None of these.
    TooLittle,
}

impl Ground {
    const fn facts(self) -> (Verdict, &'static str) {
        match self {
            Ground::Unacknowledged => {
                (Verdict::PathLost, "its host acknowledges nothing: the network or the host is gone")
            }
            Ground::NothingLeaves => (
                Verdict::PathLost,
                "nothing that we send leaves our own host: look at its interface, routes and filters",
            ),
            Ground::Hole => (
                Verdict::PathLost,
                "some of what it sent is missing on the way, so what came after it cannot be read",
            ),
            Ground::Unanswered => {
                (Verdict::PeerHung, "its host acknowledged our probe, its application does not answer")
            }
            Ground::WindowClosed => (
                Verdict::PeerNotReading,
                "its receive window stayed closed: its application took nothing for that long",
            ),
            Ground::NothingAsked => {
                (Verdict::PeerIdle, "its host is alive, its application had nothing to say and was not asked")
            }
            Ground::StoppedInLine => (
                Verdict::PeerIdle,
                "its host is alive; it stopped inside a line, where its application cannot be asked",
            ),
            Ground::TooLittle => (Verdict::Unknown, "the evidence does not tell whose silence it was"),
        }
    }

    /// Whose silence it was.
    pub const fn verdict(self) -> Verdict {
        self.facts().0
    }

    /// Why we think so, as the end of a sentence that begins with the close reason.
    pub const fn sentence(self) -> &'static str {
        self.facts().1
    }
}

/// A judged silence, and the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// What the verdict stands on.
    pub ground: Ground,
    /// What the kernel knew right before the close.
    pub evidence: Evidence,
    /// Since the peer's host acknowledged the first probe that went unanswered, where it did.
    pub asked: Option<std::time::Duration>,
}

impl Silence {
    /// Whose silence it was.
    pub fn verdict(&self) -> Verdict {
        self.ground.verdict()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ() {
        let mut names = Verdict::ALL.map(Verdict::name).to_vec();
        names.dedup();
        assert_eq!(names.len(), Verdict::ALL.len());
    }
}
