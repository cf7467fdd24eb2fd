//! How many messages went out and came back, and after how long.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Of all connections together.
#[derive(Debug)]
pub struct Figures {
    /// Connections that were made.
    pub connections: u64,
    /// Messages that were sent.
    pub sent: u64,
    /// Probes of the server's that were answered.
    pub probes: u64,
    /// In nanoseconds.
    round_trips: Histogram<u64>,
}

impl Figures {
    /// None yet.
    pub fn new() -> Figures {
        const DIGITS: u8 = 3;
        #[expect(clippy::expect_used, reason = "refused are more than 5 digits only")]
        let round_trips = Histogram::new(DIGITS).expect("3 digits");
        Figures { connections: 0, sent: 0, probes: 0, round_trips }
    }

    /// A message came back after so long.
    pub fn echoed(&mut self, round_trip: Duration) {
        self.round_trips.saturating_record(u64::try_from(round_trip.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.lost() == 0
    }

    fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.round_trips.len())
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
