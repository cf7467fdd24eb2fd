//! What became of a connection that was silent.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::conversation::Word;
use crate::ops::units::{microseconds, milliseconds};

/// What became of a connection that was silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It echoed after the silence.
    Alive,
    /// What we sent after the silence was not acknowledged.
    Dropped,
    /// An RST came.
    Reset(Reset),
    /// The far end closed it, so long after the silence began.
    Closed(Duration),
    /// It ended by another error, by its name in errno(3), so long after the silence began.
    Broken(String, Duration),
    /// The other side broke the silence, so long after it began.
    KeptAlive(Sign, Duration),
    /// The host acknowledged, and nothing came back: this proves nothing about the path.
    Unanswered,
    /// There never was an echo.
    Failed(String),
}

/// How the other side broke the silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Its application said something.
    Word(Word),
    /// Its kernel did: segments without data came.
    Keepalive,
}

/// An RST, and what tells where it may have come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reset {
    /// Since the silence began.
    pub after: Duration,
    /// Since we had spoken; `None`: it came by itself.
    pub since_asked: Option<Duration>,
    /// The shortest that this connection ever took there and back.
    pub round_trip: Option<Duration>,
}

impl Reset {
    /// Sooner than the far end can answer. By half, for what stands close to it is not told from it.
    fn is_from_the_way(&self) -> bool {
        matches!((self.since_asked, self.round_trip), (Some(since), Some(round_trip)) if since * 2 < round_trip)
    }

    /// Who has forgotten the connection, as far as that shows.
    fn by_whom(&self) -> String {
        let milliseconds = |time: Duration| (time.as_secs_f64() * 1e4).round() / 10.0;
        match self {
            Reset { since_asked: None, .. } => "by itself: somebody keeps time".to_owned(),
            Reset { since_asked: Some(since), round_trip: Some(round_trip), .. }
                if self.is_from_the_way() =>
            {
                format!(
                    "{} ms after we spoke, where the way there and back takes {} ms: something on the way forgot it",
                    milliseconds(*since),
                    milliseconds(*round_trip)
                )
            }
            Reset { .. } => "when we spoke: the far end, or something on the way, forgot it".to_owned(),
        }
    }
}

impl Outcome {
    /// The silence that the connection did not outlive, if it was to last for `idle`.
    pub fn died(&self, idle: Duration) -> Option<Duration> {
        match self {
            Outcome::Dropped => Some(idle),
            Outcome::Reset(Reset { after, .. }) | Outcome::Closed(after) | Outcome::Broken(_, after) => {
                Some(idle.min(*after))
            }
            Outcome::Alive | Outcome::KeptAlive(..) | Outcome::Unanswered | Outcome::Failed(_) => None,
        }
    }

    /// For programs.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Alive => "alive",
            Outcome::Dropped => "dropped",
            Outcome::Reset(_) => "reset",
            Outcome::Closed(_) => "closed",
            Outcome::Broken(..) => "broken",
            Outcome::KeptAlive(..) => "kept_alive",
            Outcome::Unanswered => "unanswered",
            Outcome::Failed(_) => "failed",
        }
    }

    /// For people.
    pub fn sentence(&self) -> String {
        match self {
            Outcome::Alive => "alive".to_owned(),
            Outcome::Dropped => "silently dropped: what we sent was not acknowledged".to_owned(),
            Outcome::Reset(reset) => format!("reset after {}, {}", seconds(reset.after), reset.by_whom()),
            Outcome::Closed(after) => format!("closed by the far end after {}", seconds(*after)),
            Outcome::Broken(errno, after) => format!("ended by {errno} after {}", seconds(*after)),
            Outcome::KeptAlive(sign, after) => {
                let sign = match sign {
                    Sign::Word(Word::Probe) => "a PING",
                    Sign::Word(Word::Other) => "a message",
                    Sign::Keepalive => "TCP keepalive",
                };
                format!("kept alive from the other side, by {sign} after {}", seconds(*after))
            }
            Outcome::Unanswered => "acknowledged, but not echoed".to_owned(),
            Outcome::Failed(why) => format!("no connection to begin with: {why}"),
        }
    }

    /// For programs: what else is known.
    pub fn details(&self) -> Map<String, Value> {
        let details = match self {
            Outcome::Reset(reset) => vec![
                ("after_ms", json!(milliseconds(reset.after))),
                ("since_asked_us", json!(reset.since_asked.map(microseconds))),
                ("rtt_us", json!(reset.round_trip.map(microseconds))),
            ],
            Outcome::Closed(after) => vec![("after_ms", json!(milliseconds(*after)))],
            Outcome::Broken(errno, after) => {
                vec![("errno", json!(errno)), ("after_ms", json!(milliseconds(*after)))]
            }
            Outcome::KeptAlive(sign, after) => {
                let sign = match sign {
                    Sign::Word(Word::Probe) => "ping",
                    Sign::Word(Word::Other) => "message",
                    Sign::Keepalive => "keepalive",
                };
                vec![("by", json!(sign)), ("after_ms", json!(milliseconds(*after)))]
            }
            Outcome::Alive | Outcome::Dropped | Outcome::Unanswered | Outcome::Failed(_) => Vec::new(),
        };
        let known = details.into_iter().filter(|(_, value)| !value.is_null());
        known.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How long it was to be silent.
    pub idle: Duration,
    /// Our end: the `peer` of the server's records, unless addresses are translated on the way.
    pub local: Option<SocketAddr>,
    /// What became of it.
    pub outcome: Outcome,
}

impl Step {
    /// The silence that it did not outlive.
    pub fn died(&self) -> Option<Duration> {
        self.outcome.died(self.idle)
    }

    /// For programs.
    pub fn object(&self) -> Value {
        let mut object = json!({ "event": "step", "idle_ms": milliseconds(self.idle), "outcome": self.outcome.name(),
                                 "message": self.outcome.sentence() });
        if let Value::Object(members) = &mut object {
            members.extend(self.local.map(|local| ("local".to_owned(), json!(local.to_string()))));
            members.extend(self.outcome.details());
        }
        object
    }
}

/// For people: tenths of a second, and finer below a second.
pub fn seconds(time: Duration) -> String {
    let parts = if time < Duration::from_secs(1) { 1000.0 } else { 10.0 };
    format!("{} s", (time.as_secs_f64() * parts).round() / parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_laid_at_the_door_of_the_way_only_where_the_far_end_is_too_far() {
        let milliseconds = Duration::from_millis;
        for (since_asked, round_trip, words) in [
            (None, Some(20), "by itself"),
            (
                Some(3),
                Some(20),
                "3 ms after we spoke, where the way there and back takes 20 ms: something on the way",
            ),
            (Some(10), Some(20), "the far end, or something on the way"),
            (Some(21), Some(20), "the far end, or something on the way"),
            (Some(3), None, "the far end, or something on the way"),
        ] {
            let [since_asked, round_trip] = [since_asked, round_trip].map(|time| time.map(milliseconds));
            let reset = Reset { after: milliseconds(4000), since_asked, round_trip };
            let sentence = Outcome::Reset(reset).sentence();
            assert!(sentence.starts_with("reset after 4 s, ") && sentence.contains(words), "{sentence}");
        }
    }
}
