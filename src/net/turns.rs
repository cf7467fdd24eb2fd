//! Turns: whoever sends more than one turn allows waits in line for the next. One of those in line is called each time the
//! event loop has looked at its sockets. So however many send without pause, the others wait for one of them.

use std::cell::RefCell;
use std::collections::VecDeque;

use tokio::sync::Notify;

use super::event_loop::Seat;

/// How much a connection has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// So little that it need not wait.
    Light,
    /// So much that it is in line.
    Waiting,
    /// It had much to do in its last turn: for the next it must join the line.
    Bulk,
}

/// Those in line, by their seats.
#[derive(Debug, Default)]
pub struct Turns {
    line: RefCell<VecDeque<Seat>>,
    /// By seat. An entry of the line whose seat does not wait is that of a connection which has ended.
    waiting: RefCell<Vec<bool>>,
    joined: Notify,
}

impl Turns {
    /// Joins the line at its end.
    pub fn join(&self, seat: Seat) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() <= seat as usize {
            waiting.resize(seat as usize + 1, false);
        }
        self.line.borrow_mut().push_back(seat);
        mark(&mut waiting, seat, true);
        self.joined.notify_one();
    }

    /// Whether it is still in line; false once it was called.
    pub fn is_waiting(&self, seat: Seat) -> bool {
        self.waiting.borrow().get(seat as usize) == Some(&true)
    }

    /// Leaves the line without a turn.
    pub fn leave(&self, seat: Seat) {
        mark(&mut self.waiting.borrow_mut(), seat, false);
    }

    /// Calls one after the other, for ever.
    pub async fn call(&self, wake: impl Fn(Seat)) {
        loop {
            match self.next() {
                Some(seat) => {
                    wake(seat);
                    tokio::task::yield_now().await; // returns when the event loop has looked at its sockets
                }
                None => self.joined.notified().await,
            }
        }
    }

    fn next(&self) -> Option<Seat> {
        let mut line = self.line.borrow_mut();
        let seat = std::iter::from_fn(|| line.pop_front()).find(|seat| self.is_waiting(*seat))?;
        self.leave(seat);
        Some(seat)
    }
}

fn mark(waiting: &mut [bool], seat: Seat, waits: bool) {
    if let Some(flag) = waiting.get_mut(seat as usize) {
        *flag = waits;
    }
}
