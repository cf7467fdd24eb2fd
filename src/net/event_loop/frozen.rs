//! What frozen connections say of themselves, in words, and the descriptors they speak of.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::os::fd::RawFd;

use tokio::sync::Notify;

use super::slots::{SlotId, Slots};

/// The words of all connections of one event loop, a line each, and the descriptors of their sockets in the same order.
#[derive(Debug, Default)]
pub struct FrozenConnections {
    /// One for each line.
    pub descriptors: Vec<RawFd>,
    /// The lines.
    pub text: Vec<u8>,
}

/// What was said so far.
#[derive(Debug, Default)]
pub struct Frozen {
    said: RefCell<BTreeSet<SlotId>>,
    connections: RefCell<FrozenConnections>,
    news: Notify,
}

impl Frozen {
    /// Forgets what was said in an earlier freeze.
    pub fn begin(&self) {
        self.said.take();
        self.connections.take();
    }

    /// Takes down what `write` says of a connection, unless it was said before.
    pub fn take_down(&self, slot: SlotId, descriptor: RawFd, write: impl FnOnce(&mut Vec<u8>)) {
        if !self.said.borrow_mut().insert(slot) {
            return;
        }
        let FrozenConnections { descriptors, text } = &mut *self.connections.borrow_mut();
        descriptors.push(descriptor);
        write(text);
        self.news.notify_one();
    }

    /// What all of them said, once all in `slots` have.
    pub async fn all(&self, slots: &Slots) -> FrozenConnections {
        while self.said.borrow().len() < slots.len() {
            self.news.notified().await;
        }
        self.connections.take()
    }
}
