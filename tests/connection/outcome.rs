//! How a connection ended, and what that should have been.

use pulse_echo::core::{Close, CloseReason, Failure, ProbeReport, Report, Verdict};

/// How a connection ended, and when.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub at: u64,
    pub close: Close,
    pub report: Report,
}

impl Outcome {
    /// Ended for this reason, at this time, and no error of the operating system decided.
    #[track_caller]
    pub fn expect(&self, at: u64, reason: CloseReason) -> Report {
        self.expect_close(at, reason, None)
    }

    #[track_caller]
    pub fn expect_failure(&self, at: u64, reason: CloseReason, failure: Failure) -> Report {
        self.expect_close(at, reason, Some(failure))
    }

    #[track_caller]
    fn expect_close(&self, at: u64, reason: CloseReason, failure: Option<Failure>) -> Report {
        assert_eq!((self.at, self.close.reason, self.close.failure), (at, reason, failure));
        self.report
    }

    #[track_caller]
    pub fn probes(&self) -> ProbeReport {
        self.report.probes.unwrap_or_else(|| panic!("no probes are counted here"))
    }

    /// Whose silence it was, where the reason is one.
    pub fn verdict(&self) -> Option<Verdict> {
        self.close.silence.as_ref().map(|silence| silence.verdict())
    }
}
