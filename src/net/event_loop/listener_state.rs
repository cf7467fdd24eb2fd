//! How the connections of one listener are served, as one event loop knows it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::core::{Protocol, Timing};
use crate::net::options::ListenerOptions;

/// The settings of a listener. They may change while its connections are open; the protocol may not.
#[derive(Debug)]
pub struct Service {
    name: Arc<str>,
    protocol: Protocol,
    timing: Cell<Timing>,
    /// Counts the changes.
    revision: Cell<u32>,
}

impl Service {
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

    /// Another number after every change.
    pub fn revision(&self) -> u32 {
        self.revision.get()
    }

    fn set_timing(&self, timing: Timing) {
        if timing != self.timing.get() {
            self.timing.set(timing);
            self.revision.set(self.revision.get().wrapping_add(1));
        }
    }
}

/// The name and the protocol of a listener.
type Key = (Arc<str>, Protocol);

/// The services of an event loop.
#[derive(Debug, Default)]
pub struct Services(RefCell<HashMap<Key, Rc<Service>>>);

impl Services {
    /// The service that these options ask for. One that is known keeps its timing: the options of a connection that was
    /// accepted while they changed are the old ones, but come after the change.
    pub fn serve(&self, options: &ListenerOptions) -> Rc<Service> {
        let new = || {
            Rc::new(Service {
                name: Arc::clone(&options.name),
                protocol: options.protocol,
                timing: Cell::new(options.timing),
                revision: Cell::new(0),
            })
        };
        let mut services = self.0.borrow_mut();
        Rc::clone(services.entry((Arc::clone(&options.name), options.protocol)).or_insert_with(new))
    }

    /// Whoever is served by it gets the new timing.
    pub fn change(&self, options: &ListenerOptions) {
        self.serve(options).set_timing(options.timing);
    }
}
