//! `idle-limit`: how long the path remembers a connection on which nothing is said.
//!
//! Connections are silent side by side, each for a time of its own, and are then asked for an echo. The first round ends with
//! the first that died; a second one looks between that and the longest that lived.

mod findings;
mod ladder;
mod silence;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::ctrl_c;
use tokio::task::JoinSet;

use super::arguments::IdleLimit;
use super::connect::connect;
use super::output::Output;
use super::runtime::run;
use findings::{Findings, Step};
use silence::silence;

/// Runs `idle-limit` to its end, and says whether anything was found out.
///
/// # Errors
/// Nobody could be reached; or there is no runtime.
pub fn idle_limit(arguments: &IdleLimit) -> anyhow::Result<bool> {
    run(search(arguments))?
}

async fn search(arguments: &IdleLimit) -> anyhow::Result<bool> {
    let mut search = Search {
        arguments: Arc::new(arguments.clone()),
        findings: Findings::default(),
        output: Output::new(arguments.format),
    };
    let mut interrupted = pin!(ctrl_c());
    tokio::select! {
        reached = connect(&arguments.target, arguments.timeout) => drop(reached?),
        _ = &mut interrupted => return Ok(search.conclude()),
    }
    tokio::select! {
        () = search.both_rounds() => {}
        _ = &mut interrupted => {}
    }
    Ok(search.conclude())
}

struct Search {
    arguments: Arc<IdleLimit>,
    findings: Findings,
    output: Output,
}

impl Search {
    async fn both_rounds(&mut self) {
        let IdleLimit { max, resolution, .. } = *self.arguments;
        self.round(ladder::first_round(max, resolution), true).await;
        if let Some(died) = self.findings.died() {
            let lived = self.findings.lived().unwrap_or_default();
            self.round(ladder::second_round(lived, died, resolution), false).await;
        }
    }

    /// Tries all `steps` side by side.
    async fn round(&mut self, steps: Vec<Duration>, until_one_died: bool) {
        let mut connections = JoinSet::new();
        for idle in steps {
            for _ in 0..self.arguments.samples {
                let arguments = Arc::clone(&self.arguments);
                connections.spawn(async move { Step { idle, outcome: silence(&arguments, idle).await } });
            }
        }
        let mut first_died = None;
        while let Some(ended) = connections.join_next().await {
            let Ok(step) = ended else { continue };
            let is_beyond = first_died.is_some_and(|first| step.idle > first);
            first_died = first_died.or(step.died().map(|_| step.idle));
            self.output.tell(|| step.line(), || step.object());
            self.findings.steps.push(step);
            // The samples of one step end together, but not at once: the next step shows that all are there.
            let is_enough = first_died.is_some() && (is_beyond || self.arguments.samples == 1);
            if self.output.is_over() || until_one_died && is_enough {
                break;
            }
        }
    }

    fn conclude(&mut self) -> bool {
        let text = [self.findings.sentences().join("\n"), self.findings.heartbeat().unwrap_or_default()];
        let object = self.findings.object();
        self.output.tell(|| text.join("\n\n").trim_end().to_owned(), || object);
        self.findings.is_conclusive()
    }
}
