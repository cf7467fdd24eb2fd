//! The state of a listener, as one event loop and its connections know it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::core::{Liveness, Protocol, Timing};
use crate::net::options::ListenerOptions;

/// The settings of a listener. They may change while its connections are open; the protocol may not.
#[derive(Debug)]
pub struct ListenerState {
    name: Arc<str>,
    protocol: Protocol,
    timing: Cell<Timing>,
    shortest_wait: Cell<Duration>,
    /// Counts the changes.
    revision: Cell<u32>,
}

impl ListenerState {
    /// The name of the listener.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is spoken.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Deadlines and heartbeat that hold now.
    pub fn timing(&self) -> Timing {
        self.timing.get()
    }

    /// See [`Liveness::shortest_wait`].
    pub fn shortest_wait(&self) -> Duration {
        self.shortest_wait.get()
    }

    /// Another number after every change.
    pub fn revision(&self) -> u32 {
        self.revision.get()
    }

    fn set_timing(&self, timing: Timing) {
        if timing != self.timing.get() {
            self.timing.set(timing);
            self.shortest_wait.set(Liveness::shortest_wait(&timing));
            self.revision.set(self.revision.get().wrapping_add(1));
        }
    }
}

/// The name and the protocol of a listener.
type Key = (Arc<str>, Protocol);

/// The listeners of an event loop.
#[derive(Debug, Default)]
pub struct ListenerStates(RefCell<HashMap<Key, Rc<ListenerState>>>);

impl ListenerStates {
    /// The state of the listener with these options. One that is known keeps its timing: the options of a connection that
    /// was accepted while they changed are the old ones, but come after the change.
    pub fn get(&self, options: &ListenerOptions) -> Rc<ListenerState> {
        let new = || {
            Rc::new(ListenerState {
                name: Arc::clone(&options.name),
                protocol: options.protocol,
                timing: Cell::new(options.timing),
                shortest_wait: Cell::new(Liveness::shortest_wait(&options.timing)),
                revision: Cell::new(0),
            })
        };
        let mut states = self.0.borrow_mut();
        Rc::clone(states.entry((Arc::clone(&options.name), options.protocol)).or_insert_with(new))
    }

    /// Its connections get the new timing.
    pub fn change(&self, options: &ListenerOptions) {
        self.get(options).set_timing(options.timing);
    }
}
