//! What each command does.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;

use crate::cli::{Check, Command, Explain, Serve};
use crate::client;
use crate::config::{self, Config};
use crate::exit_status::ExitStatus;
use crate::ops::logging::{Logging, stderr_is_the_journal};
use crate::ops::passed_sockets::passed_sockets;
use crate::ops::process_state;
use crate::settings::settings;
use crate::{daemon, explain};

/// Runs a command to its end. An error has been told to the user by then.
///
/// # Errors
/// See [`crate::exit_status::ExitStatus::of`] for what they mean.
pub fn run(command: Command) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Serve(arguments) => serve(&arguments)?,
        Command::Check(arguments) => check(&arguments).inspect_err(tell)?,
        Command::DefaultConfig => print(config::DEFAULT_FILE).inspect_err(tell)?,
        Command::Explain(arguments) => explain(&arguments).inspect_err(tell)?,
        Command::Ping(arguments) => return status(client::ping(&arguments)),
        Command::IdleLimit(arguments) => return status(client::idle_limit(&arguments)),
    }
    Ok(ExitStatus::Success)
}

/// Of the client, which says whether it has what was asked for.
fn status(result: anyhow::Result<bool>) -> anyhow::Result<ExitStatus> {
    let is_good = result.inspect_err(tell)?;
    Ok(if is_good { ExitStatus::Success } else { ExitStatus::Failure })
}

/// Before there is a log, errors are told on standard error; then in the log.
fn serve(arguments: &Serve) -> anyhow::Result<()> {
    process_state::reset().context("cannot take care of signals").inspect_err(tell)?;
    let passed = passed_sockets().context("cannot take the sockets passed to us").inspect_err(tell)?;
    let config = settings(arguments).inspect_err(tell)?;
    let logging = Logging::start(config.log.format, config.log.level).inspect_err(tell)?;
    daemon::serve(arguments, config, passed, logging)
}

fn check(arguments: &Check) -> anyhow::Result<()> {
    // Nothing else is waiting: here it may be a pipe.
    let config = match arguments.config.as_deref() {
        Some(path) if path == Path::new("/dev/stdin") => Config::read(io::stdin().lock(), path)?,
        file => Config::of(file)?,
    };
    if arguments.quiet { Ok(()) } else { print(&config.to_string()) }
}

fn explain(arguments: &Explain) -> anyhow::Result<()> {
    if arguments.markdown {
        return print(&explain::page());
    }
    let wanted = |name| arguments.word.as_ref().is_none_or(|word| word.eq_ignore_ascii_case(name));
    let words = explain::all().into_iter().filter(|entry| wanted(entry.name));
    print(&words.map(|entry| entry.text()).collect::<Vec<_>>().join("\n"))
}

/// Prints to standard output; a reader that has seen enough (`| head`) is no error.
fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn tell(error: &anyhow::Error) {
    // The journal takes each line for a record, and for an error only where it says so, see sd-daemon(3).
    let severity = if stderr_is_the_journal() { "<3>" } else { "" };
    for line in format!("pulse-echo: {error:#}").lines() {
        // Standard error may be closed; there is nobody else to tell.
        let _ = writeln!(io::stderr(), "{severity}{line}");
    }
}
