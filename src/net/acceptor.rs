//! Accepting: one task per listener, which outlives every error.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::clock;
use super::intake::Intake;
use super::listener::{AcceptFailure, AcceptingListener};
use crate::ops::events;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Accepts connections and hands them over, for ever.
pub async fn accept_all(listener: Rc<AcceptingListener>, intake: Rc<Intake>) {
    let mut episode = None;
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                if let Some(episode) = episode.take() {
                    end(&listener, &episode);
                }
                intake.admit(socket, peer, &listener.options());
            }
            Err(error) if AcceptFailure::of(&error) == AcceptFailure::ClientGone => {}
            Err(error) => {
                let episode = episode.get_or_insert_with(|| begin(&listener, &error));
                tokio::time::sleep(episode.next_pause()).await;
            }
        }
    }
}

/// A time in which nothing could be accepted: two log records, however often it was tried.
struct Episode {
    began_at: Instant,
    attempts: u64,
    pause: Duration,
}

fn begin(listener: &AcceptingListener, error: &io::Error) -> Episode {
    events::accept_error(&listener.options().name, error);
    Episode { began_at: clock::now(), attempts: 0, pause: FIRST_PAUSE }
}

fn end(listener: &AcceptingListener, episode: &Episode) {
    let paused = clock::now().saturating_duration_since(episode.began_at);
    events::accept_resumed(&listener.options().name, episode.attempts, paused);
}

impl Episode {
    fn next_pause(&mut self) -> Duration {
        let pause = self.pause;
        self.attempts += 1;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_10_ms_to_a_second() {
        let mut episode = Episode { began_at: clock::now(), attempts: 0, pause: FIRST_PAUSE };
        let pauses: Vec<u128> = (0..9).map(|_| episode.next_pause().as_millis()).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        assert_eq!(episode.attempts, 9);
    }
}
