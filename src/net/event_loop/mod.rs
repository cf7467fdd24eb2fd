//! What the connections of one event loop share. One thread, so no locks.

pub mod clock;
mod listener_state;
mod run_queue;
mod slots;
mod stalls;
mod timers;

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use slab::Slab;
use tokio::sync::Notify;

use super::counters::Tally;
use super::options::ListenerOptions;
use crate::core::HEADROOM;
use clock::Clock;
use listener_state::Services;
use run_queue::Turns;
use timers::Timers;

pub use listener_state::Service;
pub use run_queue::Pace;
pub use slots::Seat;
pub use stalls::{StallBook, tell, watch};

/// The most bytes read in one go, and so the most that a peer which reads nothing can make us keep for it.
pub const READ_BYTES: usize = 16 * 1024;

/// What the connections of an event loop are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Echo, probe, time out: the normal life.
    Serving,
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
    /// Whom to wake when the phase changes or a timer fires: one seat per connection.
    seats: RefCell<Slab<Waker>>,
    vacated: Notify,
    /// When to wake them.
    pub timers: Timers,
    /// Who has more to do than a turn allows.
    pub turns: Turns,
    /// How the connections of each listener are served.
    pub services: Services,
    /// When it slept.
    pub stalls: Rc<StallBook>,
    /// What it was given and what it closed.
    pub tally: Arc<Tally>,
}

impl EventLoop {
    /// Starts in the calling local runtime: from now on its timers fire, and its turns are called.
    pub fn start(tally: Arc<Tally>) -> Rc<EventLoop> {
        let event_loop = Rc::new(EventLoop {
            clock: Clock::start(),
            scratch: RefCell::new(vec![0; HEADROOM + READ_BYTES].into_boxed_slice()),
            phase: Cell::new(Phase::Serving),
            seats: RefCell::default(),
            vacated: Notify::new(),
            timers: Timers::default(),
            turns: Turns::default(),
            services: Services::default(),
            stalls: Rc::default(),
            tally,
        });
        tokio::task::spawn_local(Rc::clone(&event_loop).fire_timers());
        tokio::task::spawn_local(Rc::clone(&event_loop).call_turns());
        event_loop
    }

    async fn fire_timers(self: Rc<EventLoop>) {
        self.timers.fire(&self.clock, |seat| self.wake(seat)).await;
    }

    async fn call_turns(self: Rc<EventLoop>) {
        self.turns.call(|seat| self.wake(seat)).await;
    }

    /// The scratch buffer, for one turn of one connection: [`HEADROOM`], then room for [`READ_BYTES`].
    pub fn scratch(&self) -> RefMut<'_, Box<[u8]>> {
        self.scratch.borrow_mut()
    }

    /// The current phase.
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Changes the phase and wakes every connection to see it.
    pub fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.wake_all();
    }

    /// Takes up new settings of a listener, and wakes every connection to see them.
    pub fn change(&self, options: &ListenerOptions) {
        self.services.change(options);
        self.wake_all();
    }

    fn wake_all(&self) {
        for (_, waker) in self.seats.borrow().iter() {
            waker.wake_by_ref();
        }
    }

    fn wake(&self, seat: Seat) {
        if let Some(waker) = self.seats.borrow().get(seat as usize) {
            waker.wake_by_ref();
        }
    }

    /// Takes a seat for a connection.
    pub fn take_seat(&self) -> Seat {
        self.seats.borrow_mut().insert(Waker::noop().clone()) as Seat // there are fewer descriptors
    }

    /// Wakes the task behind `waker` when the phase changes or a timer fires. A connection stays in one task all its life.
    pub fn wake_at_seat(&self, seat: Seat, waker: &Waker) {
        if let Some(seat) = self.seats.borrow_mut().get_mut(seat as usize) {
            seat.clone_from(waker);
        }
    }

    /// Gives a seat back.
    pub fn leave_seat(&self, seat: Seat) {
        let mut seats = self.seats.borrow_mut();
        seats.try_remove(seat as usize);
        if seats.is_empty() {
            self.vacated.notify_one();
        }
    }

    /// Waits until no connection is left.
    pub async fn vacated(&self) {
        while !self.seats.borrow().is_empty() {
            self.vacated.notified().await;
        }
    }
}
