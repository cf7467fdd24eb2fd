//! Our own sleep: times in which an event loop did not turn, because the process was stopped or starved, or a virtual
//! machine paused. No peer is blamed for them; one record per episode tells of them.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::clock;
use crate::core::PUNCTUAL;
use crate::ops::events::{self, Stall};

/// How often an event loop looks whether it is still punctual.
const TICK: Duration = Duration::from_secs(1);

/// An episode that does not end is told of this often.
const LONGEST_UNTOLD: Duration = Duration::from_secs(60);

/// Tracks the current episode.
#[derive(Debug, Default)]
pub struct StallTracker(Cell<Option<Episode>>);

#[derive(Debug, Clone, Copy)]
struct Episode {
    began_at: Instant,
    longest: Duration,
    forgiven: u64,
}

impl StallTracker {
    /// Watches over the calling event loop, the one numbered `worker`, for ever.
    pub async fn watch(self: Rc<StallTracker>, worker: usize) {
        loop {
            let tick_at = clock::now() + TICK;
            tokio::time::sleep_until(tick_at.into()).await;
            let late = clock::now().saturating_duration_since(tick_at);
            if late > PUNCTUAL {
                self.note(late, false);
            }
            self.tell(worker, late <= PUNCTUAL);
        }
    }

    /// A timer fired this `late`, and a connection was `forgiven` its silence for it, or none was.
    pub fn note(&self, late: Duration, forgiven: bool) {
        let new = Episode { began_at: clock::now(), longest: late, forgiven: 0 };
        let episode = self.0.get().unwrap_or(new);
        self.0.set(Some(Episode {
            longest: episode.longest.max(late),
            forgiven: episode.forgiven + u64::from(forgiven),
            ..episode
        }));
    }

    /// Logs the episode, if there is one to tell of.
    pub fn tell(&self, worker: usize, over: bool) {
        if let Some(Episode { longest, forgiven, .. }) = self.take(over) {
            events::stall(&Stall { worker, longest, forgiven });
        }
    }

    /// Ends the episode, if there is one that is over or has gone untold for long.
    fn take(&self, punctual: bool) -> Option<Episode> {
        let episode = self.0.get()?;
        let due = clock::now() >= episode.began_at + LONGEST_UNTOLD;
        (punctual || due).then(|| self.0.take()).flatten()
    }
}
