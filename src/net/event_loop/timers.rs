//! The timers of an event loop: one for each connection that waits for something.
//!
//! A timer of the runtime's in every connection would be a quarter of its memory and be polled with every echo.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use tokio::sync::Notify;

use super::clock::{Clock, sleep_until_some};
use super::slots::SlotId;
use crate::core::Moment;

/// Timers, by the slots of those who are woken.
///
/// Invariant: what is set lies after `fired_until`. So whoever knows what its timer was set to knows whether it has fired.
#[derive(Debug)]
pub struct Timers {
    set: RefCell<BTreeSet<(Moment, SlotId)>>,
    fired_until: Cell<Moment>,
    first_changed: Notify,
}

impl Default for Timers {
    fn default() -> Timers {
        Timers {
            set: RefCell::default(),
            fired_until: Cell::new(Moment::START),
            first_changed: Notify::new(),
        }
    }
}

impl Timers {
    /// Sets the timer of `slot` to `at`, which must be in the future.
    pub fn set(&self, slot: SlotId, at: Moment) {
        let mut set = self.set.borrow_mut();
        set.insert((at, slot));
        if set.first() == Some(&(at, slot)) {
            self.first_changed.notify_one();
        }
    }

    /// Takes back a timer that was set to `at`, if it has not fired.
    pub fn unset(&self, slot: SlotId, at: Moment) {
        if !self.have_fired(at) {
            self.set.borrow_mut().remove(&(at, slot));
        }
    }

    /// Whether timers that were set to `at` have fired.
    pub fn have_fired(&self, at: Moment) -> bool {
        at <= self.fired_until.get()
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.set.borrow().is_empty()
    }

    /// Fires the timers, each when it is due, for ever. `wake` must not touch them.
    pub async fn fire(&self, clock: &Clock, wake: impl Fn(SlotId)) {
        loop {
            let first = self.set.borrow().first().map(|(at, _)| clock.instant(*at));
            tokio::select! {
                () = sleep_until_some(first) => self.fire_until(clock.now(), &wake),
                () = self.first_changed.notified() => {}
            }
        }
    }

    fn fire_until(&self, now: Moment, wake: impl Fn(SlotId)) {
        self.fired_until.set(now);
        let mut set = self.set.borrow_mut();
        while let Some((_, slot)) = set.first().copied().filter(|(at, _)| *at <= now) {
            set.pop_first();
            wake(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::time::Duration;

    use super::*;

    /// Timers whose firing is written down.
    struct Watched {
        timers: Timers,
        clock: Clock,
        start: Moment,
        fired: RefCell<Vec<(u64, SlotId)>>,
    }

    impl Watched {
        fn start() -> Rc<Watched> {
            let (timers, clock, fired) = (Timers::default(), Clock::start(), RefCell::default());
            let watched = Rc::new(Watched { timers, start: clock.now(), clock, fired });
            let firing = Rc::clone(&watched);
            tokio::task::spawn_local(async move {
                let write_down = |slot| firing.fired.borrow_mut().push((firing.second(), slot));
                firing.timers.fire(&firing.clock, write_down).await;
            });
            watched
        }

        fn second(&self) -> u64 {
            (self.clock.now() - self.start).as_secs()
        }

        fn at(&self, second: u64) -> Moment {
            self.start + Duration::from_secs(second)
        }

        async fn sleep_until(&self, second: u64) {
            tokio::time::sleep_until(self.clock.instant(self.at(second)).into()).await;
            tokio::time::sleep(Duration::from_millis(2)).await; // whoever else waits for that second is done
        }
    }

    #[tokio::test(flavor = "local", start_paused = true)]
    async fn each_fires_when_it_is_due_in_whatever_order_they_were_set() {
        let watched = Watched::start();
        for (slot, second) in [(1, 30), (2, 10), (3, 20), (4, 10)] {
            watched.timers.set(slot, watched.at(second));
            tokio::task::yield_now().await;
        }
        watched.sleep_until(20).await;
        assert!(watched.timers.have_fired(watched.at(20)));
        assert!(!watched.timers.have_fired(watched.at(30)));
        watched.sleep_until(40).await;
        assert_eq!(*watched.fired.borrow(), [(10, 2), (10, 4), (20, 3), (30, 1)]);
    }

    #[tokio::test(flavor = "local", start_paused = true)]
    async fn what_was_taken_back_does_not_fire() {
        let watched = Watched::start();
        watched.timers.set(1, watched.at(10));
        watched.timers.set(2, watched.at(20));
        watched.sleep_until(5).await;
        watched.timers.unset(1, watched.at(10));
        watched.sleep_until(30).await;
        watched.timers.unset(2, watched.at(20)); // fired long ago: no harm
        assert_eq!(*watched.fired.borrow(), [(20, 2)]);
    }
}
