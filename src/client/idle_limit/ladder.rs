//! Which silences to try: two rounds, not a bisection, for the silences of a round last side by side.

use std::time::Duration;

/// The first step, where there is room for it.
const USUAL_FIRST: Duration = Duration::from_secs(30);

/// Each step of the first round is so much longer than the one before: the second round lasts hardly longer than the limit.
const GROWTH: f64 = 1.25;

/// More connections are not opened for one round.
const MOST_STEPS: u32 = 1000;

/// Ever longer, up to `max`, and nowhere closer than `resolution`.
pub fn first_round(max: Duration, resolution: Duration) -> Vec<Duration> {
    let mut steps = Vec::new();
    let mut step = USUAL_FIRST.min(max / 8).max(resolution);
    while step < max {
        steps.push(step);
        let grown = Duration::from_millis(step.mul_f64(GROWTH).as_millis() as u64);
        step = grown.max(step.saturating_add(resolution));
    }
    steps.push(max);
    steps
}

/// From the longest that lived to the shortest that died, both left out.
pub fn second_round(lived: Duration, died: Duration, resolution: Duration) -> Vec<Duration> {
    let width = resolution.max(died.saturating_sub(lived) / MOST_STEPS);
    let steps = (1..=MOST_STEPS).map(|nth| lived.saturating_add(width.saturating_mul(nth)));
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
            (seconds(12), seconds(1), Duration::from_millis(1500)),
            (seconds(1), seconds(10), seconds(1)),
        ] {
            let steps = first_round(max, resolution);
            assert_eq!((steps.first(), steps.last()), (Some(&first), Some(&max)));
            assert!(steps.is_sorted() && steps.len() < 40, "{steps:?}");
        }
    }

    #[test]
    fn the_second_round_is_as_fine_as_asked_for() {
        let table: [(u64, u64, &[u64]); 3] = [(4, 8, &[5, 6, 7]), (4, 5, &[]), (0, 2, &[1])];
        for (lived, died, steps) in table {
            let expected: Vec<_> = steps.iter().copied().map(seconds).collect();
            assert_eq!(second_round(seconds(lived), seconds(died), seconds(1)), expected);
        }
        assert!(second_round(seconds(0), seconds(100_000), Duration::from_millis(1)).len() <= 1000);
    }
}
