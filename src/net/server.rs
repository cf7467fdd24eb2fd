//! The server: binds, serves, changes, drains. It starts the event loops and tells them when it is over.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, anyhow, ensure};
use tokio::sync::{mpsc, oneshot};

use super::adoption;
use super::event_loop::{FrozenConnections, Phase, clock};
use super::handover::{Carried, Description, Header, Program, Question, leave, monotonic_ns};
use super::listen::{Admission, InheritedSockets, Listener, ListenerLost, Listeners};
use super::options::{ListenerOptions, ServerOptions};
use super::watchdog::Watchdog;
use super::worker::{Finished, Worker, unless_stuck, unless_stuck_for};
use crate::ops::{events, log_queue, logging, systemd};

/// What the operator wants of a running server.
#[derive(Debug)]
pub enum Command {
    /// Stop; said twice: stop at once.
    Stop,
    /// Become what these options say, wholly or not at all, and answer. The number of workers stays.
    Change(ServerOptions, oneshot::Sender<anyhow::Result<()>>),
    /// Log the totals now.
    Summary,
    /// Describe everything, so that another program can be asked whether it could go on with it.
    Describe(oneshot::Sender<anyhow::Result<Question>>),
    /// Let this program go on with everything, and answer why it could not. It never answers that it could.
    HandOver(Program, oneshot::Sender<anyhow::Error>),
    /// Leave everything with the service manager, for the program that it starts next, and answer whether that is done.
    Leave(oneshot::Sender<anyhow::Result<()>>),
}

/// How long event loops may take to stop where they are. Peers wait meanwhile, and so does the watchdog.
const FREEZING_SECONDS: u32 = 5;

/// Why a command is not answered.
pub const STOPPING: &str = "the server is stopping";

/// Gives a command and waits for its answer.
///
/// # Errors
/// Nobody answers any more: [`STOPPING`].
pub async fn ask<T>(
    commands: &mpsc::Sender<Command>,
    command: impl FnOnce(oneshot::Sender<T>) -> Command,
) -> anyhow::Result<T> {
    let (answer, answered) = oneshot::channel();
    let given = commands.send(command(answer)).await;
    ensure!(given.is_ok(), STOPPING);
    answered.await.context(STOPPING)
}

/// A server whose addresses are bound.
#[derive(Debug)]
pub struct Server {
    options: ServerOptions,
    listeners: Vec<Listener>,
    carried: Option<Carried>,
}

impl Server {
    /// Listens on every address, or on none: on the sockets that were passed to us, and on ones of our own.
    ///
    /// # Errors
    /// A [`super::BindError`] or a [`super::SocketMismatch`].
    pub fn bind(
        options: ServerOptions,
        mut inherited: InheritedSockets,
        mut carried: Option<Carried>,
    ) -> anyhow::Result<Server> {
        let passed = options.listeners.iter().map(|options| inherited.take(options));
        let passed = passed.collect::<Result<Vec<_>, _>>()?;
        inherited.finish()?; // before binding: a socket under a wrong name holds the very address
        let listeners = options.listeners.iter().zip(passed);
        let is_carried = carried.is_some();
        let listeners = listeners.filter_map(|(options, passed)| {
            let passed =
                passed.or_else(|| carried.as_mut().and_then(|carried| adoption::listener(carried, options)));
            match passed.map_or_else(|| Listener::bind(options), Ok) {
                Err(error) if is_carried => {
                    // The connections of the program before go on all the same.
                    events::listener_missing(&error.listener, error.address, &error.cause);
                    None
                }
                bound => Some(bound),
            }
        });
        let listeners = listeners.collect::<Result<_, _>>()?;
        Ok(Server { options, listeners, carried })
    }

    /// Serves until told to stop, and until every connection has ended. Must run on a [`tokio::runtime::LocalRuntime`].
    ///
    /// # Errors
    /// The event loops could not be started, or one of them died, or a listener was lost.
    pub async fn run(self, mut commands: mpsc::Receiver<Command>) -> anyhow::Result<()> {
        let Server { options, listeners, carried } = self;
        let (workers, mut finished) = start_workers(options.workers)?;
        let first = workers.first().context("there is no event loop")?.runtime().clone();
        let before = carried.as_ref().map(|carried| adoption::totals(&carried.description.header));
        let before = before.unwrap_or_default();
        let admission = Arc::new(Admission::new(workers, options.max_connections, before));
        if let Some(carried) = carried {
            adoption::adopt(carried, &options.listeners, &admission);
        }
        let listeners =
            Listeners::start(listeners, Arc::clone(&admission), first).context("cannot accept")?;
        let summary_at = next_summary(&options);
        let watchdog = Watchdog::new(Arc::clone(&admission));
        let mut serving = Running { admission, listeners, options, watchdog, summary_at };
        systemd::ready();
        let served = tokio::select! {
            served = serving.until_stopped(&mut commands) => match served {
                Ok(End::Left) => return Ok(()),
                Ok(End::Stopped) => Ok(()),
                Err(lost) => Err(lost),
            },
            () = finished.any() => return Err(anyhow!("an event loop died")),
        };
        serving.drain(&mut commands, finished).await?;
        Ok(served?)
    }
}

fn start_workers(count: usize) -> anyhow::Result<(Vec<Worker>, Finished)> {
    let mut finished = Finished::default();
    let mut start = |index| {
        Worker::start(index, finished.expect_one())
            .with_context(|| format!("cannot start event loop {index} of {count}"))
    };
    let workers = (0..count).map(&mut start).collect::<anyhow::Result<_>>()?;
    Ok((workers, finished))
}

/// Does what is to be answered; `None`: nobody waits for the answer any more, and it was given up.
async fn unless_given_up<A, T>(answer: &mut oneshot::Sender<A>, done: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = done => Some(done),
        () = answer.closed() => None,
    }
}

/// How serving ends.
enum End {
    /// The connections are to end too.
    Stopped,
    /// They wait for the next program.
    Left,
}

/// A server at work.
struct Running {
    admission: Arc<Admission>,
    listeners: Listeners,
    options: ServerOptions,
    watchdog: Watchdog,
    summary_at: Option<Instant>,
}

impl Running {
    async fn until_stopped(&mut self, commands: &mut mpsc::Receiver<Command>) -> Result<End, ListenerLost> {
        loop {
            let command = tokio::select! {
                command = commands.recv() => command,
                () = clock::sleep_until_some(self.summary_at) => {
                    events::summary(&self.admission.totals());
                    self.summary_at = next_summary(&self.options);
                    continue;
                }
                () = self.watchdog.check() => continue,
                lost = self.listeners.lost() => {
                    events::listener_lost(&lost.listener, lost.address, &lost.cause);
                    return Err(lost);
                }
            };
            match command {
                Some(Command::Change(options, answer)) => {
                    // Nobody waits for the answer only where everything ends.
                    let _ = answer.send(self.change(options).await);
                }
                Some(Command::Summary) => events::summary(&self.admission.totals()),
                Some(Command::Describe(mut answer)) => {
                    let described = unless_given_up(&mut answer, self.describe()).await;
                    self.go_on();
                    described.map(|described| answer.send(described));
                }
                Some(Command::HandOver(program, mut answer)) => {
                    let failed = unless_given_up(&mut answer, self.hand_over(&program)).await;
                    self.go_on();
                    failed.map(|error| answer.send(error));
                }
                Some(Command::Leave(mut answer)) => {
                    let left = unless_given_up(&mut answer, self.leave()).await;
                    let is_over = matches!(left, Some(Ok(())));
                    if !is_over {
                        self.go_on();
                    }
                    left.map(|left| answer.send(left));
                    if is_over {
                        return Ok(End::Left);
                    }
                }
                Some(Command::Stop) | None => return Ok(End::Stopped),
            }
        }
    }

    /// Leaves everything where the next program finds it. May be given up; then, as where it fails, [`Running::go_on`] follows.
    async fn leave(&mut self) -> anyhow::Result<()> {
        let began_at = clock::now();
        let (description, kept) = self.freeze().await?;
        let connections = description.header.connections;
        leave(description, &kept).await?;
        events::left(connections, clock::now().saturating_duration_since(began_at));
        Ok(())
    }

    /// All that is served, as it is now. As [`Running::hand_over`] it may be given up, and [`Running::go_on`] follows: everything
    /// stands still for it.
    async fn describe(&mut self) -> anyhow::Result<Question> {
        let (description, _) = self.freeze().await?;
        Ok(Question::about(&description)?)
    }

    /// Becomes `program`, which goes on with everything. Returns only where that fails. May be given up; in both cases
    /// [`Running::go_on`] follows.
    async fn hand_over(&mut self, program: &Program) -> anyhow::Error {
        let began_at = clock::now();
        match self.freeze().await {
            Ok((description, kept)) => {
                let connections = description.header.connections;
                events::handover(connections, clock::now().saturating_duration_since(began_at));
                logging::flush();
                program.become_it(&description, &kept)
            }
            Err(error) => error,
        }
    }

    /// Stops everything where it is, and puts it into words; and the descriptors that they speak of.
    async fn freeze(&mut self) -> anyhow::Result<(Description, Vec<RawFd>)> {
        let frozen = unless_stuck_for(FREEZING_SECONDS, self.freeze_all()).await;
        frozen.context("an event loop does not turn")?
    }

    async fn freeze_all(&mut self) -> anyhow::Result<(Description, Vec<RawFd>)> {
        self.listeners.pause().await;
        let mut header = Header::new(monotonic_ns());
        header.listeners = self.listeners.carried();
        let mut kept: Vec<_> = header.listeners.iter().map(|listener| listener.descriptor).collect();
        let mut connections = Vec::new();
        let frozen: Vec<_> = self.admission.workers().iter().map(Worker::freeze).collect();
        for words in frozen {
            let FrozenConnections { descriptors, text } = words.await.context("an event loop has ended")?;
            header.connections += descriptors.len() as u64;
            kept.extend(descriptors);
            connections.push(text);
        }
        let totals = self.admission.totals();
        header.accepted = totals.accepted;
        header.refused = totals.refused;
        header.closed = totals.named().map(|(reason, count)| (reason.to_owned(), count)).collect();
        header.null_connections = totals.null_connections;
        header.null_lost = totals.null_lost;
        header.null_only_counted = totals.null_only_counted;
        header.log_lost = log_queue::lost();
        Ok((Description { header, connections }, kept))
    }

    /// The end of [`Running::freeze`].
    fn go_on(&mut self) {
        self.admission.workers().iter().for_each(|worker| worker.enter(Phase::Serving));
        self.listeners.resume();
    }

    async fn change(&mut self, wanted: ServerOptions) -> anyhow::Result<()> {
        self.listeners.change(&wanted.listeners).await?;
        self.admission.set_max_connections(wanted.max_connections);
        wanted.listeners.iter().for_each(|listener| self.change_connections(listener));
        if wanted.summary_interval != self.options.summary_interval {
            self.summary_at = next_summary(&wanted);
        }
        self.options = ServerOptions { workers: self.options.workers, ..wanted };
        self.watchdog.note_reload();
        Ok(())
    }

    /// Open connections of that name follow it.
    fn change_connections(&self, listener: &ListenerOptions) {
        let listener = Arc::new(listener.clone());
        self.admission.workers().iter().for_each(|worker| worker.change(Arc::clone(&listener)));
    }

    /// Lets the connections finish, for as long as the grace and the operator's patience last.
    async fn drain(
        self,
        commands: &mut mpsc::Receiver<Command>,
        mut finished: Finished,
    ) -> anyhow::Result<()> {
        let Running { admission, listeners, options, mut watchdog, .. } = self;
        systemd::stopping(options.shutdown_grace);
        listeners.stop().await; // first: an event loop that has ended can be given no connection
        events::drain(admission.open(), options.shutdown_grace);
        let enter = |phase| admission.workers().iter().for_each(|worker| worker.enter(phase));
        enter(Phase::Draining);
        tokio::select! {
            () = finished.all() => {}
            () = tokio::time::sleep(options.shutdown_grace) => {}
            () = stop_wanted(commands, &admission) => {}
            () = async { loop { watchdog.check().await } } => {}
        }
        enter(Phase::Ending);
        let ended = unless_stuck(finished.all()).await;
        let totals = admission.totals();
        events::summary(&totals);
        ended.context("an event loop does not turn: its connections end unheard")?;
        events::stopped(&totals);
        Ok(())
    }
}

fn next_summary(options: &ServerOptions) -> Option<Instant> {
    options.summary_interval.map(|interval| clock::now() + interval)
}

/// Waits for the second command to stop; changes are not worth making any more.
async fn stop_wanted(commands: &mut mpsc::Receiver<Command>, admission: &Admission) {
    loop {
        match commands.recv().await {
            Some(Command::Change(..) | Command::Describe(_) | Command::HandOver(..) | Command::Leave(_)) => {}
            Some(Command::Summary) => events::summary(&admission.totals()),
            Some(Command::Stop) | None => return,
        }
    }
}
