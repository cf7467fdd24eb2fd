//! What the connections of one event loop share. One thread, so no locks.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::task::Waker;

use slab::Slab;
use tokio::sync::Notify;

use super::options::ListenerOptions;
use super::service::Services;
use super::stall::StallBook;
use crate::core::protocol::HEADROOM;

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
    /// Every read goes here: an idle connection owns no buffer.
    scratch: RefCell<Box<[u8]>>,
    phase: Cell<Phase>,
    /// Who to wake when the phase changes: one seat per connection.
    seats: RefCell<Slab<Waker>>,
    vacated: Notify,
    /// How the connections of each listener are served.
    pub services: Services,
    /// When it slept.
    pub stalls: Rc<StallBook>,
}

impl Default for EventLoop {
    fn default() -> EventLoop {
        EventLoop {
            scratch: RefCell::new(vec![0; HEADROOM + READ_BYTES].into_boxed_slice()),
            phase: Cell::new(Phase::Serving),
            seats: RefCell::default(),
            vacated: Notify::new(),
            services: Services::default(),
            stalls: Rc::default(),
        }
    }
}

impl EventLoop {
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
        self.services.serve(options);
        self.wake_all();
    }

    fn wake_all(&self) {
        for (_, waker) in self.seats.borrow().iter() {
            waker.wake_by_ref();
        }
    }

    /// Takes a seat for a connection.
    pub fn take_seat(&self) -> usize {
        self.seats.borrow_mut().insert(Waker::noop().clone())
    }

    /// Wakes the task behind `waker` when the phase changes. A connection stays in one task all its life.
    pub fn wake_at_seat(&self, seat: usize, waker: &Waker) {
        if let Some(seat) = self.seats.borrow_mut().get_mut(seat) {
            seat.clone_from(waker);
        }
    }

    /// Gives a seat back.
    pub fn leave_seat(&self, seat: usize) {
        let mut seats = self.seats.borrow_mut();
        seats.try_remove(seat);
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
