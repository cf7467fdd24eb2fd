//! How many messages went out and came back, and after how long.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// A day; longer round trips count as that. The histogram does not grow for what it is given.
const LONGEST_NANOS: u64 = 24 * 60 * 60 * 1_000_000_000;

/// Of all connections together.
#[derive(Debug)]
pub struct Figures {
    /// Connections that were made.
    pub connections: u64,
    /// Messages that were sent.
    pub sent: u64,
    /// Messages that were on their way when we ended it: nobody lost them.
    pub in_flight: u64,
    /// Probes of the server's that were answered.
    pub probes: u64,
    /// In nanoseconds.
    round_trips: Histogram<u64>,
}

impl Figures {
    /// None yet.
    pub fn new() -> Figures {
        const DIGITS: u8 = 3;
        #[expect(
            clippy::expect_used,
            reason = "refused are only bounds the wrong way round, and more than 5 digits"
        )]
        let round_trips =
            Histogram::new_with_bounds(1, LONGEST_NANOS, DIGITS).expect("3 digits, bounds in order");
        Figures { connections: 0, sent: 0, in_flight: 0, probes: 0, round_trips }
    }

    /// A message came back after so long.
    pub fn echoed(&mut self, round_trip: Duration) {
        self.round_trips.saturating_record(u64::try_from(round_trip.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Whether nothing is missing, and something came back of what was sent.
    pub fn is_complete(&self) -> bool {
        self.lost() == 0 && (self.sent == 0 || !self.round_trips.is_empty())
    }

    /// No round trip was longer.
    pub fn longest(&self) -> Duration {
        Duration::from_nanos(self.round_trips.max())
    }

    fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.round_trips.len() + self.in_flight)
    }

    /// The names of the round trips, and what they are in nanoseconds.
    fn times(&self) -> [(&'static str, f64); 7] {
        let all = &self.round_trips;
        [
            ("min", all.min() as f64),
            ("mean", all.mean()),
            ("median", all.value_at_quantile(0.5) as f64),
            ("p90", all.value_at_quantile(0.9) as f64),
            ("p99", all.value_at_quantile(0.99) as f64),
            ("max", all.max() as f64),
            ("stddev", all.stdev()),
        ]
    }

    /// For people.
    pub fn table(&self) -> String {
        let (sent, echoed, lost) = (self.sent, self.round_trips.len(), self.lost());
        let mut table = format!("{sent} sent, {echoed} echoed, {lost} lost");
        if self.in_flight > 0 {
            table.push_str(&format!(", {} on the way", self.in_flight));
        }
        if self.connections > 1 {
            table.push_str(&format!(", {} connections", self.connections));
        }
        if self.probes > 0 {
            table.push_str(&format!(", {} probes answered", self.probes));
        }
        if echoed > 0 {
            let names: String = self.times().iter().map(|(name, _)| format!("{name:>10}")).collect();
            let times: String =
                self.times().iter().map(|(_, time)| format!("{:>10.3}", time / 1e6)).collect();
            table.push_str(&format!("\n{:>4}{names}\n{:>4}{times}", "", "ms"));
        }
        table
    }

    /// For programs, in microseconds.
    pub fn object(&self) -> Value {
        let mut object = json!({
            "event": "figures",
            "connections": self.connections,
            "sent": self.sent,
            "echoed": self.round_trips.len(),
            "lost": self.lost(),
            "in_flight": self.in_flight,
            "probes_answered": self.probes,
        });
        if !self.round_trips.is_empty() {
            for (name, time) in self.times() {
                object[format!("rtt_{name}_us")] = json!(time / 1e3);
            }
        }
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_are_told_as_they_were() {
        let mut figures = Figures::new();
        figures.sent = 100;
        (1..=99).for_each(|count| figures.echoed(Duration::from_micros(count * 100)));
        let object = figures.object();
        let near = |name: &str, expected: f64| {
            let told = object[name].as_f64().expect(name);
            assert!((told / expected - 1.0).abs() < 0.002, "{name}: {told}, not {expected}");
        };
        near("rtt_min_us", 100.0);
        near("rtt_mean_us", 5_000.0);
        near("rtt_median_us", 5_000.0);
        near("rtt_p90_us", 9_000.0);
        near("rtt_max_us", 9_900.0);
        assert_eq!((&object["lost"], figures.is_complete()), (&json!(1), false));
        assert!(figures.table().contains("100 sent, 99 echoed, 1 lost"));
        figures.in_flight = 1;
        assert!(
            figures.table().contains("100 sent, 99 echoed, 0 lost, 1 on the way") && figures.is_complete()
        );
    }
}
