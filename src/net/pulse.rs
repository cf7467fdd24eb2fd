//! The server's own pulse: is every event loop turning? It feeds the watchdog and keeps `systemctl status` fresh.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;

use super::intake::Intake;
use super::worker::Worker;
use crate::ops::events::{self, Totals};
use crate::ops::systemd;

/// How often the status line is renewed where no watchdog asks for more.
const CALM: Duration = Duration::from_secs(5);

/// Beats per watchdog timeout: one may be late, and another lost, before the watchdog bites.
const BEATS_PER_TIMEOUT: u32 = 4;

/// What watches over the event loops.
#[derive(Debug)]
pub struct Pulse {
    intake: Rc<Intake>,
    reloaded_at: Option<Timestamp>,
}

impl Pulse {
    /// Watches over the event loops behind `intake`.
    pub fn new(intake: Rc<Intake>) -> Pulse {
        Pulse { intake, reloaded_at: None }
    }

    /// The configuration was reloaded now.
    pub fn note_reload(&mut self) {
        self.reloaded_at = Some(Timestamp::now());
    }

    /// Beats for ever.
    pub async fn beat(&self) -> Infallible {
        let timeout = systemd::watchdog_timeout();
        let interval = timeout.map_or(CALM, |timeout| (timeout / BEATS_PER_TIMEOUT).min(CALM));
        let workers = self.intake.workers();
        let mut awaited: Vec<u64> = workers.iter().map(Worker::beats).collect();
        let mut stuck = vec![false; workers.len()];
        loop {
            systemd::status(&self.status());
            for ((worker, awaited), stuck) in workers.iter().zip(&mut awaited).zip(&mut stuck) {
                ask(worker, awaited, stuck);
            }
            if !stuck.contains(&true) {
                systemd::feed_watchdog();
            }
            tokio::time::sleep(interval).await;
        }
    }

    fn status(&self) -> String {
        let totals = self.intake.totals();
        let Totals { refused, .. } = totals;
        let (open, orderly) = (totals.open(), totals.closed_in_order());
        let lost = totals.closed() - orderly;
        let line = format!("{open} open; closed: {orderly} in good order, {lost} lost; refused: {refused}");
        match self.reloaded_at {
            Some(at) => format!("{line}; reloaded at {at:.0}"),
            None => line,
        }
    }
}

/// Looks whether an event loop has shown the beat it was asked for, and then asks for the next.
fn ask(worker: &Worker, awaited: &mut u64, stuck: &mut bool) {
    let silent = worker.beats() < *awaited;
    if silent && !*stuck {
        events::stuck(worker.index());
    }
    *stuck = silent;
    if !silent {
        *awaited += 1;
        worker.ask_for_beat();
    }
}
