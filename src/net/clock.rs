//! The one clock: tokio's, so that paused time works in tests.

use std::time::Instant;

/// The present, or in a test what stands for it.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
