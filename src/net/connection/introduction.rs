//! The beginning of a connection that a proxy has to introduce: the header, of which nothing is echoed or counted, then the
//! stream, as if the connection began there.

use std::io;
use std::task::{Context, ready};

use super::failures::read_failed;
use super::origin::{Introduction, Origin, PATIENCE};
use super::proxy_header::{self, Beginning, LONGEST};
use super::{Connection, Progress, Stage, Transport, poll_read};
use crate::core::{Close, CloseReason, HEADROOM, Moment, PUNCTUAL};
use crate::ops::events;

/// So much is told of what came instead.
const TOLD_BYTES: usize = 32;

impl<T: Transport> Connection<T> {
    pub(super) fn await_header(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Progress {
        let read = ready!(poll_read(&mut self.transport, cx, &mut scratch[HEADROOM..]));
        self.take_header(cx, scratch, read).into()
    }

    /// What a read brought, in `scratch` from [`HEADROOM`] on: the header or a piece of it, and behind it the stream.
    pub(super) fn take_header(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut [u8],
        read: io::Result<usize>,
    ) -> Result<(), Close> {
        let Some(introduction) = self.origin.introduction() else { return Ok(()) };
        let held = introduction.received.len();
        let arrived = match read {
            Ok(arrived) if arrived > 0 => arrived,
            ended if held > 0 => return Err(introduction.ended(ended.err())),
            Ok(_) => return self.end_input(cx, scratch, Stage::PeerFinished),
            Err(error) => return Err(read_failed(error)),
        };
        introduction.take(&scratch[HEADROOM..HEADROOM + arrived]);
        match proxy_header::read(&introduction.received) {
            Beginning::Partial => Ok(()),
            Beginning::Wrong(why) => Err(introduction.missing(why)),
            Beginning::Header { length, client } => {
                let proxy = introduction.proxy;
                self.origin = client.map_or(Origin::Direct(proxy), |client| Origin::proxied(client, proxy));
                self.begin();
                let stream = HEADROOM + (length - held)..HEADROOM + arrived;
                if stream.is_empty() {
                    return Ok(());
                }
                let rest = stream.len();
                scratch.copy_within(stream, HEADROOM);
                self.take_input(cx, scratch, Ok(rest))
            }
        }
    }

    fn begin(&mut self) {
        self.stage = Stage::Echoing;
        self.session.begin(self.now());
        events::open(|| self.identity());
    }

    /// Until when the header must be there.
    pub(super) fn header_due(&mut self) -> Option<Moment> {
        self.origin.introduction().map(|introduction| introduction.until)
    }

    /// The time for the header is over, unless the last look has found it. Where we slept, it has its time again.
    pub(super) fn give_up_header(&mut self) -> Result<(), Close> {
        let now = self.now();
        let is_awaited = self.stage == Stage::AwaitingHeader;
        let Some(introduction) = self.origin.introduction().filter(|_| is_awaited) else { return Ok(()) };
        let late = now.checked_duration_since(introduction.until).unwrap_or_default();
        if late > PUNCTUAL {
            introduction.until = now + PATIENCE;
            self.event_loop.stalls.note(late, true);
            return Ok(());
        }
        Err(introduction.missing(match introduction.received.is_empty() {
            true => "nothing came within 5 s",
            false => "only a piece of it came within 5 s",
        }))
    }
}

impl Introduction {
    /// Keeps what may be of the header; no more is looked at.
    fn take(&mut self, arrived: &[u8]) {
        let room = LONGEST - self.received.len();
        self.received.extend_from_slice(arrived.get(..room).unwrap_or(arrived));
    }

    fn ended(&self, error: Option<io::Error>) -> Close {
        let failure = error.and_then(|error| read_failed(error).failure);
        Close { failure, ..self.missing("the connection ended in the middle of it") }
    }

    fn missing(&self, why: &str) -> Close {
        let close = Close::from(CloseReason::ProxyHeader);
        match self.received.get(..TOLD_BYTES).unwrap_or(&self.received) {
            [] => close.because(why),
            told => close.because(format!("{why} (it begins with \"{}\")", told.escape_ascii())),
        }
    }
}
