//! `serve`: joins configuration, log, signals, service manager and server.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::thread::available_parallelism;

use anyhow::{Context as _, anyhow, ensure};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot};

use crate::cli::Serve;
use crate::config::{self, Config, Count};
use crate::core::Timing;
use crate::net::inherited::InheritedSockets;
use crate::net::limits;
use crate::net::options::{ListenerOptions, ServerOptions};
use crate::net::server::{self, Server};
use crate::ops::logging::Logging;
use crate::ops::signals::{Signals, Wish};
use crate::ops::{events, orphans, systemd};

/// The settings of the file, or the built-in ones, and over them what the command line says.
///
/// # Errors
/// [`config::Problems`]
pub fn settings(arguments: &Serve) -> anyhow::Result<Config> {
    let mut config = Config::of(arguments.config.as_deref())?;
    config.log.format = arguments.log_format.unwrap_or(config.log.format);
    config.log.level = arguments.log_level.unwrap_or(config.log.level);
    Ok(config)
}

/// Serves until told to stop. An error has been told in the log by then.
///
/// # Errors
/// See [`crate::exit_status::ExitStatus::of`] for what they mean.
pub fn serve(
    arguments: &Serve,
    config: Config,
    passed: Vec<(String, OwnedFd)>,
    logging: Logging,
) -> anyhow::Result<()> {
    let logging = Rc::new(logging);
    let passed = InheritedSockets::new(passed);
    let served = serve_with(arguments, config, passed, Rc::clone(&logging)).inspect_err(events::fatal);
    logging.finish();
    served
}

fn serve_with(
    arguments: &Serve,
    config: Config,
    passed: InheritedSockets,
    logging: Rc<Logging>,
) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let signals = Signals::listen()?; // first: from here on no signal ends us unheard
        orphans::reap()?;
        let options = server_options(&config)?;
        limits::make_room_for(options.max_connections);
        events::starting(source(arguments), options.workers, options.max_connections);
        systemd::connect();
        let server = Server::bind(options, passed)?;
        let (commands, inbox) = mpsc::channel(1);
        let reloader = Reloader { arguments: arguments.clone(), current: config, logging };
        tokio::task::spawn_local(obey(signals, reloader, commands));
        server.run(inbox).await
    })
}

fn source(arguments: &Serve) -> &str {
    let file = arguments.config.as_deref();
    file.map_or("the built-in default (loopback only)", |file| file.to_str().unwrap_or("a file"))
}

/// Turns signals into commands, for ever.
async fn obey(mut signals: Signals, mut reloader: Reloader, commands: mpsc::Sender<server::Command>) {
    let mut stopping = false;
    loop {
        match signals.next().await {
            Wish::Stop if commands.send(server::Command::Stop).await.is_err() => return,
            Wish::Stop => stopping = true,
            // The service manager has been told of the stop: "ready" would take it back.
            Wish::Reload if stopping => events::reload_failed(&anyhow!("the server is stopping")),
            Wish::Reload => reloader.reload(&commands).await,
            Wish::Summary if commands.send(server::Command::Summary).await.is_err() => return,
            Wish::Summary => {}
            Wish::Handover => events::handover_failed(),
        }
    }
}

/// What a reload needs to know.
struct Reloader {
    arguments: Serve,
    current: Config,
    logging: Rc<Logging>,
}

impl Reloader {
    async fn reload(&mut self, commands: &mpsc::Sender<server::Command>) {
        systemd::reloading();
        match self.try_reload(commands).await {
            Ok(changes) => events::reloaded(changes),
            Err(error) => events::reload_failed(&error),
        }
        systemd::ready();
    }

    /// Applies the file wholly or, on an error, not at all; returns how many settings changed.
    async fn try_reload(&mut self, commands: &mpsc::Sender<server::Command>) -> anyhow::Result<usize> {
        let file = self.arguments.config.as_deref();
        let file = file.context("there is no file: the built-in default is served")?;
        // Opening a FIFO would wait for its writer, and everything here with it.
        ensure!(!file.exists() || file.is_file() || file.is_dir(), "{} is not a plain file", file.display());
        let wanted = settings(&self.arguments)?;
        let (answer, done) = oneshot::channel();
        commands.send(server::Command::Change(server_options(&wanted)?, answer)).await?;
        done.await.context("the server is stopping")??;
        let changes = config::changes(&self.current, &wanted);
        for change in &changes {
            let (old, new) = (change.old.as_deref(), change.new.as_deref());
            events::setting_changed(&change.key, old, new, change.needs_restart());
        }
        self.logging.set_level(wanted.log.level);
        // What waits for a restart is told again by the next reload.
        self.current = Config {
            server: config::Server { workers: self.current.server.workers, ..wanted.server },
            log: config::Log { format: self.current.log.format, ..wanted.log },
            ..wanted
        };
        Ok(changes.len())
    }
}

/// Decides what the configuration leaves to the machine.
fn server_options(config: &Config) -> anyhow::Result<ServerOptions> {
    let workers = match config.server.workers {
        Count::Exactly(workers) => workers,
        Count::Auto => available_parallelism().map_or(1, usize::from),
    };
    let descriptors = limits::raise_descriptor_limit().context("cannot raise the descriptor limit")?;
    let possible = limits::connections_within(descriptors, workers, config.listeners.len());
    Ok(ServerOptions {
        workers,
        max_connections: max_connections(config.server.max_connections, possible),
        shutdown_grace: config.server.shutdown_grace,
        summary_interval: config.log.summary_interval,
        listeners: config.listeners.iter().map(listener_options).collect(),
    })
}

fn max_connections(wanted: Count, possible: usize) -> usize {
    match wanted {
        Count::Exactly(wanted) if wanted > possible => {
            events::connections_clamped(wanted, possible);
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
        timing: Timing { deadlines: listener.deadlines, heartbeat: listener.heartbeat },
    }
}
