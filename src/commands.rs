//! What each command does.

use std::io::{self, Write};
use std::path::Path;
use std::thread::available_parallelism;

use anyhow::Context as _;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;

use crate::cli::{Check, Command, Explain, Serve};
use crate::config::{self, Config, Count};
use crate::core::liveness::Timing;
use crate::explain;
use crate::net::limits;
use crate::net::options::{ListenerOptions, ServerOptions};
use crate::net::server::{self, Server};
use crate::ops::events;
use crate::ops::logging::Logging;
use crate::ops::signals::{Signals, Wish};

/// Runs a command to its end. An error has been told to the user by then.
///
/// # Errors
/// See [`crate::exit_status::ExitStatus::of`] for what they mean.
pub fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(arguments) => return serve(&arguments),
        Command::Check(arguments) => check(&arguments),
        Command::DefaultConfig => print(config::DEFAULT_FILE),
        Command::Explain(arguments) => explain(&arguments),
    }
    .inspect_err(tell)
}

fn serve(arguments: &Serve) -> anyhow::Result<()> {
    let config = load(arguments.config.as_deref()).inspect_err(tell)?;
    let format = arguments.log_format.unwrap_or(config.log.format);
    let level = arguments.log_level.unwrap_or(config.log.level);
    let logging = Logging::start(format, level).inspect_err(tell)?;
    let served = serve_with(arguments.config.as_deref(), &config);
    if let Err(error) = &served {
        events::fatal(error);
    }
    logging.finish();
    served
}

fn serve_with(file: Option<&Path>, config: &Config) -> anyhow::Result<()> {
    let options = server_options(config)?;
    let source = file.map_or("the built-in default (loopback only)".into(), Path::to_string_lossy);
    events::starting(&source, options.workers, options.max_connections);
    let server = Server::bind(options)?;
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let (commands, inbox) = mpsc::channel(1);
        tokio::task::spawn_local(async move {
            while commands.send(command(signals.next().await)).await.is_ok() {}
        });
        server.run(inbox).await
    })
}

fn command(wish: Wish) -> server::Command {
    match wish {
        Wish::Stop => server::Command::Stop,
        Wish::Reload => server::Command::Reload,
    }
}

fn check(arguments: &Check) -> anyhow::Result<()> {
    let config = load(arguments.config.as_deref())?;
    print(&config.to_string())
}

fn explain(arguments: &Explain) -> anyhow::Result<()> {
    if arguments.markdown {
        return print(&explain::page());
    }
    let wanted = |name| arguments.word.as_ref().is_none_or(|word| word == name);
    let words = explain::all().into_iter().filter(|entry| wanted(entry.name));
    print(&words.map(|entry| entry.text()).collect::<Vec<_>>().join("\n"))
}

fn load(file: Option<&Path>) -> anyhow::Result<Config> {
    match file {
        Some(file) => Ok(Config::load(file)?),
        None => Ok(Config::built_in()),
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

/// Prints to standard output; a reader that has seen enough (`| head`) is no error.
fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn tell(error: &anyhow::Error) {
    // Standard error may be closed; there is nobody else to tell.
    let _ = writeln!(io::stderr(), "pulse-echo: {error:#}");
}
