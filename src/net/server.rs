//! The server: binds, serves, drains. It starts the event loops and tells them when it is over.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::acceptor;
use super::event_loop::Phase;
use super::intake::Intake;
use super::listener::{BindError, Listener};
use super::options::ServerOptions;
use super::worker::Worker;
use crate::ops::events;

/// What the operator wants of a running server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Stop; said twice: stop at once.
    Stop,
    /// Take up a new configuration.
    Reload,
}

/// A server whose addresses are bound.
#[derive(Debug)]
pub struct Server {
    options: ServerOptions,
    listeners: Vec<Listener>,
}

impl Server {
    /// Binds every address, or none.
    ///
    /// # Errors
    /// The first address that could not be bound.
    pub fn bind(options: ServerOptions) -> Result<Server, BindError> {
        let listeners = options.listeners.iter().cloned().map(Listener::bind).collect::<Result<_, _>>()?;
        Ok(Server { options, listeners })
    }

    /// The bound listeners, with their real ports.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// Serves until told to stop, and until every connection has ended. Must run on a [`tokio::runtime::LocalRuntime`].
    ///
    /// # Errors
    /// The event loops could not be started, or one of them died.
    pub async fn run(self, mut commands: mpsc::Receiver<Command>) -> anyhow::Result<()> {
        let (workers, finished) = start_workers(self.options.workers)?;
        let intake = Rc::new(Intake::new(workers, self.options.max_connections));
        let mut finished = Finished(finished);
        let summaries = summarise(Rc::clone(&intake), self.options.summary_interval);
        let acceptors = start_accepting(self.listeners, &intake)?;
        tokio::select! {
            () = stop_wanted(&mut commands) => {}
            () = finished.any() => return Err(anyhow!("an event loop died")),
            never = summaries => match never {},
        }
        drop(acceptors); // and with them the listening sockets
        drain(&intake, self.options.shutdown_grace, &mut commands, &mut finished).await;
        let totals = intake.totals();
        events::summary(&totals);
        events::stopped(&totals);
        Ok(())
    }
}

fn start_workers(count: usize) -> anyhow::Result<(Vec<Worker>, Vec<oneshot::Receiver<()>>)> {
    let start = |index| {
        let (sender, finished) = oneshot::channel();
        Worker::start(index, sender)
            .map(|worker| (worker, finished))
            .with_context(|| format!("cannot start event loop {index} of {count}"))
    };
    (0..count).map(start).collect()
}

fn start_accepting(listeners: Vec<Listener>, intake: &Rc<Intake>) -> anyhow::Result<JoinSet<()>> {
    let mut acceptors = JoinSet::new();
    for listener in listeners {
        let (options, address) = (listener.options().clone(), listener.address());
        let accepting = listener.into_accepting().context("cannot watch a listening socket")?;
        events::listening(&options.name, options.protocol, address);
        acceptors.spawn_local(acceptor::accept_all(accepting, Rc::clone(intake)));
    }
    Ok(acceptors)
}

async fn summarise(intake: Rc<Intake>, interval: Option<Duration>) -> Infallible {
    let Some(interval) = interval else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(interval).await;
        events::summary(&intake.totals());
    }
}

async fn stop_wanted(commands: &mut mpsc::Receiver<Command>) {
    while let Some(Command::Reload) = commands.recv().await {
        events::reload_failed("reload is not there yet; nothing changed");
    }
}

/// Lets the connections finish, for as long as `grace` and the operator's patience last.
async fn drain(
    intake: &Intake,
    grace: Duration,
    commands: &mut mpsc::Receiver<Command>,
    finished: &mut Finished,
) {
    events::drain(intake.open(), grace);
    intake.workers().iter().for_each(|worker| worker.enter(Phase::Draining));
    tokio::select! {
        () = finished.all() => return,
        () = tokio::time::sleep(grace) => {}
        () = stop_wanted(commands) => {}
    }
    intake.workers().iter().for_each(|worker| worker.enter(Phase::Ending));
    finished.all().await;
}

/// The event loops' ends.
struct Finished(Vec<oneshot::Receiver<()>>);

impl Finished {
    async fn any(&mut self) {
        std::future::poll_fn(|cx| {
            let ended =
                |finished: &mut oneshot::Receiver<()>| std::pin::Pin::new(finished).poll(cx).is_ready();
            match self.0.iter_mut().any(ended) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
    }

    async fn all(&mut self) {
        while let Some(finished) = self.0.last_mut() {
            let _ = finished.await; // dropped, never sent: that is the news
            self.0.pop();
        }
    }
}
