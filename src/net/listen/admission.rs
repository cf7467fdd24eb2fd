//! Admission: who is let in, which event loop serves them, and the totals.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::net::event_loop::clock;
use crate::net::options::ListenerOptions;
use crate::net::worker::{Accepted, Worker};
use crate::ops::events::{self, Refusal, RefuseReason, Totals};
use crate::tcp;

/// At most one record of refusals in this time.
const REFUSAL_RECORD_INTERVAL: Duration = Duration::from_secs(10);

/// Admits connections, up to the limit. The acceptors use it, all in one event loop; others look at its figures.
#[derive(Debug)]
pub struct Admission {
    workers: Vec<Worker>,
    max_connections: AtomicUsize,
    accepted: AtomicU64,
    refused: AtomicU64,
    /// Of the programs before this one.
    before: Totals,
    refusals: Mutex<Refusals>,
}

/// What is to be told of refusals.
#[derive(Debug, Default)]
struct Refusals {
    /// How many no record told of yet.
    untold: u64,
    /// When the last record was written.
    told_at: Option<Instant>,
}

impl Admission {
    /// Admission to these event loops, of `max_connections` at a time.
    /// `before`: what happened in the programs before this one.
    pub fn new(workers: Vec<Worker>, max_connections: usize, before: Totals) -> Admission {
        Admission {
            workers,
            max_connections: AtomicUsize::new(max_connections),
            accepted: AtomicU64::new(before.accepted),
            refused: AtomicU64::new(before.refused),
            before,
            refusals: Mutex::default(),
        }
    }

    /// Hands a new connection to the least loaded event loop, or refuses it.
    pub fn admit(&self, socket: TcpStream, peer: SocketAddr, listener: &Arc<ListenerOptions>) {
        if self.open() >= self.max_connections() as u64 {
            return self.refuse(&socket, peer, listener);
        }
        let Some(worker) = self.least_loaded() else {
            return;
        };
        let conn = self.accepted.fetch_add(1, Ordering::Relaxed) + 1;
        let listener = Arc::clone(listener);
        worker.serve(Accepted { conn, socket, peer, listener });
    }

    /// Counts a connection that was accepted by the program before.
    pub fn take_over(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// The event loop with the fewest connections.
    pub fn least_loaded(&self) -> Option<&Worker> {
        self.workers.iter().min_by_key(|worker| worker.counters().open())
    }

    /// Changes how many are admitted at a time. Those inside stay.
    pub fn set_max_connections(&self, max_connections: usize) {
        self.max_connections.store(max_connections, Ordering::Relaxed);
    }

    fn max_connections(&self) -> usize {
        self.max_connections.load(Ordering::Relaxed)
    }

    /// The event loops behind it.
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// Connections being served.
    pub fn open(&self) -> u64 {
        self.workers.iter().map(|worker| worker.counters().open()).sum()
    }

    /// What happened since the start. They reconcile: accepted = open + closed.
    pub fn totals(&self) -> Totals {
        let mut totals = self.before;
        for worker in &self.workers {
            worker.counters().add_closed(&mut totals);
        }
        // Last: whatever is closed by then was accepted before.
        let accepted = self.accepted.load(Ordering::Relaxed);
        Totals { accepted, refused: self.refused.load(Ordering::Relaxed), ..totals }
    }

    fn refuse(&self, socket: &TcpStream, peer: SocketAddr, listener: &ListenerOptions) {
        tcp::abort_on_close(&SockRef::from(socket));
        self.refused.fetch_add(1, Ordering::Relaxed);
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = refusals.note(clock::now()) {
            events::refuse(&Refusal {
                reason: RefuseReason::ConnectionLimit,
                listener: &listener.name,
                peer,
                count,
                max_connections: self.max_connections(),
            });
        }
    }
}

impl Refusals {
    /// One more; returns how many a record is to tell of now, if it is time for one.
    fn note(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        if self.told_at.is_some_and(|told_at| now < told_at + REFUSAL_RECORD_INTERVAL) {
            return None;
        }
        self.told_at = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}
