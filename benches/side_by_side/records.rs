//! The books of pulse-echo: do its records and its counts agree?

use serde_json::Value;

/// What a log says.
#[derive(Debug, Default)]
pub struct Records {
    /// Records of closes.
    pub closes: u64,
    /// All records.
    pub all: u64,
    /// Closes by the last summary.
    pub closed: u64,
    /// Accepted connections by the last summary.
    pub accepted: u64,
    /// Records lost by the last summary.
    pub lost: u64,
}

impl Records {
    /// Reads a log of JSON lines.
    pub fn of(log: &str) -> anyhow::Result<Records> {
        let mut records = Records::default();
        for line in log.lines() {
            let record: Value = serde_json::from_str(line)?;
            let number = |field: &str| record[field].as_u64().unwrap_or_default();
            records.all += 1;
            match record["event"].as_str() {
                Some("close") => records.closes += 1,
                Some("summary") => {
                    records.closed = number("closed");
                    records.accepted = number("accepted");
                    records.lost = number("log_lost");
                }
                _ => {}
            }
        }
        Ok(records)
    }

    /// Every close has its record or is among the lost, and every connection its close.
    pub fn agree(&self) -> bool {
        self.closed == self.closes + self.lost && self.closed == self.accepted
    }
}
