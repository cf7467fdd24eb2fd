//! The beginning of a connection that a proxy has to introduce: the header, of which nothing is echoed or counted, then the
//! stream, as if the connection began there.

use std::io;
use std::task::{Context, Poll};

use super::failures::read_failed;
use super::origin::{Introduction, Origin, PATIENCE};
use super::proxy_header::{self, Beginning, LONGEST};
use super::{Connection, LAST_READS, Stage, Transport};
use crate::core::{Close, CloseReason, Failure, HEADROOM, Moment, PUNCTUAL};
use crate::ops::events;

/// So much is told of what came instead.
const TOLD_BYTES: usize = 32;

impl<T: Transport> Connection<T> {
    /// We are ending it: what had arrived by then is still read, and a header is shorter than one read.
    pub(super) fn await_rest_of_header(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut [u8],
    ) -> Result<(), Close> {
        match self.transport.read_now(cx, &mut scratch[HEADROOM..]) {
            Poll::Ready(read) => self.take_header(cx, scratch, read),
            Poll::Pending => {
                self.stage = Stage::SendingFin;
                Ok(())
            }
        }
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
            Ok(_) if held == 0 => return self.end_input(cx, scratch, Stage::PeerFinished),
            Ok(_) => return Err(introduction.ended(None)),
            Err(error) => match read_failed(error) {
                close if held > 0 && close.reason == CloseReason::PeerReset => {
                    return Err(introduction.ended(close.failure));
                }
                close => return Err(close),
            },
        };
        introduction.take(&scratch[HEADROOM..HEADROOM + arrived]);
        match proxy_header::read(&introduction.received) {
            Beginning::Partial => Ok(()),
            Beginning::Wrong(why) => Err(introduction.missing(why)),
            Beginning::Header { length, client } => {
                let proxy = introduction.proxy();
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
        self.stage =
            if self.session.ending().is_some() { Stage::Flushing(LAST_READS) } else { Stage::Echoing };
        self.session.begin(self.now());
        self.unset_timer(); // it was the header's
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
        self.received = [&*self.received, arrived.get(..room).unwrap_or(arrived)].concat().into();
    }

    fn ended(&self, failure: Option<Failure>) -> Close {
        Close { failure, ..self.missing("the connection ended in the middle of it") }
    }

    fn missing(&self, why: &str) -> Close {
        let close = Close::from(CloseReason::ProxyHeader);
        match self.received.get(..TOLD_BYTES).unwrap_or(&self.received) {
            [] => close.because(why),
            told => {
                // In the text format " event=" would begin the fields.
                let told = told.escape_ascii().to_string().replace('=', "\\x3d");
                close.because(format!("{why} (it begins with \"{told}\")"))
            }
        }
    }
}
