//! What frozen connections say of themselves, in words, and the descriptors they speak of.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::fd::RawFd;

use tokio::sync::Notify;

use super::slots::{SlotId, Slots};

/// The words of each connection, by its slot. Who is asked again says it again.
#[derive(Debug, Default)]
pub struct Frozen {
    words: RefCell<BTreeMap<SlotId, (RawFd, String)>>,
    said: Notify,
}

impl Frozen {
    /// Forgets what was said in an earlier freeze that came to nothing.
    pub fn begin(&self) {
        self.words.borrow_mut().clear();
    }

    /// Takes what a connection says.
    pub fn take_down(&self, slot: SlotId, descriptor: RawFd, words: String) {
        self.words.borrow_mut().insert(slot, (descriptor, words));
        self.said.notify_one();
    }

    /// What all of them said, once all in `slots` have.
    pub async fn all(&self, slots: &Slots) -> Vec<(RawFd, String)> {
        while self.words.borrow().len() < slots.len() {
            self.said.notified().await;
        }
        std::mem::take(&mut *self.words.borrow_mut()).into_values().collect()
    }
}
