//! What the connections of one event loop share. One thread, so no locks.

pub mod clock;
mod frozen;
mod listener_state;
mod run_queue;
mod slots;
mod stalls;
mod timers;

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;

use super::counters::Counters;
use super::options::ListenerOptions;
use crate::core::HEADROOM;
use clock::Clock;
use frozen::Frozen;
use listener_state::ListenerStates;
use run_queue::RunQueue;
use slots::Slots;
use timers::Timers;

pub use frozen::FrozenConnections;
pub use listener_state::ListenerState;
pub use run_queue::QueueState;
pub use slots::SlotId;
pub use stalls::StallTracker;

/// The most bytes read in one go, and so the most that a peer which reads nothing can make us keep for it.
pub const READ_BYTES: usize = 16 * 1024;

/// What the connections of an event loop are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Echo, probe, time out: the normal life.
    Serving,
    /// Do nothing, and say what another program needs to know to go on.
    Frozen,
    /// Finish in good order.
    Draining,
    /// Close now.
    Ending,
}

/// The shared state of one event loop.
#[derive(Debug)]
pub struct EventLoop {
    /// Its time, which is that of its connections.
    pub clock: Clock,
    /// Every read goes here: an idle connection owns no buffer.
    scratch: RefCell<Box<[u8]>>,
    phase: Cell<Phase>,
    /// Whom to wake when the phase changes or a timer fires.
    pub slots: Slots,
    /// When to wake them.
    pub timers: Timers,
    /// Who has more to do than one run allows.
    pub run_queue: RunQueue,
    /// What the connections said when they were frozen.
    pub frozen: Frozen,
    /// How the connections of each listener are served.
    pub listeners: ListenerStates,
    /// When it slept.
    pub stalls: Rc<StallTracker>,
    /// What it was given and what it closed.
    pub counters: Arc<Counters>,
}

impl EventLoop {
    /// Starts in the calling local runtime: from now on its timers fire, and its run queue moves.
    pub fn start(counters: Arc<Counters>) -> Rc<EventLoop> {
        let event_loop = Rc::new(EventLoop {
            clock: Clock::start(),
            scratch: RefCell::new(vec![0; HEADROOM + READ_BYTES].into_boxed_slice()),
            phase: Cell::new(Phase::Serving),
            slots: Slots::default(),
            timers: Timers::default(),
            run_queue: RunQueue::default(),
            frozen: Frozen::default(),
            listeners: ListenerStates::default(),
            stalls: Rc::default(),
            counters,
        });
        tokio::task::spawn_local(Rc::clone(&event_loop).fire_timers());
        tokio::task::spawn_local(Rc::clone(&event_loop).move_run_queue());
        event_loop
    }

    async fn fire_timers(self: Rc<EventLoop>) {
        self.timers.fire(&self.clock, |slot| self.slots.wake(slot)).await;
    }

    async fn move_run_queue(self: Rc<EventLoop>) {
        self.run_queue.run(|slot| self.slots.wake(slot)).await;
    }

    /// The scratch buffer, for one run of one connection: [`HEADROOM`], then room for [`READ_BYTES`].
    pub fn scratch(&self) -> RefMut<'_, Box<[u8]>> {
        self.scratch.borrow_mut()
    }

    /// The current phase.
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Whether it is over once its last connection is.
    pub fn is_ending(&self) -> bool {
        matches!(self.phase(), Phase::Draining | Phase::Ending)
    }

    /// Changes the phase and wakes every connection to see it.
    pub fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.slots.wake_all();
    }

    /// Takes up new settings of a listener, and wakes every connection to see them.
    pub fn change(&self, options: &ListenerOptions) {
        self.listeners.change(options);
        self.slots.wake_all();
    }
}
