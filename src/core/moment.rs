//! Points in time, in eight bytes: every connection keeps several of them.

use std::num::NonZeroU64;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time, to the nanosecond, counted from a start that whoever owns the clock chose. They last for 584 years;
/// what would lie beyond lies at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(NonZeroU64);

impl Moment {
    /// The start.
    pub const START: Moment = Moment(NonZeroU64::MIN);

    /// From the start to here.
    pub fn since_start(self) -> Duration {
        self - Moment::START
    }

    /// From `earlier` to here; `None` if that is later.
    pub fn checked_duration_since(self, earlier: Moment) -> Option<Duration> {
        self.0.get().checked_sub(earlier.0.get()).map(Duration::from_nanos)
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, duration: Duration) -> Moment {
        let whole = duration.as_secs().saturating_mul(1_000_000_000);
        let nanos = whole.saturating_add(duration.subsec_nanos().into());
        Moment(self.0.saturating_add(nanos))
    }
}

/// From `earlier` to here; zero if that is later.
impl Sub for Moment {
    type Output = Duration;

    fn sub(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}

/// So much before; the start, if that is later.
impl Sub<Duration> for Moment {
    type Output = Moment;

    fn sub(self, duration: Duration) -> Moment {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Moment(NonZeroU64::new(self.0.get().saturating_sub(nanos)).unwrap_or(NonZeroU64::MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_added_is_the_difference() {
        for duration in [Duration::ZERO, Duration::from_nanos(1), Duration::new(3_600, 999_999_999)] {
            let moment = Moment::START + duration;
            assert_eq!(moment - Moment::START, duration);
            assert_eq!(moment.since_start(), duration);
            assert_eq!(Moment::START.checked_duration_since(moment).is_none(), duration > Duration::ZERO);
            assert_eq!(Moment::START - moment, Duration::ZERO);
        }
    }

    #[test]
    fn what_is_too_far_away_is_at_the_end_of_time() {
        let end = Moment::START + Duration::MAX;
        assert_eq!(end + Duration::from_secs(1), end);
        assert!(end > Moment::START + Duration::from_secs(500 * 365 * 24 * 60 * 60));
    }
}
