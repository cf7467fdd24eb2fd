//! One event loop in its own thread, and the connections it serves.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, oneshot};

use super::connection::{Connection, ConnectionState, Ended};
use super::counters::Counters;
use super::event_loop::{EventLoop, FrozenConnections, Phase};
use super::handover::CarriedConnection;
use super::options::ListenerOptions;
use crate::core::{Close, CloseReason, Evidence, Implausible, Report};
use crate::ops::events::{self, Identity, Remains};
use crate::ops::process_state;
use crate::tcp;

/// Connections that may open before those that are open run.
const OPENED_PER_YIELD: u64 = 32;

/// The handle of an event loop.
#[derive(Debug)]
pub struct Worker {
    index: usize,
    runtime: Handle,
    commands: mpsc::UnboundedSender<Command>,
    counters: Arc<Counters>,
}

/// A new connection.
#[derive(Debug)]
pub struct Accepted {
    /// Its number, unique in the process: 1, 2, …
    pub conn: u64,
    /// Non-blocking, and not registered in any event loop yet.
    pub socket: std::net::TcpStream,
    /// The far end.
    pub peer: SocketAddr,
    /// How it is served.
    pub listener: Arc<ListenerOptions>,
}

/// A connection of the program before.
#[derive(Debug)]
pub struct Adopted {
    /// As it was accepted.
    pub connection: Accepted,
    /// All that it knows.
    pub state: ConnectionState,
    /// In which nobody served it.
    pub pause: Duration,
}

#[derive(Debug)]
enum Command {
    Serve(Accepted),
    Adopt(Box<Adopted>),
    /// Let the connections do nothing more, and answer with what they say of themselves.
    Freeze(oneshot::Sender<FrozenConnections>),
    Enter(Phase),
    Change(Arc<ListenerOptions>),
    /// Show the watchdog that the event loop turns.
    Answer,
}

impl Worker {
    /// Starts an event loop. `finished` is dropped when it has ended: after [`Phase::Draining`] or [`Phase::Ending`],
    /// once its last connection is closed.
    ///
    /// # Errors
    /// The system has no thread or no epoll instance left.
    pub fn start(index: usize, finished: oneshot::Sender<()>) -> io::Result<Worker> {
        let (commands, inbox) = mpsc::unbounded_channel();
        let counters = Arc::new(Counters::default());
        let (ready, readiness) = std::sync::mpsc::sync_channel(1);
        let its_counters = Arc::clone(&counters);
        thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            process_state::leave_signals_to_main_thread();
            let _finished = finished;
            let runtime = match event_loop_runtime() {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(error))),
            };
            if ready.send(Ok(runtime.handle().clone())).is_ok() {
                runtime.block_on(serve(index, inbox, its_counters));
            }
        })?;
        let started = readiness.recv().map_err(io::Error::other)?;
        started.map(|runtime| Worker { index, runtime, commands, counters })
    }

    /// Which one it is: 0, 1, …
    pub fn index(&self) -> usize {
        self.index
    }

    /// What tasks can be started in its event loop with, from other threads too.
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Gives it a connection.
    pub fn serve(&self, accepted: Accepted) {
        self.counters.assign();
        self.command(Command::Serve(accepted));
    }

    /// Gives it a connection of the program before.
    pub fn adopt(&self, adopted: Adopted) {
        self.counters.assign();
        self.command(Command::Adopt(Box::new(adopted)));
    }

    /// Counts one that could not be adopted.
    pub fn lose(&self, identity: &Identity<'_>, cause: &'static str, report: Option<&Report>) {
        self.counters.assign();
        record(identity, &lost(cause), report, &self.counters);
    }

    /// Counts one of which only so much is known; with a record, or without.
    pub fn lose_damaged(&self, remains: Option<&Remains<'_>>, cause: &'static str) {
        self.counters.assign();
        remains.into_iter().for_each(|remains| events::close_damaged(remains, &lost(cause)));
        self.counters.close(CloseReason::HandoverLost);
    }

    /// Stops its connections where they are, and tells what they say of themselves. [`Phase::Serving`] lets them go on.
    pub fn freeze(&self) -> oneshot::Receiver<FrozenConnections> {
        let (answer, words) = oneshot::channel();
        self.command(Command::Freeze(answer));
        words
    }

    /// Tells all its connections what to do.
    pub fn enter(&self, phase: Phase) {
        self.command(Command::Enter(phase));
    }

    /// Tells it the new settings of a listener.
    pub fn change(&self, options: Arc<ListenerOptions>) {
        self.command(Command::Change(options));
    }

    /// Asks it to show that it turns, by a [`Counters::answer`].
    pub fn ask_for_answer(&self) {
        self.command(Command::Answer);
    }

    /// Whether its event loop is over, as in a stop once its last connection is closed.
    pub fn has_ended(&self) -> bool {
        self.commands.is_closed()
    }

    /// Its counters.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// A worker takes commands until it has ended, and it ends only when told to: what it no longer hears is moot.
    fn command(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}

/// The ends of the event loops.
#[derive(Debug, Default)]
pub struct Finished(Vec<oneshot::Receiver<()>>);

impl Finished {
    /// One more to wait for: what is returned is dropped at its end.
    pub fn expect_one(&mut self) -> oneshot::Sender<()> {
        let (sender, receiver) = oneshot::channel();
        self.0.push(receiver);
        sender
    }

    /// Waits for the first.
    pub async fn any(&mut self) {
        poll_fn(|cx| {
            let mut polls = self.0.iter_mut().map(|finished| Pin::new(finished).poll(cx));
            match polls.any(|poll| poll.is_ready()) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Waits for all.
    pub async fn all(&mut self) {
        while let Some(finished) = self.0.last_mut() {
            let _ = finished.await; // dropped, never sent: that is the news
            self.0.pop();
        }
    }
}

/// Waits for what event loops were told to do, 10 seconds; `None`: one of them does not turn.
pub async fn unless_stuck<T>(done: impl Future<Output = T>) -> Option<T> {
    unless_stuck_for(10, done).await
}

/// The same within so many seconds. Many short waits: our own sleep uses up one of them only.
pub async fn unless_stuck_for<T>(seconds: u32, done: impl Future<Output = T>) -> Option<T> {
    let mut done = std::pin::pin!(done);
    for _ in 0..seconds {
        if let Ok(done) = tokio::time::timeout(Duration::from_secs(1), &mut done).await {
            return Some(done);
        }
    }
    None
}

/// The runtime of an event loop: single-threaded, so its tasks need no locks.
fn event_loop_runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
}

async fn serve(index: usize, inbox: mpsc::UnboundedReceiver<Command>, counters: Arc<Counters>) {
    let event_loop = EventLoop::start(counters);
    tokio::task::spawn_local(Rc::clone(&event_loop.stalls).watch(index));
    // In a task like the others: before the runtime polls this future here it looks at its sockets once more.
    let commands = tokio::task::spawn_local(take_commands(inbox, Rc::clone(&event_loop)));
    if let Err(panicked) = commands.await {
        resume_unwind(panicked.into_panic()); // it is cancelled by nobody
    }
    event_loop.stalls.tell(index, true);
}

async fn take_commands(mut inbox: mpsc::UnboundedReceiver<Command>, event_loop: Rc<EventLoop>) {
    let mut new: u64 = 0;
    loop {
        tokio::select! {
            biased;
            command = inbox.recv() => match command {
                Some(Command::Serve(accepted)) => {
                    open(accepted, &event_loop);
                    new += 1;
                    if new.is_multiple_of(OPENED_PER_YIELD) {
                        tokio::task::yield_now().await;
                    }
                }
                Some(Command::Adopt(adopted)) => adopt(*adopted, &event_loop),
                Some(Command::Freeze(answer)) if answer.is_closed() => {} // who asked gave up
                Some(Command::Freeze(mut answer)) => {
                    event_loop.frozen.begin();
                    event_loop.enter(Phase::Frozen);
                    tokio::select! {
                        biased;
                        all = event_loop.frozen.all(&event_loop.slots) => drop(answer.send(all)),
                        () = answer.closed() => {}
                    }
                }
                Some(Command::Enter(phase)) => event_loop.enter(phase),
                Some(Command::Change(options)) => event_loop.change(&options),
                Some(Command::Answer) => event_loop.counters.answer(),
                None => return,
            },
            () = event_loop.slots.emptied(), if event_loop.is_ending() => return,
        }
    }
}

fn open(accepted: Accepted, event_loop: &Rc<EventLoop>) {
    let Accepted { conn, socket, peer, listener } = accepted;
    match TcpStream::from_std(socket) {
        Ok(stream) => {
            let event_loop = Rc::clone(event_loop);
            let connection = Connection::new(stream, conn, peer, &listener, event_loop, fastrand::u8(..));
            if connection.is_introduced() {
                events::open(|| connection.identity());
            }
            tokio::task::spawn_local(attend(connection));
        }
        Err(error) => {
            // The socket is gone.
            let identity = Identity { conn, listener: &listener.name, peer, proxy: None, local: None };
            record(&identity, &tcp::close_of(&error, None), None, &event_loop.counters);
        }
    }
}

fn adopt(adopted: Adopted, event_loop: &Rc<EventLoop>) {
    let Adopted { connection, state, pause } = adopted;
    let Accepted { conn, socket, peer, listener } = connection;
    let proxy = state.proxy();
    let identity = |local| Identity { conn, listener: &listener.name, peer, proxy, local };
    let stream = match TcpStream::from_std(socket) {
        Ok(stream) => stream,
        Err(error) => {
            let (close, report) = (tcp::close_of(&error, None), state.report(pause, &Evidence::default()));
            return record(&identity(None), &close, report.as_ref(), &event_loop.counters);
        }
    };
    match Connection::restore(stream, conn, peer, &listener, Rc::clone(event_loop), &state, pause) {
        Ok(connection) => drop(tokio::task::spawn_local(attend(connection))),
        Err((stream, Implausible(cause))) => {
            let local = stream.local_addr().ok().map(tcp::canonical);
            let report = state.report(pause, &tcp::evidence(&stream));
            record(&identity(local), &lost(cause), report.as_ref(), &event_loop.counters);
        }
    }
}

fn lost(cause: &'static str) -> Close {
    Close::from(CloseReason::HandoverLost).because(cause)
}

/// A connection's whole life. What it keeps is memory per connection: the record's other words are asked for at the end, and an
/// async block would keep a connection and a borrow of it.
fn attend(mut connection: Connection<TcpStream>) -> impl Future<Output = ()> {
    poll_fn(move |cx| {
        if connection.event_loop().phase() == Phase::Frozen {
            say(&mut connection, cx);
            return Poll::Pending;
        }
        let Ended { close, report } = ready!(Pin::new(&mut connection).poll(cx));
        record(&connection.identity(), &close, Some(&report), &connection.event_loop().counters);
        Poll::Ready(())
    })
}

/// What another program needs to know of it.
fn say(connection: &mut Connection<TcpStream>, cx: &Context<'_>) {
    let state = connection.snapshot(cx);
    let descriptor = connection.transport().as_raw_fd();
    let said = CarriedConnection {
        conn: connection.conn(),
        peer: connection.peer(),
        listener: connection.listener().to_owned(),
        descriptor,
        state,
    };
    connection.event_loop().frozen.take_down(connection.slot(), descriptor, |text| said.write(text));
}

/// The one place where a connection's end is counted and logged.
fn record(identity: &Identity<'_>, close: &Close, report: Option<&Report>, counters: &Counters) {
    let is_told = events::close(identity, close, report);
    if report.is_some_and(|report| report.is_null(close.reason)) {
        counters.note_null(close.reason, is_told);
    }
    counters.close(close.reason);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With 104 bytes of tokio's own this fills a task of 384 bytes; they come in steps of 128. A debug build's sockets know more.
    const BUDGET: usize = if cfg!(debug_assertions) { 288 } else { 280 };

    fn future_size<A, F>(_: fn(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_connection_stays_within_its_memory_budget() {
        let size = future_size(attend);
        assert!(size <= BUDGET, "the connection's task has grown to {size} bytes");
    }
}
