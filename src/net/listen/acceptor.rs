//! Accepting: one task per listener, which outlives every error but the loss of its socket. All of them run in the first event
//! loop, so what stays there costs no change of thread.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::admission::Admission;
use super::socket::{AcceptFailure, AcceptingListener, ListenerLost};
use crate::net::event_loop::clock;
use crate::ops::events;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Attempts to open a dead socket anew: with growing pauses, more than five seconds of them.
const REOPENING_TRIES: u64 = 11;

/// Connections that may be accepted before those that are open run.
const ACCEPTED_PER_YIELD: u64 = 16;

/// Accepts connections and hands them over, until nothing can be accepted there any more.
pub async fn accept_all(listener: Arc<AcceptingListener>, admission: Arc<Admission>) -> ListenerLost {
    let mut outage: Option<Outage> = None;
    let mut accepts: u64 = 0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = over(outage.as_ref()) => {
                outage.take().iter().for_each(|outage| end(&listener, outage));
                continue;
            }
        };
        match accepted {
            Ok((socket, peer)) => {
                outage.iter_mut().for_each(Outage::succeed);
                admission.admit(socket, peer, &listener.options());
                accepts += 1;
                if accepts.is_multiple_of(ACCEPTED_PER_YIELD) {
                    tokio::task::yield_now().await;
                }
            }
            Err(error) => match AcceptFailure::of(&error) {
                AcceptFailure::ClientGone => {}
                AcceptFailure::Exhausted => {
                    let outage = outage.get_or_insert_with(|| begin(&listener, &error));
                    tokio::time::sleep(outage.fail(clock::now())).await;
                }
                AcceptFailure::SocketDead => match reopen(&listener, error).await {
                    Ok(()) => {}
                    Err(lost) => return lost,
                },
            },
        }
    }
}

/// Opens the socket of a listener anew, where it is ours. Whoever shared the dead one may hold its port for a moment.
async fn reopen(listener: &AcceptingListener, died_of: io::Error) -> Result<(), ListenerLost> {
    let options = listener.options();
    let lost = |cause| ListenerLost { listener: Arc::clone(&options.name), address: options.address, cause };
    if listener.is_passed() {
        return Err(lost(died_of));
    }
    let mut tries = Outage::new(clock::now());
    loop {
        match listener.reopen() {
            Ok(address) => {
                events::listener_reopened(&options.name, address, &died_of);
                return Ok(());
            }
            Err(cause) if tries.attempts == REOPENING_TRIES => return Err(lost(cause)),
            Err(_) => tokio::time::sleep(tries.fail(clock::now())).await,
        }
    }
}

/// A time in which accepting fails, or fails again and again: two log records, however often it was tried.
#[derive(Debug)]
struct Outage {
    began_at: Instant,
    failed_at: Instant,
    /// The last attempt went well. At the limit successes and failures alternate: that is one outage.
    recovering: bool,
    attempts: u64,
    pause: Duration,
}

fn begin(listener: &AcceptingListener, error: &io::Error) -> Outage {
    events::accept_error(&listener.options().name, error);
    Outage::new(clock::now())
}

fn end(listener: &AcceptingListener, outage: &Outage) {
    let paused = clock::now().saturating_duration_since(outage.began_at);
    events::accept_resumed(&listener.options().name, outage.attempts, paused);
}

/// Waits until an outage is over: for a while nothing has failed, and something went well.
async fn over(outage: Option<&Outage>) {
    let outage = outage.filter(|outage| outage.recovering);
    clock::sleep_until_some(outage.map(|outage| outage.failed_at + LONGEST_PAUSE)).await;
}

impl Outage {
    fn new(now: Instant) -> Outage {
        Outage { began_at: now, failed_at: now, recovering: false, attempts: 0, pause: FIRST_PAUSE }
    }

    /// Returns how long to pause.
    fn fail(&mut self, now: Instant) -> Duration {
        let pause = self.pause;
        self.attempts += 1;
        self.failed_at = now;
        self.recovering = false;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    fn succeed(&mut self) {
        self.recovering = true;
        self.pause = FIRST_PAUSE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_10_ms_to_a_second_and_begin_anew_after_a_success() {
        let now = clock::now();
        let mut outage = Outage::new(now);
        let pauses: Vec<u128> = (0..9).map(|_| outage.fail(now).as_millis()).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        assert_eq!(outage.attempts, 9);
        outage.succeed();
        assert_eq!(outage.fail(now).as_millis(), 10);
    }
}
