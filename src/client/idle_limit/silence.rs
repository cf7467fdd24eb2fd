//! One connection that is silent for a while, and then asked for an echo.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout};

use super::conversation::{Conversation, Word};
use super::outcome::{Outcome, Reset, Sign, Step};
use crate::client::arguments::IdleLimit;
use crate::client::connect::connect;
use crate::ops::errno::ErrnoName;
use crate::tcp::{self, canonical};

/// So long after the first echo its last acknowledgements have come, and a tenth of the silence at most is spent on it.
const SETTLED: Duration = Duration::from_millis(300);

/// How often the kernel is asked whether segments came that had no data in them.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Opens a connection when `opening` has room, gets an echo, is silent for `idle`, and asks for another.
pub async fn silence(arguments: &IdleLimit, opening: &Semaphore, idle: Duration) -> Step {
    let conversation = match open(arguments, opening).await {
        Ok(conversation) => conversation,
        Err(why) => return Step { idle, local: None, outcome: Outcome::Failed(why) },
    };
    let local = conversation.stream().local_addr().map(canonical).ok();
    let mut silence = Silence { conversation, began: Instant::now(), segments: None };
    let outcome = match silence.listen(idle).await {
        Some(outcome) => outcome,
        None => silence.ask(arguments.timeout).await,
    };
    Step { idle, local, outcome }
}

async fn open(arguments: &IdleLimit, opening: &Semaphore) -> Result<Conversation, String> {
    let _room = opening.acquire().await;
    let stream = connect(&arguments.target, arguments.timeout).await.map_err(|error| error.to_string())?;
    let mut conversation = Conversation::new(stream);
    match timeout(arguments.timeout, conversation.echo()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err("no echo".to_owned()),
    }
    conversation.take_word();
    Ok(conversation)
}

struct Silence {
    conversation: Conversation,
    began: Instant,
    /// Segments that had come when the silence was settled.
    segments: Option<u32>,
}

impl Silence {
    /// Says nothing for `idle`. An outcome, if something happened meanwhile.
    async fn listen(&mut self, idle: Duration) -> Option<Outcome> {
        let ends = self.began + idle;
        let mut look = self.began + SETTLED.min(idle / 10);
        loop {
            tokio::select! {
                biased;
                news = self.conversation.hear() => return Some(self.broken(news)),
                () = sleep_until(look) => {}
            }
            if self.has_heard_segments() {
                return Some(Outcome::KeptAlive(Sign::Keepalive, self.began.elapsed()));
            }
            if look >= ends {
                return None;
            }
            look = ends.min(Instant::now() + LOOK_EVERY);
        }
    }

    /// Whether segments came without data, since it was asked first.
    fn has_heard_segments(&mut self) -> bool {
        let segments = tcp::segments_received(self.conversation.stream());
        segments.is_some_and(|segments| segments > *self.segments.get_or_insert(segments))
    }

    /// Something came.
    fn broken(&mut self, news: io::Result<()>) -> Outcome {
        let after = self.began.elapsed();
        match (self.conversation.take_word(), news) {
            (Some(word), _) => Outcome::KeptAlive(Sign::Word(word), after),
            (None, Err(error)) => ended(&error, Reset { after, since_asked: None, round_trip: None }),
            // Part of what may become a probe.
            (None, Ok(())) => Outcome::KeptAlive(Sign::Word(Word::Other), after),
        }
    }

    async fn ask(&mut self, patience: Duration) -> Outcome {
        let round_trip = tcp::shortest_round_trip(self.conversation.stream());
        let asked = Instant::now();
        let echo = timeout(patience, self.conversation.echo()).await;
        let since_asked = Some(asked.elapsed());
        let after = self.began.elapsed();
        match (echo, self.conversation.take_word()) {
            // What came in before the echo did may have reminded the path.
            (Ok(Ok(())), Some(word)) => Outcome::KeptAlive(Sign::Word(word), after),
            (Ok(Ok(())), None) => Outcome::Alive,
            (Ok(Err(error)), _) if error.kind() == ErrorKind::InvalidData => {
                Outcome::KeptAlive(Sign::Word(Word::Other), after)
            }
            (Ok(Err(error)), _) => ended(&error, Reset { after, since_asked, round_trip }),
            (Err(_), _) if tcp::has_unacknowledged(self.conversation.stream()) => Outcome::Dropped,
            (Err(_), _) => Outcome::Unanswered,
        }
    }
}

/// By an error, or by an RST of which that is known.
fn ended(error: &io::Error, reset: Reset) -> Outcome {
    let after = reset.after;
    match (error.kind(), error.raw_os_error()) {
        (ErrorKind::ConnectionReset | ErrorKind::BrokenPipe, _) => Outcome::Reset(reset),
        (ErrorKind::UnexpectedEof, _) => Outcome::Closed(after),
        // The kernel had sent it again and again.
        (ErrorKind::TimedOut, _) => Outcome::Dropped,
        (_, Some(errno)) => Outcome::Broken(ErrnoName(errno).to_string(), after),
        (_, None) => Outcome::Broken(error.to_string(), after),
    }
}
