//! Turns: whoever sends more than one turn allows waits in line for the next. One of those in line is called each time the
//! event loop has looked at its sockets. So however many send without pause, the others wait for one of them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::num::NonZeroU64;

use tokio::sync::Notify;

use super::slots::Seat;

/// How much a connection has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// So little that it need not wait.
    Light,
    /// So much that it is in line.
    Waiting,
    /// It had much to do in its last turn: for the next it must join the line.
    Bulk,
}

/// Those in line, by their seats.
#[derive(Debug, Default)]
pub struct Turns {
    line: RefCell<VecDeque<(Seat, Ticket)>>,
    /// By seat: what it waits with. An entry of the line with another ticket is that of a connection which has ended; so may
    /// be one with the same: it calls nobody, or in vain.
    waiting: RefCell<Vec<Option<Ticket>>>,
    tickets: Cell<u64>,
    joined: Notify,
}

/// No two are alike: a seat is used again, perhaps while the line still has its last owner.
type Ticket = NonZeroU64;

impl Turns {
    /// Joins the line at its end.
    pub fn join(&self, seat: Seat) {
        let ticket = NonZeroU64::MIN.saturating_add(self.tickets.get());
        self.tickets.set(ticket.get());
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() <= seat as usize {
            waiting.resize(seat as usize + 1, None);
        }
        self.line.borrow_mut().push_back((seat, ticket));
        mark(&mut waiting, seat, Some(ticket));
        self.joined.notify_one();
    }

    /// Whether it is still in line; false once it was called.
    pub fn is_waiting(&self, seat: Seat) -> bool {
        self.ticket(seat).is_some()
    }

    fn ticket(&self, seat: Seat) -> Option<Ticket> {
        self.waiting.borrow().get(seat as usize).copied().flatten()
    }

    /// Calls one after the other, for ever.
    pub async fn call(&self, wake: impl Fn(Seat)) {
        loop {
            match self.next() {
                Some(seat) => {
                    wake(seat);
                    tokio::task::yield_now().await; // returns when the event loop has looked at its sockets
                }
                None => self.joined.notified().await,
            }
        }
    }

    fn next(&self) -> Option<Seat> {
        let mut line = self.line.borrow_mut();
        let mut entries = std::iter::from_fn(|| line.pop_front());
        let (seat, _) = entries.find(|(seat, ticket)| self.ticket(*seat) == Some(*ticket))?;
        mark(&mut self.waiting.borrow_mut(), seat, None);
        Some(seat)
    }
}

fn mark(waiting: &mut [Option<Ticket>], seat: Seat, ticket: Option<Ticket>) {
    if let Some(place) = waiting.get_mut(seat as usize) {
        *place = ticket;
    }
}
