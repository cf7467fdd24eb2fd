//! What all the steps say together.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::outcome::{Outcome, Step, seconds};
use crate::client::arguments::Direction;
use crate::ops::units::milliseconds;

/// All steps so far.
#[derive(Debug)]
pub struct Findings {
    direction: Direction,
    /// In the order in which they ended.
    pub steps: Vec<Step>,
}

impl Findings {
    /// None yet, on who speaks first after a silence.
    pub fn new(direction: Direction) -> Findings {
        Findings { direction, steps: Vec::new() }
    }

    /// The shortest silence that a connection did not outlive.
    pub fn died(&self) -> Option<Duration> {
        self.steps.iter().filter_map(Step::died).min()
    }

    /// How the connection ended that outlived the least.
    fn shortest_death(&self) -> Option<&Outcome> {
        let dead = self.steps.iter().filter(|step| step.died().is_some());
        dead.min_by_key(|step| step.died()).map(|step| &step.outcome)
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

    /// The longest that a connection outlived although another did not outlive as much.
    fn lived_beyond(&self) -> Option<Duration> {
        let died = self.died()?;
        self.lived_all().filter(|idle| *idle >= died).max()
    }

    /// The longest silence that the far end broke.
    fn heard(&self) -> Option<Duration> {
        let heard = |step: &Step| match step.outcome {
            Outcome::KeptAlive(_, after) => Some(after),
            _ => None,
        };
        self.steps.iter().filter_map(heard).max()
    }

    /// Whether what was asked for is known.
    pub fn is_conclusive(&self) -> bool {
        let also = if self.direction == Direction::In { self.heard() } else { self.lived() };
        self.died().or(also).is_some()
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
        let interval =
            self.interval().map(|interval| format!("Set the interval to {} or less.", seconds(interval)));
        let mut sentences = vec![self.limit()];
        sentences.extend(interval);
        sentences.extend(self.disagreement());
        sentences.extend(self.closed_later());
        if let Some(after) = self.heard() {
            if self.direction != Direction::Out {
                sentences
                    .push(format!("What the far end said came in after a silence of {}.", seconds(after)));
            }
            if self.direction != Direction::In {
                sentences.push(
                    "Connections that were kept alive from the other side prove nothing. Use a listener that is quiet: \
                     heartbeat.interval = \"off\", deadlines.read = \"off\"."
                        .to_owned(),
                );
            }
        }
        sentences
    }

    fn limit(&self) -> String {
        let how = match self.shortest_death() {
            Some(Outcome::Closed(after)) => {
                return format!(
                    "The far end closes idle connections after {}: that is its own timeout, or a proxy's.",
                    seconds(*after)
                );
            }
            Some(Outcome::Reset(_)) => "are reset".to_owned(),
            Some(Outcome::Broken(errno, _)) => format!("end by {errno}"),
            _ => "die silently".to_owned(),
        };
        match (self.lived(), self.died()) {
            (Some(lived), Some(died)) => {
                format!("Idle connections {how} between {} and {}.", seconds(lived), seconds(died))
            }
            (None, Some(died)) => format!("Idle connections {how} within {}.", seconds(died)),
            (Some(lived), None) if self.direction == Direction::In => format!(
                "The far end said nothing for {}. Direction \"in\" takes one that speaks by itself: a pulse-echo with a \
                 heartbeat.interval below that.",
                seconds(lived)
            ),
            (Some(lived), None) => format!("No idle connection died up to {}.", seconds(lived)),
            (None, None) if self.direction == Direction::In && self.heard().is_some() => {
                "The path lets the far end speak first.".to_owned()
            }
            (None, None) => "Nothing is known of the path.".to_owned(),
        }
    }

    fn disagreement(&self) -> Option<String> {
        let lived = self.lived_beyond()?;
        Some(format!(
            "The steps disagree: a connection lived through {}. There may be several paths.",
            seconds(lived)
        ))
    }

    /// A timeout of the far end's beyond the limit of the path.
    fn closed_later(&self) -> Option<String> {
        if matches!(self.shortest_death(), None | Some(Outcome::Closed(_))) {
            return None;
        }
        let closed = |step: &Step| match step.outcome {
            Outcome::Closed(after) => Some(after),
            _ => None,
        };
        let after = seconds(self.steps.iter().filter_map(closed).min()?);
        Some(format!("The far end closed a connection after {after}: that is its own timeout, or a proxy's."))
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

    /// All steps, the shortest silence first; what is alike stands once.
    pub fn table(&self) -> String {
        let mut rows = BTreeMap::<_, usize>::new();
        for step in &self.steps {
            *rows.entry((step.idle, step.outcome.sentence())).or_default() += 1;
        }
        let row = |((idle, sentence), count): (&(Duration, String), &usize)| match count {
            1 => format!("{:>12}  {sentence}", seconds(*idle)),
            count => format!("{:>12}  {sentence} ({count} connections)", seconds(*idle)),
        };
        rows.iter().map(row).collect::<Vec<_>>().join("\n")
    }

    /// For programs.
    pub fn object(&self) -> Value {
        let how = self.shortest_death().map(Outcome::name);
        json!({ "event": "result", "lived_ms": self.lived().map(milliseconds), "died_ms": self.died().map(milliseconds),
                "how": how, "lived_beyond_ms": self.lived_beyond().map(milliseconds),
                "heard_ms": self.heard().map(milliseconds), "interval_ms": self.interval().map(milliseconds),
                "steps": self.steps.len(), "message": self.sentences().join(" ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::idle_limit::outcome::{Reset, Sign};

    /// Steps, what is said of them, and the interval.
    type Case<'a> = (&'a [(u64, Outcome)], &'a str, Option<&'a str>);

    fn findings(direction: Direction, steps: &[(u64, Outcome)]) -> Findings {
        let step = |(idle, outcome): &(u64, Outcome)| Step {
            idle: Duration::from_secs(*idle),
            local: None,
            outcome: outcome.clone(),
        };
        Findings { steps: steps.iter().map(step).collect(), ..Findings::new(direction) }
    }

    fn reset(after: u64) -> Outcome {
        Outcome::Reset(Reset { after: Duration::from_secs(after), since_asked: None, round_trip: None })
    }

    #[test]
    fn the_result_says_what_is_known_and_no_more() {
        use Outcome::{Alive, Closed, Dropped, Unanswered};
        let after = Duration::from_secs;
        let heard = |seconds| Outcome::KeptAlive(Sign::Keepalive, after(seconds));
        let broken = Outcome::Broken("EHOSTUNREACH".to_owned(), after(60));
        let table: [Case<'_>; 10] = [
            (&[(300, Alive), (310, Dropped)], "die silently between 300 s and 310 s.", Some("150s")),
            (&[(3, Alive), (4, reset(4))], "are reset between 3 s and 4 s.", Some("1500ms")),
            (&[(50, Alive), (60, broken)], "end by EHOSTUNREACH between 50 s and 60 s.", Some("25s")),
            (&[(30, Dropped)], "die silently within 30 s.", None),
            (&[(30, Alive), (60, Alive)], "No idle connection died up to 60 s.", None),
            (
                &[(30, heard(15))],
                "Nothing is known of the path. What the far end said came in after a silence of 15 s.",
                None,
            ),
            (&[(30, Unanswered)], "Nothing is known of the path.", None),
            (
                &[(50, Alive), (90, Closed(after(60)))],
                "The far end closes idle connections after 60 s",
                Some("25s"),
            ),
            (
                &[(50, Alive), (60, Dropped), (90, Closed(after(80)))],
                "closed a connection after 80 s",
                Some("25s"),
            ),
            (
                &[(30, Alive), (40, Dropped), (50, Alive)],
                "disagree: a connection lived through 50 s",
                Some("15s"),
            ),
        ];
        for (steps, sentence, interval) in table {
            let findings = findings(Direction::Both, steps);
            let said = findings.sentences().join(" ");
            assert!(said.contains(sentence), "{said}");
            let expected = interval.map(|interval| format!("[heartbeat]\ninterval = \"{interval}\""));
            assert_eq!(findings.heartbeat(), expected);
        }
    }

    #[test]
    fn a_far_end_that_speaks_answers_for_the_way_in() {
        let heard = Outcome::KeptAlive(Sign::Keepalive, Duration::from_secs(15));
        for (outcome, words, is_conclusive) in [
            (heard, "came in after a silence of 15 s", true),
            (Outcome::Alive, "The far end said nothing for 60 s.", false),
            (Outcome::Dropped, "die silently within 60 s.", true),
            (Outcome::Unanswered, "Nothing is known", false),
        ] {
            let findings = findings(Direction::In, &[(60, outcome)]);
            let said = findings.sentences().join(" ");
            assert!(said.contains(words), "{said}");
            assert_eq!(findings.is_conclusive(), is_conclusive, "{said}");
        }
    }

    #[test]
    fn steps_of_one_silence_are_shown_and_not_averaged() {
        use Outcome::{Alive, Dropped};
        let steps = [(40, Dropped), (30, Alive), (40, Alive), (30, Alive)];
        let table = findings(Direction::Out, &steps).table();
        let lines: Vec<_> = table.lines().map(str::trim).collect();
        assert_eq!(lines[..2], ["30 s  alive (2 connections)", "40 s  alive"]);
        assert!(lines[2].starts_with("40 s  silently dropped"), "{table}");
    }
}
