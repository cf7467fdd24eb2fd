//! What all the steps say together.

use std::time::Duration;

use serde_json::{Value, json};

/// What became of a connection that was silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It echoed after the silence.
    Alive,
    /// What we sent after the silence was not acknowledged.
    Dropped,
    /// An RST came, so long after the silence began.
    Reset(Duration),
    /// The far end closed it, so long after the silence began.
    Closed(Duration),
    /// The other side spoke meanwhile: this proves nothing.
    KeptAlive,
    /// The host acknowledged, and nothing came back: this proves nothing about the path.
    Unanswered,
    /// There never was an echo.
    Failed(String),
}

impl Outcome {
    fn name(&self) -> &'static str {
        match self {
            Outcome::Alive => "alive",
            Outcome::Dropped => "dropped",
            Outcome::Reset(_) => "reset",
            Outcome::Closed(_) => "closed",
            Outcome::KeptAlive => "kept_alive",
            Outcome::Unanswered => "unanswered",
            Outcome::Failed(_) => "failed",
        }
    }

    fn sentence(&self) -> String {
        match self {
            Outcome::Alive => "alive".to_owned(),
            Outcome::Dropped => "silently dropped: what we sent was not acknowledged".to_owned(),
            Outcome::Reset(after) => format!("reset after {}", seconds(*after)),
            Outcome::Closed(after) => format!("closed by the far end after {}", seconds(*after)),
            Outcome::KeptAlive => "kept alive from the other side: proves nothing".to_owned(),
            Outcome::Unanswered => "acknowledged, but not echoed: proves nothing".to_owned(),
            Outcome::Failed(why) => format!("no connection to begin with: {why}"),
        }
    }
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How long it was to be silent.
    pub idle: Duration,
    /// What became of it.
    pub outcome: Outcome,
}

impl Step {
    /// The silence after which the path had forgotten it.
    pub fn died(&self) -> Option<Duration> {
        match self.outcome {
            Outcome::Dropped => Some(self.idle),
            Outcome::Reset(after) => Some(after.min(self.idle)),
            _ => None,
        }
    }

    fn closed(&self) -> Option<Duration> {
        match self.outcome {
            Outcome::Closed(after) => Some(after),
            _ => None,
        }
    }

    /// As a line of the table.
    pub fn line(&self) -> String {
        format!("{:>12}  {}", seconds(self.idle), self.outcome.sentence())
    }

    /// For programs.
    pub fn object(&self) -> Value {
        let after = match self.outcome {
            Outcome::Reset(after) | Outcome::Closed(after) => Some(after.as_millis() as u64),
            _ => None,
        };
        json!({ "event": "step", "idle_ms": self.idle.as_millis() as u64, "outcome": self.outcome.name(),
                "after_ms": after, "message": self.outcome.sentence() })
    }
}

/// All steps so far.
#[derive(Debug, Default)]
pub struct Findings {
    /// In the order in which they ended.
    pub steps: Vec<Step>,
}

impl Findings {
    /// The shortest silence that a connection did not outlive.
    pub fn died(&self) -> Option<Duration> {
        self.steps.iter().filter_map(Step::died).min()
    }

    fn lived_all(&self) -> impl Iterator<Item = Duration> + '_ {
        let alive = self.steps.iter().filter(|step| step.outcome == Outcome::Alive);
        alive.map(|step| step.idle)
    }

    /// The longest silence that a connection outlived, below any that one did not.
    pub fn lived(&self) -> Option<Duration> {
        let died = self.died().unwrap_or(Duration::MAX);
        self.lived_all().filter(|idle| *idle < died).max()
    }

    /// Whether something is known of the path.
    pub fn is_conclusive(&self) -> bool {
        self.died().or(self.lived()).is_some()
    }

    fn proves_nothing(&self) -> bool {
        self.steps.iter().any(|step| step.outcome == Outcome::KeptAlive)
    }

    /// Half of the longest silence that is known to be outlived.
    fn interval(&self) -> Option<Duration> {
        self.died()?;
        let half = self.lived()? / 2;
        let is_long = half >= Duration::from_secs(2);
        Some(if is_long { Duration::from_secs(half.as_secs()) } else { half })
    }

    /// The result in words, one sentence a line.
    pub fn sentences(&self) -> Vec<String> {
        let mut sentences = vec![self.limit()];
        if let Some(interval) = self.interval() {
            sentences.push(format!("Set the interval to {} or less.", seconds(interval)));
        }
        let disagreeing = self.died().and_then(|died| self.lived_all().filter(|idle| *idle >= died).max());
        if let Some(lived) = disagreeing {
            sentences.push(format!(
                "The steps disagree: a connection lived through {}. There may be several paths.",
                seconds(lived)
            ));
        }
        if let Some(closed) = self.steps.iter().filter_map(Step::closed).min() {
            sentences.push(format!(
                "The far end closed idle connections after {}: that is its own timeout, or a proxy's.",
                seconds(closed)
            ));
        }
        if self.proves_nothing() {
            sentences.push(
                "Some were kept alive from the other side. Use a listener that is quiet: \
                 heartbeat.interval = \"off\", deadlines.read = \"off\"."
                    .to_owned(),
            );
        }
        sentences
    }

    fn limit(&self) -> String {
        let how = match self.steps.iter().filter(|step| step.died().is_some()).min_by_key(|step| step.died())
        {
            Some(Step { outcome: Outcome::Dropped, .. }) => "die silently",
            _ => "are reset",
        };
        match (self.lived(), self.died()) {
            (Some(lived), Some(died)) => {
                format!("Idle connections {how} between {} and {}.", seconds(lived), seconds(died))
            }
            (None, Some(died)) => format!("Idle connections {how} within {}.", seconds(died)),
            (Some(lived), None) => format!("No idle connection died up to {}.", seconds(lived)),
            (None, None) => "Nothing is known of the path.".to_owned(),
        }
    }

    /// What to paste into the configuration of the server.
    pub fn heartbeat(&self) -> Option<String> {
        let interval = self.interval()?.as_millis();
        let interval = match interval % 1000 {
            0 => format!("{}s", interval / 1000),
            _ => format!("{interval}ms"),
        };
        Some(format!("[heartbeat]\ninterval = \"{interval}\""))
    }

    /// For programs.
    pub fn object(&self) -> Value {
        let milliseconds = |time: Duration| time.as_millis() as u64;
        json!({ "event": "result", "lived_ms": self.lived().map(milliseconds), "died_ms": self.died().map(milliseconds),
                "interval_ms": self.interval().map(milliseconds), "steps": self.steps.len(),
                "message": self.sentences().join(" ") })
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", (time.as_secs_f64() * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps, what is said of them, and the interval.
    type Case<'a> = (&'a [(u64, Outcome)], &'a str, Option<&'a str>);

    fn findings(steps: &[(u64, Outcome)]) -> Findings {
        let step = |(idle, outcome): &(u64, Outcome)| Step {
            idle: Duration::from_secs(*idle),
            outcome: outcome.clone(),
        };
        Findings { steps: steps.iter().map(step).collect() }
    }

    #[test]
    fn the_result_says_what_is_known_and_no_more() {
        use Outcome::{Alive, Closed, Dropped, KeptAlive, Reset, Unanswered};
        let after = Duration::from_secs;
        let table: [Case<'_>; 8] = [
            (&[(300, Alive), (310, Dropped)], "die silently between 300 s and 310 s.", Some("150s")),
            (&[(3, Alive), (4, Reset(after(4)))], "are reset between 3 s and 4 s.", Some("1500ms")),
            (&[(30, Dropped)], "die silently within 30 s.", None),
            (&[(30, Alive), (60, Alive)], "No idle connection died up to 60 s.", None),
            (&[(30, KeptAlive)], "Nothing is known of the path. Some were kept alive", None),
            (&[(30, Unanswered)], "Nothing is known of the path.", None),
            (&[(30, Alive), (90, Closed(after(60)))], "The far end closed idle connections after 60 s", None),
            (
                &[(30, Alive), (40, Dropped), (50, Alive)],
                "disagree: a connection lived through 50 s",
                Some("15s"),
            ),
        ];
        for (steps, sentence, interval) in table {
            let findings = findings(steps);
            let said = findings.sentences().join(" ");
            assert!(said.contains(sentence), "{said}");
            let expected = interval.map(|interval| format!("[heartbeat]\ninterval = \"{interval}\""));
            assert_eq!(findings.heartbeat(), expected);
        }
    }
}
