//! `serve`: joins configuration, log, signals, service manager and server.

use std::borrow::Cow;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;
use std::thread::available_parallelism;

use anyhow::{Context as _, anyhow, ensure};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;

use crate::cli::Serve;
use crate::config::{self, Change, Config, Count, NullConnections, ProxyProtocol};
use crate::core::Timing;
use crate::limits;
use crate::net::{
    self, Carried, InheritedSockets, ListenerOptions, STOPPING, Server, ServerOptions, close_the_rest,
    take_stored,
};
use crate::ops::logging::Logging;
use crate::ops::signals::{self, Signals};
use crate::ops::{events, orphans, process_state, systemd};
use crate::settings::Reading;
use crate::upgrade::{Outcome, SERVING_ON, Upgrade};

/// Why nothing changes any more.
const RESTARTING: &str = "the service is about to restart";

/// Serves until told to stop. An error has been told in the log by then.
///
/// # Errors
/// See [`crate::exit_status::ExitStatus::of`] for what they mean.
pub fn serve(
    arguments: &Serve,
    config: Config,
    passed: Vec<(String, OwnedFd)>,
    carried: Option<anyhow::Result<Carried>>,
    logging: Logging,
) -> anyhow::Result<()> {
    let logging = Rc::new(logging);
    // Kept here too: the log ends with its last owner, and `fatal` is still to be told then.
    serve_with(arguments, config, passed, carried, Rc::clone(&logging)).inspect_err(events::fatal)
}

fn serve_with(
    arguments: &Serve,
    config: Config,
    mut passed: Vec<(String, OwnedFd)>,
    carried: Option<anyhow::Result<Carried>>,
    logging: Rc<Logging>,
) -> anyhow::Result<()> {
    let mut told = Told::default();
    count_null_connections(&config);
    let options = server_options(&config, &mut told)?; // first: with too few descriptors a runtime panics
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    let runtime = runtime.context(
        "cannot start an event loop (it takes descriptors, and AF_UNIX in RestrictAddressFamilies= to hear signals)",
    )?;
    runtime.block_on(async {
        let signals = Signals::listen()?; // from here on no signal ends us unheard
        process_state::hear()?; // what the program before held back
        orphans::reap()?;
        limits::make_room_for(options.max_connections);
        events::starting(&source(arguments), options.workers, options.max_connections);
        systemd::connect();
        let carried = carried.or_else(|| take_stored(&mut passed));
        let server = Server::bind(options, InheritedSockets::new(passed), understood(carried))?;
        let (commands, inbox) = mpsc::channel(1);
        let reloader =
            Reloader { arguments: arguments.clone(), current: config, logging, told, reading: None };
        tokio::task::spawn_local(obey(signals, reloader, Upgrade::new(commands.clone()), commands));
        server.run(inbox).await
    })
}

/// What the program before left, if it can be understood; else its connections are closed, and we start without.
fn understood(carried: Option<anyhow::Result<Carried>>) -> Option<Carried> {
    let carried = carried?.inspect_err(|why| {
        events::handover_failed(why, "they are closed, starting without");
        close_the_rest();
    });
    carried.ok()
}

fn source(arguments: &Serve) -> Cow<'_, str> {
    let file = arguments.config.as_deref();
    file.map_or("the built-in default (loopback only)".into(), Path::to_string_lossy)
}

/// Turns signals into commands, for ever. It waits for signals alone: a file may take its time, and another SIGHUP begins
/// to read it anew.
async fn obey(
    mut signals: Signals,
    mut reloader: Reloader,
    mut upgrade: Upgrade,
    commands: mpsc::Sender<net::Command>,
) {
    let mut stopping = false;
    let mut heard = None;
    loop {
        let command = tokio::select! {
            command = next(&mut heard, &mut signals) => command,
            wanted = reloader.settings_read(), if !upgrade.is_leaving() => {
                reloader.finish(wanted, &commands).await;
                continue;
            }
            answer = upgrade.answer() => {
                match upgrade.finish(answer, &mut signals).await {
                    Outcome::Left => return,
                    Outcome::ServingOn(command) => heard = command,
                }
                continue;
            }
        };
        match command {
            signals::Command::Stop => {
                // The service manager is told of the stop: "ready" would take it back.
                if reloader.reading.take().is_some() {
                    events::reload_failed(&anyhow!(STOPPING));
                }
                upgrade.forget();
                stopping = true;
                if commands.send(net::Command::Stop).await.is_err() {
                    return;
                }
            }
            signals::Command::Reload if stopping => events::reload_failed(&anyhow!(STOPPING)),
            signals::Command::Reload if upgrade.is_leaving() => events::reload_failed(&anyhow!(RESTARTING)),
            signals::Command::Reload => reloader.begin(&commands).await,
            // Where a command waits to be heard it is one too many: there are commands that take their time.
            signals::Command::Summary => drop(commands.try_send(net::Command::Summary)),
            signals::Command::HandOver if stopping => events::handover_failed(&anyhow!(STOPPING), "they end"),
            signals::Command::HandOver if !reloader.current.server.keep_connections => {
                events::handover_failed(&anyhow!("server.keep_connections is false"), SERVING_ON);
            }
            signals::Command::HandOver => upgrade.begin(),
            signals::Command::Leave if stopping => {}
            signals::Command::Leave if upgrade.is_leaving() => {}
            signals::Command::Leave => {
                let is_leaving = reloader.current.server.keep_connections && upgrade.begin_to_leave();
                if !is_leaving {
                    heard = Some(signals::Command::Stop);
                }
            }
        }
    }
}

/// What was heard already comes first.
async fn next(heard: &mut Option<signals::Command>, signals: &mut Signals) -> signals::Command {
    match heard.take() {
        Some(command) => command,
        None => signals.next().await,
    }
}

/// What a reload needs to know.
struct Reloader {
    arguments: Serve,
    current: Config,
    logging: Rc<Logging>,
    told: Told,
    /// The reload under way.
    reading: Option<Reading>,
}

impl Reloader {
    /// Begins a reload; one that had begun is forgotten.
    async fn begin(&mut self, commands: &mpsc::Sender<net::Command>) {
        systemd::reloading();
        match Reading::start(&self.arguments) {
            Ok(reading) => self.reading = Some(reading),
            Err(error) => self.finish(Err(error), commands).await,
        }
    }

    /// The settings, once the reload under way has read them.
    async fn settings_read(&mut self) -> anyhow::Result<Config> {
        match &mut self.reading {
            Some(reading) => reading.result().await,
            None => std::future::pending().await,
        }
    }

    async fn finish(&mut self, wanted: anyhow::Result<Config>, commands: &mpsc::Sender<net::Command>) {
        self.reading = None;
        let changed = match wanted {
            Ok(wanted) => self.change(wanted, commands).await,
            Err(error) => Err(error),
        };
        match changed {
            Ok(changes) => events::reloaded(changes),
            Err(error) => events::reload_failed(&error),
        }
        systemd::ready();
    }

    /// Applies the settings wholly or, on an error, not at all; returns how many changed.
    async fn change(
        &mut self,
        wanted: Config,
        commands: &mpsc::Sender<net::Command>,
    ) -> anyhow::Result<usize> {
        let mut next = self.current.clone();
        let changes = next.adopt(wanted);
        let options = server_options(&next, &mut self.told)?;
        net::ask(commands, |answer| net::Command::Change(options, answer)).await??;
        for Change { key, old, new, needs_restart } in &changes {
            events::setting_changed(key, old.as_deref(), new.as_deref(), *needs_restart);
        }
        self.logging.set_level(next.log.level);
        count_null_connections(&next);
        self.current = next;
        Ok(changes.len())
    }
}

fn count_null_connections(config: &Config) {
    events::only_count_null_connections(config.log.null_connections == NullConnections::Count);
}

/// Decides what the configuration leaves to the machine.
fn server_options(config: &Config, told: &mut Told) -> anyhow::Result<ServerOptions> {
    let workers = match config.server.workers {
        Count::Exactly(workers) => workers,
        Count::Auto => available_parallelism().map_or(1, usize::from),
    };
    let descriptors = descriptors(told).context("cannot learn the descriptor limit")?;
    let listeners = config.listeners.len();
    let fewest = limits::fewest_descriptors(workers, listeners);
    ensure!(
        descriptors >= fewest,
        "a limit of {descriptors} open descriptors is too low (ulimit -n, LimitNOFILE=): \
         {workers} event loops and {listeners} listeners need {fewest} or more"
    );
    let possible = limits::connections_within(descriptors, workers, listeners);
    Ok(ServerOptions {
        workers,
        max_connections: max_connections(config.server.max_connections, possible, told),
        shutdown_grace: config.server.shutdown_grace,
        summary_interval: config.log.summary_interval,
        listeners: config.listeners.iter().map(listener_options).collect(),
    })
}

/// The limit of open descriptors, raised as far as that is allowed. It is refused where the hard limit is above
/// `fs.nr_open`, and by sandboxes.
fn descriptors(told: &mut Told) -> io::Result<u64> {
    let limit = limits::descriptor_limit()?;
    Ok(limits::raise_descriptor_limit().unwrap_or_else(|cause| {
        if told.limit_kept.replace(limit) != Some(limit) {
            events::descriptor_limit_kept(limit, &cause);
        }
        limit
    }))
}

/// What was told of the machine's limits, and is told again only once it is something else.
#[derive(Debug, Default)]
struct Told {
    limit_kept: Option<u64>,
    /// Connections wanted and possible.
    clamped: Option<(usize, usize)>,
}

fn max_connections(wanted: Count, possible: usize, told: &mut Told) -> usize {
    match wanted {
        Count::Exactly(wanted) if wanted > possible => {
            if told.clamped.replace((wanted, possible)) != Some((wanted, possible)) {
                events::connections_clamped(wanted, possible);
            }
            possible
        }
        Count::Exactly(wanted) => wanted,
        Count::Auto => possible,
    }
}

fn listener_options(listener: &config::Listener) -> ListenerOptions {
    ListenerOptions {
        name: listener.name.as_str().into(),
        address: listener.address,
        protocol: listener.protocol,
        requires_proxy_header: listener.proxy_protocol == ProxyProtocol::Required,
        timing: Timing { deadlines: listener.deadlines, heartbeat: listener.heartbeat },
    }
}
