//! The watchdog: is every event loop turning? It feeds that of the service manager and keeps `systemctl status` fresh.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::event_loop::clock;
use super::listen::Admission;
use super::worker::Worker;
use crate::ops::{events, systemd};

/// How often the status line is renewed where no watchdog asks for more.
const CALM: Duration = Duration::from_secs(5);

/// Checks per timeout of the service manager: one may be late, and another lost, before it restarts us.
const CHECKS_PER_TIMEOUT: u32 = 4;

/// Watches over the event loops.
#[derive(Debug)]
pub struct Watchdog {
    admission: Arc<Admission>,
    interval: Duration,
    next_at: Instant,
    /// What each event loop was asked for, and whether it is late with it.
    asked: Vec<Asked>,
    reloaded_at: Option<SystemTime>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Asked {
    answers: u64,
    stuck: bool,
}

impl Watchdog {
    /// Watches over the event loops behind `admission`.
    pub fn new(admission: Arc<Admission>) -> Watchdog {
        let timeout = systemd::watchdog_timeout();
        let interval = timeout.map_or(CALM, |timeout| (timeout / CHECKS_PER_TIMEOUT).min(CALM));
        let asked = vec![Asked::default(); admission.workers().len()];
        Watchdog { admission, interval, next_at: clock::now(), asked, reloaded_at: None }
    }

    /// The configuration was reloaded now.
    pub fn note_reload(&mut self) {
        self.reloaded_at = Some(SystemTime::now());
    }

    /// Waits for the time of the next check, and checks.
    pub async fn check(&mut self) {
        tokio::time::sleep_until(self.next_at.into()).await;
        self.next_at = clock::now() + self.interval;
        for (worker, asked) in self.admission.workers().iter().zip(&mut self.asked) {
            asked.look(worker);
        }
        if !self.asked.iter().any(|asked| asked.stuck) {
            systemd::feed_watchdog();
        }
        systemd::status(&self.admission.totals(), self.reloaded_at);
    }
}

impl Asked {
    /// Looks whether the event loop has given the answer it was asked for, and then asks for the next.
    fn look(&mut self, worker: &Worker) {
        let silent = !worker.has_ended() && worker.counters().answers() < self.answers;
        if silent && !self.stuck {
            events::stuck(worker.index());
        }
        self.stuck = silent;
        if !silent {
            self.answers = worker.counters().answers() + 1;
            worker.ask_for_answer();
        }
    }
}
