//! The server's own pulse: is every event loop turning? It feeds the watchdog and keeps `systemctl status` fresh.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::event_loop::clock;
use super::listen::Intake;
use super::worker::Worker;
use crate::ops::{events, systemd};

/// How often the status line is renewed where no watchdog asks for more.
const CALM: Duration = Duration::from_secs(5);

/// Beats per watchdog timeout: one may be late, and another lost, before the watchdog bites.
const BEATS_PER_TIMEOUT: u32 = 4;

/// What watches over the event loops.
#[derive(Debug)]
pub struct Pulse {
    intake: Arc<Intake>,
    interval: Duration,
    next_at: Instant,
    /// What each event loop was asked for, and whether it is late with it.
    asked: Vec<Asked>,
    reloaded_at: Option<SystemTime>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Asked {
    beats: u64,
    stuck: bool,
}

impl Pulse {
    /// Watches over the event loops behind `intake`.
    pub fn new(intake: Arc<Intake>) -> Pulse {
        let timeout = systemd::watchdog_timeout();
        let interval = timeout.map_or(CALM, |timeout| (timeout / BEATS_PER_TIMEOUT).min(CALM));
        let asked = vec![Asked::default(); intake.workers().len()];
        Pulse { intake, interval, next_at: clock::now(), asked, reloaded_at: None }
    }

    /// The configuration was reloaded now.
    pub fn note_reload(&mut self) {
        self.reloaded_at = Some(SystemTime::now());
    }

    /// Waits for the time of the next beat, and beats.
    pub async fn beat(&mut self) {
        tokio::time::sleep_until(self.next_at.into()).await;
        self.next_at = clock::now() + self.interval;
        for (worker, asked) in self.intake.workers().iter().zip(&mut self.asked) {
            asked.look(worker);
        }
        if !self.asked.iter().any(|asked| asked.stuck) {
            systemd::feed_watchdog();
        }
        systemd::status(&self.intake.totals(), self.reloaded_at);
    }
}

impl Asked {
    /// Looks whether the event loop has shown the beat it was asked for, and then asks for the next.
    fn look(&mut self, worker: &Worker) {
        let silent = !worker.has_ended() && worker.tally().beats() < self.beats;
        if silent && !self.stuck {
            events::stuck(worker.index());
        }
        self.stuck = silent;
        if !silent {
            self.beats = worker.tally().beats() + 1;
            worker.ask_for_beat();
        }
    }
}
