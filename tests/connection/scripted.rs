//! A peer under the test's control, and the connection that serves it. Times are milliseconds since it was opened.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::outcome::Outcome;
use pulse_echo::core::{Deadlines, Evidence, Heartbeat, Implausible, Jitter, Protocol, Timing};
use pulse_echo::net::{Connection, ConnectionState, EventLoop, ListenerOptions, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The built-in defaults.
pub const DEFAULTS: Timing = Timing {
    deadlines: Deadlines {
        read: Some(Duration::from_secs(60)),
        write: Some(Duration::from_secs(10)),
        lifetime: None,
    },
    heartbeat: Some(Heartbeat {
        interval: Duration::from_secs(15),
        timeout: Duration::from_secs(5),
        max_missed: 3,
    }),
};

/// Nothing limits the connection.
pub const UNLIMITED: Timing =
    Timing { deadlines: Deadlines { read: None, write: None, lifetime: None }, heartbeat: None };

/// No test lasts longer in virtual time; what has not ended by then never will.
const NEVER: Duration = Duration::from_secs(3 * 365 * 24 * 60 * 60);

/// The far end, for records.
const PEER: ([u8; 4], u16) = ([192, 0, 2, 1], 40_000);

/// A connection being served.
pub struct Link {
    pub peer: Peer,
    pub event_loop: Rc<EventLoop>,
    protocol: Protocol,
    opened_at: Instant,
    task: JoinHandle<Outcome>,
}

impl Link {
    /// A line connection without jitter, alone on its event loop.
    pub fn line(timing: Timing) -> Link {
        Link::open(&EventLoop::start(Arc::default()), Protocol::Line, timing, 0)
    }

    /// A raw connection, alone on its event loop.
    pub fn raw(timing: Timing) -> Link {
        Link::open(&EventLoop::start(Arc::default()), Protocol::Raw, timing, 0)
    }

    /// A line connection that a proxy is to introduce.
    pub fn behind_proxy(timing: Timing) -> Link {
        let options = ListenerOptions { requires_proxy_header: true, ..options(Protocol::Line, timing) };
        Link::with_options(&EventLoop::start(Arc::default()), &options, 0)
    }

    /// A connection on the given event loop.
    pub fn open(event_loop: &Rc<EventLoop>, protocol: Protocol, timing: Timing, jitter: Jitter) -> Link {
        Link::with_options(event_loop, &options(protocol, timing), jitter)
    }

    fn with_options(event_loop: &Rc<EventLoop>, options: &ListenerOptions, jitter: Jitter) -> Link {
        let opened_at = Instant::now();
        let peer = Peer(Rc::new(RefCell::new(State::new(opened_at))));
        let wire = Wire(Rc::clone(&peer.0));
        let task = serve_with(wire, event_loop, options, jitter);
        Link { peer, event_loop: Rc::clone(event_loop), protocol: options.protocol, opened_at, task }
    }

    /// A connection of the program before, alone on its event loop.
    ///
    /// # Errors
    /// It cannot be gone on with.
    pub fn adopt(state: &ConnectionState, protocol: Protocol, timing: Timing) -> Result<Link, Implausible> {
        let (event_loop, opened_at) = (EventLoop::start(Arc::default()), Instant::now());
        let peer = Peer(Rc::new(RefCell::new(State::new(opened_at))));
        let (wire, pause) = (Wire(Rc::clone(&peer.0)), Duration::from_millis(30));
        let options = options(protocol, timing);
        let restored =
            Connection::restore(wire, 1, PEER.into(), &options, Rc::clone(&event_loop), state, pause);
        let connection = restored.map_err(|(_, why)| why)?;
        Ok(Link { peer, event_loop, protocol, opened_at, task: attend(connection, opened_at) })
    }

    /// Its listener gets other settings.
    pub fn reload(&self, timing: Timing) {
        self.event_loop.change(&options(self.protocol, timing));
    }

    /// Lets the time pass until then.
    pub async fn reach(&self, at: u64) {
        let at = self.opened_at + Duration::from_millis(at);
        assert!(at > Instant::now(), "that time has passed already");
        tokio::time::sleep_until(at).await;
    }

    /// The process is stopped until then: no timer fires meanwhile.
    pub async fn sleep_until(&self, at: u64) {
        let at = self.opened_at + Duration::from_millis(at);
        tokio::time::advance(at - Instant::now()).await;
    }

    /// Lets everything happen that can happen without time passing.
    pub async fn settle(&self) {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    }

    /// Its task is dropped as it stands.
    pub fn stop_serving(&self) {
        self.task.abort();
    }

    pub fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    pub async fn ended(&mut self) -> Outcome {
        end_of(&mut self.task).await
    }
}

/// Serves any stream as a task of its own, so that only its own wake-ups drive it.
pub fn serve<T: Transport + 'static>(
    stream: T,
    event_loop: &Rc<EventLoop>,
    protocol: Protocol,
    timing: Timing,
    jitter: Jitter,
) -> JoinHandle<Outcome> {
    serve_with(stream, event_loop, &options(protocol, timing), jitter)
}

fn serve_with<T: Transport + 'static>(
    stream: T,
    event_loop: &Rc<EventLoop>,
    options: &ListenerOptions,
    jitter: Jitter,
) -> JoinHandle<Outcome> {
    let opened_at = Instant::now();
    let connection = Connection::new(stream, 1, PEER.into(), options, Rc::clone(event_loop), jitter);
    attend(connection, opened_at)
}

fn attend<T: Transport + 'static>(connection: Connection<T>, opened_at: Instant) -> JoinHandle<Outcome> {
    tokio::task::spawn_local(async move {
        let ended = connection.await;
        let at = milliseconds(opened_at.elapsed());
        Outcome { at, close: ended.close, report: ended.report }
    })
}

fn options(protocol: Protocol, timing: Timing) -> ListenerOptions {
    ListenerOptions {
        name: "test".into(),
        address: ([127, 0, 0, 1], 0).into(),
        protocol,
        requires_proxy_header: false,
        timing,
    }
}

pub async fn end_of(task: &mut JoinHandle<Outcome>) -> Outcome {
    match tokio::time::timeout(NEVER, task).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => panic!("the task broke: {error}"),
        Err(_) => panic!("the connection never ended"),
    }
}

pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The far end of a [`Wire`].
pub struct Peer(Rc<RefCell<State>>);

/// A stream of which the test decides what it brings, takes and tells.
struct Wire(Rc<RefCell<State>>);

struct State {
    opened_at: Instant,
    /// What poll_read brings.
    arrivals: VecDeque<Arrival>,
    /// What has arrived as well, but the runtime has not noticed yet: only read_now brings it.
    unnoticed: VecDeque<Arrival>,
    /// How much poll_write takes.
    room: usize,
    /// How much more write_now takes.
    unnoticed_room: usize,
    refusal: Option<i32>,
    acknowledged: Option<u64>,
    evidence: Evidence,
    heard: Vec<(u64, String)>,
    aborted: bool,
    keepalives: Vec<Option<Heartbeat>>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

enum Arrival {
    Bytes(VecDeque<u8>),
    /// So many lines, one a read.
    Flood(usize),
    Fin,
    Failure(i32),
    Panic,
}

impl Peer {
    pub fn sends(&self, bytes: impl AsRef<[u8]>) {
        self.arrives(Arrival::Bytes(bytes.as_ref().iter().copied().collect()));
    }

    /// Sends without a pause, more than any test will read.
    pub fn floods(&self) {
        self.arrives(Arrival::Flood(10_000_000));
    }

    pub fn still_floods(&self) -> bool {
        self.0.borrow().arrivals.iter().any(|arrival| matches!(arrival, Arrival::Flood(1..)))
    }

    pub fn sends_fin(&self) {
        self.arrives(Arrival::Fin);
    }

    /// The next read fails. The kernel tells an error once; after it a read finds the end of the stream.
    pub fn fails(&self, errno: i32) {
        self.arrives(Arrival::Failure(errno));
    }

    pub fn makes_the_server_panic(&self) {
        self.arrives(Arrival::Panic);
    }

    fn arrives(&self, arrival: Arrival) {
        let mut state = self.0.borrow_mut();
        state.arrivals.push_back(arrival);
        state.reader.take().into_iter().for_each(Waker::wake);
    }

    /// The bytes arrive, but the runtime does not notice before the clock is asked.
    pub fn sends_unnoticed(&self, bytes: impl AsRef<[u8]>) {
        let bytes = Arrival::Bytes(bytes.as_ref().iter().copied().collect());
        self.0.borrow_mut().unnoticed.push_back(bytes);
    }

    pub fn sends_fin_unnoticed(&self) {
        self.0.borrow_mut().unnoticed.push_back(Arrival::Fin);
    }

    pub fn fails_unnoticed(&self, errno: i32) {
        self.0.borrow_mut().unnoticed.push_back(Arrival::Failure(errno));
    }

    /// From now on it takes nothing.
    pub fn stops_reading(&self) {
        self.0.borrow_mut().room = 0;
    }

    /// It takes so many bytes more.
    pub fn takes(&self, bytes: usize) {
        let mut state = self.0.borrow_mut();
        state.room = state.room.saturating_add(bytes);
        state.writer.take().into_iter().for_each(Waker::wake);
    }

    pub fn takes_everything(&self) {
        self.takes(usize::MAX);
    }

    /// There is room, but the runtime does not notice.
    pub fn takes_unnoticed(&self, bytes: usize) {
        self.0.borrow_mut().unnoticed_room += bytes;
    }

    /// Every write fails from now on, a FIN too.
    pub fn refuses(&self, errno: i32) {
        let mut state = self.0.borrow_mut();
        state.refusal = Some(errno);
        state.writer.take().into_iter().for_each(Waker::wake);
    }

    /// Its TCP has acknowledged so many bytes in all.
    pub fn has_acknowledged(&self, bytes: u64) {
        self.0.borrow_mut().acknowledged = Some(bytes);
    }

    /// What the kernel will say of the connection.
    pub fn looks_like(&self, evidence: Evidence) {
        self.0.borrow_mut().evidence = evidence;
    }

    /// What it was sent and when; what came at one time stands together, a FIN as `<FIN>`.
    #[track_caller]
    pub fn heard(&self, expected: &[(u64, &str)]) {
        let state = self.0.borrow();
        let heard: Vec<(u64, &str)> = state.heard.iter().map(|(at, text)| (*at, text.as_str())).collect();
        assert_eq!(heard, expected);
    }

    /// All it was sent.
    pub fn heard_text(&self) -> String {
        self.0.borrow().heard.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Bytes it sent that the server has not read.
    pub fn unread_bytes(&self) -> usize {
        let length = |arrival: &Arrival| if let Arrival::Bytes(bytes) = arrival { bytes.len() } else { 0 };
        self.0.borrow().arrivals.iter().map(length).sum()
    }

    /// The heartbeats that the kernel was told of since the connection was opened.
    pub fn new_keepalives(&self) -> Vec<Option<Heartbeat>> {
        self.0.borrow().keepalives.clone()
    }

    /// It was told by RST.
    pub fn was_aborted(&self) -> bool {
        self.0.borrow().aborted
    }
}

impl State {
    fn new(opened_at: Instant) -> State {
        State {
            opened_at,
            arrivals: VecDeque::new(),
            unnoticed: VecDeque::new(),
            room: usize::MAX,
            unnoticed_room: 0,
            refusal: None,
            acknowledged: None,
            evidence: Evidence::default(),
            heard: Vec::new(),
            aborted: false,
            keepalives: Vec::new(),
            reader: None,
            writer: None,
        }
    }

    fn hear(&mut self, text: &[u8]) {
        let now = milliseconds(self.opened_at.elapsed());
        let text = String::from_utf8_lossy(text);
        match self.heard.last_mut() {
            Some((at, heard)) if *at == now => heard.push_str(&text),
            _ => self.heard.push((now, text.into_owned())),
        }
    }

    fn read(&mut self, buffer: &mut ReadBuf<'_>) -> Option<io::Result<()>> {
        match self.arrivals.front_mut()? {
            Arrival::Bytes(bytes) => {
                let length = bytes.len().min(buffer.remaining());
                bytes.drain(..length).for_each(|byte| buffer.put_slice(&[byte]));
                if bytes.is_empty() {
                    self.arrivals.pop_front();
                }
            }
            Arrival::Flood(0) => return None,
            Arrival::Flood(left) => {
                *left -= 1;
                buffer.put_slice(b"flood\n");
            }
            Arrival::Fin => {}
            Arrival::Failure(errno) => {
                let error = io::Error::from_raw_os_error(*errno);
                self.arrivals[0] = Arrival::Fin;
                return Some(Err(error));
            }
            Arrival::Panic => panic!("on purpose"),
        }
        Some(Ok(()))
    }

    fn write(&mut self, bytes: &[u8]) -> Option<io::Result<usize>> {
        if let Some(errno) = self.refusal {
            return Some(Err(io::Error::from_raw_os_error(errno)));
        }
        let length = bytes.len().min(self.room);
        if length == 0 {
            return None;
        }
        self.room -= length;
        self.hear(&bytes[..length]);
        Some(Ok(length))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.borrow_mut();
        match state.read(buffer) {
            Some(read) => Poll::Ready(read),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.borrow_mut();
        match state.write(bytes) {
            Some(written) => Poll::Ready(written),
            None => {
                state.writer = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.borrow_mut();
        if let Some(errno) = state.refusal {
            return Poll::Ready(Err(io::Error::from_raw_os_error(errno)));
        }
        state.hear(b"<FIN>");
        Poll::Ready(Ok(()))
    }
}

/// Like those of a socket, these looks leave no waker behind. Bytes that arrive are announced sooner or later; room
/// need not be: the kernel announces it when a good part of the send buffer is free, but takes bytes into less.
impl Transport for Wire {
    fn read_now(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.borrow_mut();
        let unnoticed = std::mem::take(&mut state.unnoticed);
        state.arrivals.extend(unnoticed);
        let mut buffer = ReadBuf::new(buffer);
        let read = state.read(&mut buffer);
        if !state.arrivals.is_empty() {
            state.reader.take().into_iter().for_each(Waker::wake); // the runtime notices what is left
        }
        read.map_or(Poll::Pending, |read| Poll::Ready(read.map(|()| buffer.filled().len())))
    }

    fn write_now(&mut self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.borrow_mut();
        state.room = state.room.saturating_add(std::mem::take(&mut state.unnoticed_room));
        state.write(bytes).map_or(Poll::Pending, Poll::Ready)
    }

    fn evidence(&self) -> Evidence {
        let state = self.0.borrow();
        Evidence { acknowledged_bytes: state.acknowledged, ..state.evidence }
    }

    fn set_keepalive(&self, _: Protocol, heartbeat: Option<Heartbeat>) {
        self.0.borrow_mut().keepalives.push(heartbeat);
    }

    fn abort_on_close(&self) {
        self.0.borrow_mut().aborted = true;
    }
}
