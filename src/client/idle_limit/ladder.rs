//! Which silences to try: two rounds, not a bisection, for the silences of a round last side by side.

use std::time::Duration;

use crate::ops::units::milliseconds;

/// The first step, where there is room for it.
const USUAL_FIRST: Duration = Duration::from_secs(30);

/// Each step of the first round is so much longer than the one before: the second round lasts hardly longer than the limit.
const GROWTH: f64 = 1.25;

/// More connections are not opened for one round.
const MOST_STEPS: u32 = 1000;

/// Ever longer, up to `max`: multiples of `resolution`, but for the last.
pub fn first_round(max: Duration, resolution: Duration) -> Vec<Duration> {
    let width = resolution.max(Duration::from_millis(1));
    let mut steps = Vec::new();
    let mut step = rounded_up(USUAL_FIRST.min(max / 8), width);
    while step < max {
        steps.push(step);
        step = rounded_up(step.mul_f64(GROWTH).min(max), width).max(step.saturating_add(width));
    }
    steps.push(max);
    steps
}

fn rounded_up(time: Duration, width: Duration) -> Duration {
    let width = milliseconds(width).max(1);
    Duration::from_millis(milliseconds(time).div_ceil(width).saturating_mul(width))
}

/// From the longest that lived to the shortest that died, both left out; `most` at most.
pub fn second_round(lived: Duration, died: Duration, resolution: Duration, most: u32) -> Vec<Duration> {
    let most = most.clamp(1, MOST_STEPS);
    let width = resolution.max(died.saturating_sub(lived) / (most + 1));
    let steps = (1..=most).map(|nth| lived.saturating_add(width.saturating_mul(nth)));
    steps.take_while(|step| *step < died).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn the_first_round_grows_to_the_greatest() {
        for (max, resolution, first) in [
            (seconds(7440), seconds(10), seconds(30)),
            (seconds(12), seconds(1), seconds(2)),
            (seconds(1), seconds(10), seconds(1)),
        ] {
            let steps = first_round(max, resolution);
            assert_eq!((steps.first(), steps.last()), (Some(&first), Some(&max)));
            assert!(steps.is_sorted() && steps.len() < 40, "{steps:?}");
            let multiple = |step: &Duration| step.as_millis().is_multiple_of(resolution.as_millis());
            assert!(steps.iter().all(|step| *step == max || multiple(step)), "{steps:?}");
        }
        let finest = first_round(seconds(365 * 24 * 60 * 60), Duration::from_millis(1));
        assert!(finest.len() < 100, "{}", finest.len());
    }

    #[test]
    fn the_second_round_is_as_fine_as_asked_for() {
        let table: [(u64, u64, &[u64]); 3] = [(4, 8, &[5, 6, 7]), (4, 5, &[]), (0, 2, &[1])];
        for (lived, died, steps) in table {
            let expected: Vec<_> = steps.iter().copied().map(seconds).collect();
            assert_eq!(second_round(seconds(lived), seconds(died), seconds(1), 1000), expected);
        }
        for most in [1, 30, 1000, u32::MAX] {
            let steps = second_round(seconds(0), seconds(100_000), Duration::from_millis(1), most);
            assert!(steps.len() as u32 <= most.min(MOST_STEPS) && !steps.is_empty(), "{}", steps.len());
        }
    }
}
