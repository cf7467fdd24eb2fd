//! The door: who is let in, which event loop serves them, and the totals.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::clock;
use super::options::ListenerOptions;
use super::worker::{Accepted, Worker};
use crate::core::close::CloseReason;
use crate::ops::events::{self, Refusal, RefuseReason, Totals};

/// At most one record of refusals in this time.
const REFUSAL_RECORD_INTERVAL: Duration = Duration::from_secs(10);

/// Lets connections in, up to the limit.
#[derive(Debug)]
pub struct Intake {
    workers: Vec<Worker>,
    max_connections: Cell<usize>,
    accepted: Cell<u64>,
    refused: Cell<u64>,
    /// Refusals that no record told of yet, and when the last one did.
    untold_refusals: Cell<u64>,
    told_at: Cell<Option<Instant>>,
}

impl Intake {
    /// A door to these event loops, which lets in `max_connections` at a time.
    pub fn new(workers: Vec<Worker>, max_connections: usize) -> Intake {
        Intake {
            workers,
            max_connections: Cell::new(max_connections),
            accepted: Cell::new(0),
            refused: Cell::new(0),
            untold_refusals: Cell::new(0),
            told_at: Cell::new(None),
        }
    }

    /// Hands a new connection to the least loaded event loop, or refuses it.
    pub fn admit(&self, socket: TcpStream, peer: SocketAddr, listener: &Arc<ListenerOptions>) {
        if self.open() >= self.max_connections.get() as u64 {
            return self.refuse(&socket, peer, listener);
        }
        let Some(worker) = self.workers.iter().min_by_key(|worker| worker.open()) else {
            return;
        };
        self.accepted.set(self.accepted.get() + 1);
        let (conn, listener) = (self.accepted.get(), Arc::clone(listener));
        worker.serve(Accepted { conn, socket, peer, listener });
    }

    /// Changes how many are let in at a time. Those inside stay.
    pub fn set_max_connections(&self, max_connections: usize) {
        self.max_connections.set(max_connections);
    }

    /// The event loops behind it.
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// Connections being served.
    pub fn open(&self) -> u64 {
        self.workers.iter().map(Worker::open).sum()
    }

    /// What happened since the start. They reconcile: accepted = open + closed.
    pub fn totals(&self) -> Totals {
        let mut by_reason = [0; CloseReason::ALL.len()];
        for worker in &self.workers {
            worker.add_closed(&mut by_reason);
        }
        Totals { accepted: self.accepted.get(), refused: self.refused.get(), by_reason }
    }

    fn refuse(&self, socket: &TcpStream, peer: SocketAddr, listener: &ListenerOptions) {
        refuse_by_reset(socket);
        self.refused.set(self.refused.get() + 1);
        self.untold_refusals.set(self.untold_refusals.get() + 1);
        let now = clock::now();
        let told_at = self.told_at.get();
        if told_at.is_some_and(|told_at| now < told_at + REFUSAL_RECORD_INTERVAL) {
            return;
        }
        self.told_at.set(Some(now));
        events::refuse(&Refusal {
            reason: RefuseReason::ConnectionLimit,
            listener: &listener.name,
            peer,
            count: self.untold_refusals.take(),
            max_connections: self.max_connections.get(),
        });
    }
}

/// A refused client gets RST: unlike FIN it cannot be taken for an empty answer, and it leaves no TIME_WAIT here.
fn refuse_by_reset(socket: &TcpStream) {
    // Failing, it is closed by FIN: as good for us, only less plain to the client.
    let _: io::Result<()> = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}
