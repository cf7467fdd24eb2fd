//! The one clock: tokio's, so that paused time works in tests.

use std::time::{Duration, Instant};

use crate::core::Moment;

/// The present, or in a test what stands for it.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Waits until then; without a time for ever.
pub async fn sleep_until_some(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// So much lies before the start of an event loop: what its connections remember of the programs before this one.
const HISTORY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The clock of an event loop, which counts from the start of that.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Clock {
        Clock { start: now() }
    }

    /// The present.
    pub fn now(&self) -> Moment {
        Moment::START + HISTORY + now().saturating_duration_since(self.start)
    }

    /// That moment by the clock of the system; what was before the start of the event loop is at the start.
    pub fn instant(&self, moment: Moment) -> Instant {
        self.start + (moment - (Moment::START + HISTORY))
    }
}
