//! `idle-limit`: how long the path remembers a connection on which nothing is said.
//!
//! Connections are silent side by side, each for a time of its own, and are then asked for an echo. Once one has died, a second
//! round looks between that and the longest that lived. docs/client.md says how to read it.

mod conversation;
mod findings;
mod ladder;
mod outcome;
mod progress;
mod search;
mod silence;

use std::fmt::{self, Display};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::arguments::IdleLimit;
use super::connect::connect;
use super::interrupt::interrupted;
use super::output::Output;
use super::runtime::run;
use crate::limits::raise_descriptor_limit;
use outcome::Step;
use progress::Progress;
use search::Search;
use silence::silence;

/// Descriptors that are no connections: standard streams, the runtime's, the name service's.
const OWN_DESCRIPTORS: u64 = 32;

/// So many connections are opened at once: a server need not have room for more in its queue.
const OPENING_AT_ONCE: usize = 32;

/// How often a bar moves.
const BAR_MOVES: Duration = Duration::from_secs(1);

/// The connections would be more than may be open.
#[derive(Debug)]
struct TooManyConnections {
    descriptors: u64,
    limit: u64,
}

impl Display for TooManyConnections {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TooManyConnections { descriptors, limit } = self;
        write!(
            formatter,
            "this takes {descriptors} descriptors, and the limit is {limit}: raise it (ulimit -n), or ask for fewer --samples, \
             a shorter --max or a coarser --resolution"
        )
    }
}

impl std::error::Error for TooManyConnections {}

/// Runs `idle-limit` to its end, and says whether anything was found out.
///
/// # Errors
/// Nobody could be reached; there are too few descriptors; or there is no runtime.
pub fn idle_limit(arguments: &IdleLimit) -> anyhow::Result<bool> {
    let limit = raise_descriptor_limit()?;
    let mut search = Search::new(arguments, limit.saturating_sub(OWN_DESCRIPTORS));
    let steps = search.begin();
    let descriptors = steps.len() as u64 + OWN_DESCRIPTORS;
    anyhow::ensure!(descriptors <= limit, TooManyConnections { descriptors, limit });
    run(until_interrupted(arguments, search, steps))?
}

async fn until_interrupted(
    arguments: &IdleLimit,
    search: Search,
    steps: Vec<Duration>,
) -> anyhow::Result<bool> {
    let mut running = Running {
        arguments: Arc::new(arguments.clone()),
        search,
        began: Instant::now(),
        opening: Arc::new(Semaphore::new(OPENING_AT_ONCE)),
        connections: JoinSet::new(),
        output: Output::new(arguments.format),
        progress: Progress::new(),
    };
    let mut interrupted = pin!(interrupted());
    tokio::select! {
        reached = connect(&arguments.target, arguments.timeout) => drop(reached?),
        () = &mut interrupted => return Ok(running.conclude()),
    }
    running.began = Instant::now();
    tokio::select! {
        () = running.search(steps) => {}
        () = &mut interrupted => {}
    }
    Ok(running.conclude())
}

/// A search and its connections.
struct Running {
    arguments: Arc<IdleLimit>,
    search: Search,
    began: Instant,
    opening: Arc<Semaphore>,
    connections: JoinSet<Step>,
    output: Output,
    progress: Progress,
}

impl Running {
    async fn search(&mut self, steps: Vec<Duration>) {
        self.open(steps);
        while self.search.ends().is_some() && !self.output.is_over() {
            self.progress.show(&self.search, self.began.elapsed());
            let step = tokio::select! {
                ended = self.connections.join_next() => ended,
                () = sleep(BAR_MOVES) => continue,
            };
            match step {
                Some(Ok(step)) => self.ended(step),
                Some(Err(_)) => {}
                None => break,
            }
        }
    }

    fn open(&mut self, steps: Vec<Duration>) {
        for idle in steps {
            let (arguments, opening) = (Arc::clone(&self.arguments), Arc::clone(&self.opening));
            self.connections.spawn(async move { silence(&arguments, &opening, idle).await });
        }
    }

    fn ended(&mut self, step: Step) {
        self.progress.suspend(|| self.output.tell_programs(|| step.object()));
        let steps = self.search.ended(step, self.began.elapsed());
        self.open(steps);
    }

    fn conclude(&mut self) -> bool {
        self.progress.finish();
        let findings = &self.search.findings;
        let text = || {
            let heartbeat = findings.heartbeat().unwrap_or_default();
            let parts = [findings.table(), findings.sentences().join("\n"), heartbeat];
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
        };
        self.output.tell(text, || findings.object());
        findings.is_conclusive()
    }
}
