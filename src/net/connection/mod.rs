//! One connection's task: the read loop. It owns the socket, its one timer, and for a run the scratch buffer.
//!
//! A run is one call of `Connection::run`. It looks at things in a fixed order, which decides when several are
//! true at one instant: commands to stop, bytes to write, bytes to read, the clock.

mod carried;
mod ending;
mod failures;
mod introduction;
mod origin;
mod proxy_header;
mod timeouts;
mod transport;
mod unsent;

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use serde::{Deserialize, Serialize};

use super::event_loop::{EventLoop, ListenerState, Phase, QueueState, READ_BYTES, SlotId, clock};
use super::options::ListenerOptions;
use crate::core::{Close, CloseReason, Evidence, HEADROOM, Jitter, Moment, Report, Session};
use crate::ops::events::{self, Identity};
use failures::{read_failed, without_blocked, write_failed};
use origin::Origin;
use transport::poll_read;
use unsent::Unsent;

pub use carried::ConnectionState;
pub use transport::Transport;

/// Reads a connection may do before others run. Who need not queue may fill the scratch buffer once.
const READS_PER_RUN: usize = 4;

/// How much a stopping connection still takes from its receive queue: what that holds at most
/// by the kernel's defaults (tcp(7): `tcp_rmem`), so that a peer that never pauses cannot hold up the FIN.
const LAST_READS: u16 = (8 * 1024 * 1024 / READ_BYTES) as u16;

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Why.
    pub close: Close,
    /// Its figures.
    pub report: Report,
}

/// One connection, until it ends. What an echo touches lies together, up to the session, which ends with the rest.
#[derive(Debug)]
#[repr(C)]
pub struct Connection<T> {
    transport: T,
    listener: Rc<ListenerState>,
    event_loop: Rc<EventLoop>,
    unsent: Unsent,
    /// What its timer was last set to.
    timer_at: Option<Moment>,
    /// Of the listener, as far as this connection has followed it.
    revision: u32,
    slot: SlotId,
    stage: Stage,
    /// Its event loop knows whom to wake for it.
    has_waker: bool,
    queue_state: QueueState,
    session: Session,
    conn: u64,
    origin: Origin,
}

/// How far a connection is on its way to its end. It only ever moves down this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    /// A proxy has to say whose connection it is.
    AwaitingHeader,
    /// Everything received goes back.
    Echoing,
    /// We are ending it: what had arrived by then still goes back, in so many reads at most.
    Flushing(u16),
    /// All that goes back was written: our FIN comes next.
    SendingFin,
    /// Our FIN is out; the peer may finish. Closing with unread input would reset the connection and
    /// could destroy the last bytes on their way.
    Lingering,
    /// The peer sent FIN: once everything went back, and its TCP acknowledged it, it is over.
    PeerFinished,
    /// So did we, and it has not acknowledged everything yet (RFC 9293: LAST-ACK).
    LastAck,
}

/// Done, not yet possible, or (`Err`) the end of the connection.
type Progress = Poll<Result<(), Close>>;

/// Serves the connection to its end, a panic included. What is left to do then is to drop it.
impl<T: Transport> Future for Connection<T> {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let run = AssertUnwindSafe(|| self.run(cx));
        let close = ready!(catch_unwind(run).unwrap_or(Poll::Ready(CloseReason::InternalError.into())));
        Poll::Ready(self.end(close))
    }
}

impl<T: Transport> Connection<T> {
    /// Connection number `conn` to the far end `peer`, which opens now. It does nothing until it is polled.
    pub fn new(
        transport: T,
        conn: u64,
        peer: SocketAddr,
        listener: &ListenerOptions,
        event_loop: Rc<EventLoop>,
        jitter: Jitter,
    ) -> Connection<T> {
        let (accepted_with, needs_header) = (listener.timing, listener.requires_proxy_header);
        let listener = event_loop.listeners.get(listener);
        if accepted_with != listener.timing() {
            // Accepted while its options changed: the socket inherited the others.
            transport.set_keepalive(listener.protocol(), listener.timing().heartbeat);
        }
        let now = event_loop.clock.now();
        let session = Session::new(listener.protocol(), now, jitter);
        let slot = event_loop.slots.take();
        Connection {
            transport,
            conn,
            origin: Origin::new(peer, needs_header, now),
            revision: listener.revision(),
            listener,
            event_loop,
            slot,
            queue_state: QueueState::NotQueued,
            timer_at: None,
            session,
            stage: if needs_header { Stage::AwaitingHeader } else { Stage::Echoing },
            has_waker: false,
            unsent: Unsent::default(),
        }
    }

    /// The stream.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// Its place in the event loop.
    pub fn slot(&self) -> SlotId {
        self.slot
    }

    /// Its number.
    pub fn conn(&self) -> u64 {
        self.conn
    }

    /// Whom it is with.
    pub fn peer(&self) -> SocketAddr {
        self.origin.peer()
    }

    /// The name of its listener.
    pub fn listener(&self) -> &str {
        self.listener.name()
    }

    /// What its records call it. The near end is asked for: a system call.
    pub fn identity(&self) -> Identity<'_> {
        Identity {
            conn: self.conn(),
            listener: self.listener(),
            peer: self.peer(),
            proxy: self.origin.proxy(),
            local: self.transport.local_address(),
        }
    }

    /// Whether all that can be said of whom it is with is known.
    pub fn is_introduced(&self) -> bool {
        self.stage != Stage::AwaitingHeader
    }

    /// Where it is served.
    pub fn event_loop(&self) -> &EventLoop {
        &self.event_loop
    }

    fn end(&mut self, close: Close) -> Ended {
        let close = self.session.conclude(close);
        if close.reason == CloseReason::WriteTimeout {
            self.transport.abort_on_close();
        }
        // Everything was delivered where the peer closed: that was asked just now.
        let delivered = close.reason == CloseReason::PeerClosed;
        let evidence = if delivered { Evidence::default() } else { self.transport.evidence() };
        Ended { close, report: self.session.report(self.now(), &evidence) }
    }

    fn run(&mut self, cx: &mut Context<'_>) -> Poll<Close> {
        self.be_woken_by(cx);
        let event_loop = Rc::clone(&self.event_loop);
        let mut scratch = event_loop.scratch();
        if let Err(close) = self.take_commands() {
            return Poll::Ready(close);
        }
        loop {
            if self.may_run()
                && let Poll::Ready(close) = self.exchange(cx, &mut scratch)
            {
                return Poll::Ready(close);
            }
            if let Err(close) = ready!(self.watch_clock(cx, &mut scratch)) {
                return Poll::Ready(close);
            }
        }
    }

    fn be_woken_by(&mut self, cx: &Context<'_>) {
        if !self.has_waker {
            self.event_loop.slots.set_waker(self.slot, cx.waker());
            self.has_waker = true;
        }
    }

    fn take_commands(&mut self) -> Result<(), Close> {
        if self.revision != self.listener.revision() {
            self.revision = self.listener.revision();
            let timing = self.listener.timing();
            self.transport.set_keepalive(self.listener.protocol(), timing.heartbeat);
            self.session.retime(&timing, self.now());
            self.unset_timer();
        }
        match self.event_loop.phase() {
            Phase::Serving | Phase::Frozen => Ok(()),
            Phase::Draining => {
                self.session.finish(CloseReason::ServerShutdown, None);
                self.begin_to_end();
                Ok(())
            }
            Phase::Ending => Err(CloseReason::ServerShutdown.into()),
        }
    }

    fn begin_to_end(&mut self) {
        if self.stage == Stage::Echoing {
            self.stage = Stage::Flushing(LAST_READS);
        }
    }

    /// Whether it need not queue, or was woken by the run queue. Who had much to do in its last run queues by this.
    fn may_run(&mut self) -> bool {
        if self.queue_state == QueueState::MustQueue {
            self.enqueue();
        }
        self.queue_state == QueueState::NotQueued || !self.event_loop.run_queue.has(self.slot)
    }

    fn enqueue(&mut self) {
        self.event_loop.run_queue.push(self.slot);
        self.queue_state = QueueState::Queued;
    }

    /// Writes, then reads, as long as there is something to do, but no longer than is fair.
    fn exchange(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Poll<Close> {
        let received_before = self.session.received_bytes();
        for _ in 0..READS_PER_RUN {
            let advanced = self.advance(cx, scratch);
            let much = self.session.received_bytes() - received_before >= READ_BYTES as u64;
            match advanced {
                Poll::Ready(Err(close)) => return Poll::Ready(close),
                Poll::Ready(Ok(())) if much && self.queue_state == QueueState::NotQueued => break,
                Poll::Ready(Ok(())) => {}
                Poll::Pending => {
                    self.queue_state = if much { QueueState::MustQueue } else { QueueState::NotQueued };
                    return Poll::Pending;
                }
            }
        }
        self.enqueue();
        Poll::Pending
    }

    /// Does one thing. Nothing is read while the peer takes nothing: that bounds the memory.
    fn advance(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Progress {
        ready!(self.flush(cx))?;
        match self.stage {
            Stage::AwaitingHeader if self.session.ending().is_some() => {
                Poll::Ready(self.await_rest_of_header(cx, scratch))
            }
            Stage::AwaitingHeader | Stage::Echoing => self.listen(cx, scratch),
            Stage::Flushing(left) => Poll::Ready(self.echo_rest(cx, scratch, left)),
            Stage::SendingFin => self.send_fin(cx),
            Stage::Lingering => self.linger(cx, scratch),
            Stage::PeerFinished => self.end_once_delivered(cx),
            Stage::LastAck => Poll::Pending, // the clock looks for it
        }
    }

    fn listen(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Progress {
        let read = ready!(poll_read(&mut self.transport, cx, &mut scratch[HEADROOM..]));
        Poll::Ready(self.take_read(cx, scratch, read))
    }

    /// What a read brought, in `scratch` from [`HEADROOM`] on: of the header, or of the stream.
    fn take_read(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut [u8],
        read: io::Result<usize>,
    ) -> Result<(), Close> {
        match self.stage {
            Stage::AwaitingHeader => self.take_header(cx, scratch, read),
            _ => self.take_input(cx, scratch, read),
        }
    }

    fn echo_rest(&mut self, cx: &mut Context<'_>, scratch: &mut [u8], left: u16) -> Result<(), Close> {
        if left > 0
            && let Poll::Ready(read) = self.transport.read_now(cx, &mut scratch[HEADROOM..])
        {
            self.stage = Stage::Flushing(left - 1);
            return self.take_input(cx, scratch, read);
        }
        self.end_input(cx, scratch, Stage::SendingFin)
    }

    /// What a read brought, in `scratch` from [`HEADROOM`] on: bytes to echo, or the end of the stream.
    fn take_input(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut [u8],
        read: io::Result<usize>,
    ) -> Result<(), Close> {
        let received = read.map_err(read_failed)?;
        if received == 0 {
            return self.end_input(cx, scratch, Stage::PeerFinished);
        }
        if self.session.received_bytes() == 0
            && proxy_header::look_like_header(&scratch[HEADROOM..HEADROOM + received])
        {
            events::unexpected_proxy_header(&self.identity(), clock::now());
        }
        let now = self.now();
        let echo = self.session.receive(now, &mut scratch[..HEADROOM + received]);
        self.send(cx, now, &scratch[echo])
    }

    fn end_input(&mut self, cx: &mut Context<'_>, scratch: &mut [u8], next: Stage) -> Result<(), Close> {
        self.stage = next;
        let echo = self.session.end_of_input(scratch);
        self.send(cx, self.now(), &scratch[echo])
    }

    /// Write first, queue second: only what the peer does not take is kept.
    fn send(&mut self, cx: &mut Context<'_>, now: Moment, bytes: &[u8]) -> Result<(), Close> {
        let rest = self.write(cx, now, bytes).map_err(without_blocked)?;
        if !rest.is_empty() {
            self.unsent = Unsent::from(rest);
            self.session.blocked(now, &self.transport.evidence());
        }
        Ok(())
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Progress {
        if self.unsent.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let mut unsent = std::mem::take(&mut self.unsent);
        let rest = self.write(cx, self.now(), unsent.rest())?.len();
        if rest == 0 {
            return Poll::Ready(Ok(()));
        }
        unsent.keep_last(rest);
        self.unsent = unsent;
        Poll::Pending
    }

    /// Writes what the socket takes; returns the rest.
    fn write<'b>(
        &mut self,
        cx: &mut Context<'_>,
        now: Moment,
        mut bytes: &'b [u8],
    ) -> Result<&'b [u8], Close> {
        while !bytes.is_empty() {
            let write = Pin::new(&mut self.transport).poll_write(cx, bytes);
            let Poll::Ready(written) = write else {
                break;
            };
            bytes = &bytes[self.take_written(now, written)?..];
        }
        Ok(bytes)
    }

    fn take_written(&mut self, now: Moment, written: io::Result<usize>) -> Result<usize, Close> {
        let written = written.and_then(|bytes| match bytes {
            0 => Err(io::ErrorKind::WriteZero.into()),
            _ => Ok(bytes),
        });
        let written = written.map_err(write_failed)?;
        self.session.sent(now, written);
        Ok(written)
    }

    fn now(&self) -> Moment {
        self.event_loop.clock.now()
    }
}

impl<T> Drop for Connection<T> {
    fn drop(&mut self) {
        self.unset_timer();
        self.event_loop.slots.release(self.slot);
    }
}
