//! What an event loop was given, what it closed, and whether it turns.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::core::{CloseReason, Severity};
use crate::ops::events::Totals;

/// The counters of one event loop. Its open connections are the difference, so the sums always agree.
#[derive(Debug, Default)]
pub struct Counters {
    /// Written by the acceptors alone.
    assigned: AtomicU64,
    /// Written by the event loop alone, after (`Release`) the connection was assigned: whoever sees the close (`Acquire`)
    /// sees that as well, and no difference is ever negative.
    closed: [AtomicU64; CloseReason::ALL.len()],
    /// Of them: null connections.
    null: AtomicU64,
    /// Of these: those that were lost by their reason.
    null_lost: AtomicU64,
    /// Null connections without a record of their own.
    null_only_counted: AtomicU64,
    /// How often it answered the watchdog.
    answers: AtomicU64,
}

impl Counters {
    /// One more connection is given to it.
    pub fn assign(&self) {
        self.assigned.fetch_add(1, Ordering::Relaxed);
    }

    /// A null connection is about to be counted by [`Counters::close`], with a record of its own or without.
    pub fn note_null(&self, reason: CloseReason, is_told: bool) {
        self.null.fetch_add(1, Ordering::Relaxed);
        self.null_lost.fetch_add(u64::from(reason.severity() == Severity::Lost), Ordering::Relaxed);
        self.null_only_counted.fetch_add(u64::from(!is_told), Ordering::Relaxed);
    }

    /// One of its connections ended.
    pub fn close(&self, reason: CloseReason) {
        if let Some(count) = self.closed.get(reason as usize) {
            count.fetch_add(1, Ordering::Release);
        }
    }

    /// Connections not closed yet.
    pub fn open(&self) -> u64 {
        let closed: u64 = self.closed.iter().map(|count| count.load(Ordering::Acquire)).sum();
        self.assigned.load(Ordering::Relaxed) - closed
    }

    /// Adds its closes to `totals`.
    pub fn add_closed(&self, totals: &mut Totals) {
        for (sum, count) in totals.by_reason.iter_mut().zip(&self.closed) {
            *sum += count.load(Ordering::Acquire);
        }
        totals.null_connections += self.null.load(Ordering::Relaxed);
        totals.null_lost += self.null_lost.load(Ordering::Relaxed);
        totals.null_only_counted += self.null_only_counted.load(Ordering::Relaxed);
    }

    /// It turns: it answers the watchdog.
    pub fn answer(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it answered the watchdog.
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }
}
