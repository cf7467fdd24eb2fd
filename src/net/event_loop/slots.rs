//! Whom an event loop wakes: a slot for each connection.

use std::cell::RefCell;
use std::task::Waker;

use slab::Slab;
use tokio::sync::Notify;

/// The place of a connection in its event loop: a number that is used again.
pub type SlotId = u32;

/// The wakers of the connections.
#[derive(Debug, Default)]
pub struct Slots {
    wakers: RefCell<Slab<Waker>>,
    emptied: Notify,
}

impl Slots {
    /// Takes a slot for a connection.
    pub fn take(&self) -> SlotId {
        self.wakers.borrow_mut().insert(Waker::noop().clone()) as SlotId // there are fewer descriptors
    }

    /// From now on the slot wakes the task behind `waker`. A connection stays in one task all its life.
    pub fn set_waker(&self, slot: SlotId, waker: &Waker) {
        if let Some(own) = self.wakers.borrow_mut().get_mut(slot as usize) {
            own.clone_from(waker);
        }
    }

    /// Wakes one.
    pub fn wake(&self, slot: SlotId) {
        if let Some(waker) = self.wakers.borrow().get(slot as usize) {
            waker.wake_by_ref();
        }
    }

    /// Wakes all.
    pub fn wake_all(&self) {
        for (_, waker) in self.wakers.borrow().iter() {
            waker.wake_by_ref();
        }
    }

    /// How many are taken.
    pub fn len(&self) -> usize {
        self.wakers.borrow().len()
    }

    /// Gives a slot back.
    pub fn release(&self, slot: SlotId) {
        let mut wakers = self.wakers.borrow_mut();
        wakers.try_remove(slot as usize);
        if wakers.is_empty() {
            self.emptied.notify_one();
        }
    }

    /// Waits until no slot is taken.
    pub async fn emptied(&self) {
        while !self.wakers.borrow().is_empty() {
            self.emptied.notified().await;
        }
    }
}
