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
        /// A proxy's host acknowledged our probe: the path behind it, or the peer, is silent.
        BeyondProxy,
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
            Verdict::BeyondProxy => ("beyond_proxy", Ground::Unanswered.behind_proxy().1),
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

    /// What it means where a proxy is the other end of our connection, and somebody else the peer.
    const fn behind_proxy(self) -> (Verdict, &'static str) {
        match self {
            Ground::Unacknowledged => (
                Verdict::PathLost,
                "the proxy's host acknowledges nothing: the network to the proxy, or its host, is gone",
            ),
            Ground::Hole => (
                Verdict::PathLost,
                "some of what the proxy sent is missing on the way, so what came after it cannot be read",
            ),
            Ground::WindowClosed => (
                Verdict::PeerNotReading,
                "the proxy's receive window stayed closed: it took nothing for that long, as when its client does not read",
            ),
            Ground::Unanswered => (
                Verdict::BeyondProxy,
                "the proxy's host acknowledged our probe, and no answer came: the path behind it, or the peer, is silent",
            ),
            Ground::NothingAsked => (
                Verdict::BeyondProxy,
                "the proxy's host is alive; the peer behind it had nothing to say and was not asked",
            ),
            Ground::StoppedInLine => (
                Verdict::BeyondProxy,
                "the proxy's host is alive; the peer behind it stopped inside a line, where it cannot be asked",
            ),
            Ground::NothingLeaves | Ground::TooLittle => self.facts(),
        }
    }

    /// Whose silence it was, where nothing but a network is between.
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
    /// A proxy is the other end of our connection.
    pub behind_proxy: bool,
}

impl Silence {
    fn facts(&self) -> (Verdict, &'static str) {
        if self.behind_proxy { self.ground.behind_proxy() } else { self.ground.facts() }
    }

    /// Whose silence it was.
    pub fn verdict(&self) -> Verdict {
        self.facts().0
    }

    /// Why we think so, as the end of a sentence that begins with the close reason.
    pub fn sentence(&self) -> &'static str {
        self.facts().1
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

    #[test]
    fn behind_a_proxy_no_word_is_about_the_peer_but_that_it_is_silent() {
        let table = [
            (Ground::Unacknowledged, Verdict::PathLost),
            (Ground::NothingLeaves, Verdict::PathLost),
            (Ground::Hole, Verdict::PathLost),
            (Ground::Unanswered, Verdict::BeyondProxy),
            (Ground::WindowClosed, Verdict::PeerNotReading),
            (Ground::NothingAsked, Verdict::BeyondProxy),
            (Ground::StoppedInLine, Verdict::BeyondProxy),
            (Ground::TooLittle, Verdict::Unknown),
        ];
        for (ground, verdict) in table {
            let silence = Silence { ground, evidence: Evidence::default(), asked: None, behind_proxy: true };
            assert_eq!(silence.verdict(), verdict, "{ground:?}");
            let ours = matches!(ground, Ground::NothingLeaves | Ground::TooLittle);
            assert_eq!(
                silence.sentence().contains("the proxy's") || silence.sentence().contains("the proxy "),
                !ours
            );
        }
    }
}
