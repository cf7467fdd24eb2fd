//! The run queue: whoever has more to do than one run allows waits here for the next. One of them runs each time the event
//! loop has looked at its sockets. So however many send without pause, the others wait for one of them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::num::NonZeroU64;

use tokio::sync::Notify;

use super::slots::SlotId;

/// How a connection stands to the run queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueState {
    /// It has so little to do that it runs without queueing.
    NotQueued,
    /// It has so much to do that it was queued.
    Queued,
    /// It had much to do in its last run: it must queue for the next.
    MustQueue,
}

/// Those queued, by their slots.
#[derive(Debug, Default)]
pub struct RunQueue {
    entries: RefCell<VecDeque<(SlotId, Ticket)>>,
    /// By slot: what it waits with. An entry with another ticket is that of a connection which has ended; so may be one
    /// with the same: it wakes nobody, or in vain.
    waiting: RefCell<Vec<Option<Ticket>>>,
    tickets: Cell<u64>,
    pushed: Notify,
}

/// No two are alike: a slot is used again, perhaps while the queue still has its last owner.
type Ticket = NonZeroU64;

impl RunQueue {
    /// Queues it at the end.
    pub fn push(&self, slot: SlotId) {
        let ticket = NonZeroU64::MIN.saturating_add(self.tickets.get());
        self.tickets.set(ticket.get());
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() <= slot as usize {
            waiting.resize(slot as usize + 1, None);
        }
        self.entries.borrow_mut().push_back((slot, ticket));
        mark(&mut waiting, slot, Some(ticket));
        self.pushed.notify_one();
    }

    /// Whether it is still queued; false once it was woken.
    pub fn has(&self, slot: SlotId) -> bool {
        self.ticket(slot).is_some()
    }

    fn ticket(&self, slot: SlotId) -> Option<Ticket> {
        self.waiting.borrow().get(slot as usize).copied().flatten()
    }

    /// Wakes one after the other, for ever.
    pub async fn run(&self, wake: impl Fn(SlotId)) {
        loop {
            match self.pop() {
                Some(slot) => {
                    wake(slot);
                    tokio::task::yield_now().await; // returns when the event loop has looked at its sockets
                }
                None => self.pushed.notified().await,
            }
        }
    }

    fn pop(&self) -> Option<SlotId> {
        let mut queue = self.entries.borrow_mut();
        let mut entries = std::iter::from_fn(|| queue.pop_front());
        let (slot, _) = entries.find(|(slot, ticket)| self.ticket(*slot) == Some(*ticket))?;
        mark(&mut self.waiting.borrow_mut(), slot, None);
        Some(slot)
    }
}

fn mark(waiting: &mut [Option<Ticket>], slot: SlotId, ticket: Option<Ticket>) {
    if let Some(place) = waiting.get_mut(slot as usize) {
        *place = ticket;
    }
}
