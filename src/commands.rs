//! What each command does.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::cli::{Check, Command, Explain, Serve};
use crate::client;
use crate::config::{self, Config};
use crate::exit_status::ExitStatus;
use crate::net::{CAN_TAKE_OVER, asked_whether, take_carried};
use crate::ops::logging::{Logging, stderr_is_the_journal};
use crate::ops::passed_sockets::passed_sockets;
use crate::ops::process_state;
use crate::ops::text::fit;
use crate::settings::{first_settings, settings};
use crate::{daemon, explain, report};

/// Runs a command to its end. An error has been told to the user by then.
///
/// # Errors
/// See [`crate::exit_status::ExitStatus::of`] for what they mean.
pub fn run(command: Command) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Serve(arguments) => serve(&arguments)?,
        Command::Check(arguments) => check(&arguments).inspect_err(tell)?,
        Command::DefaultConfig => print(config::DEFAULT_FILE).inspect_err(tell)?,
        Command::Report(options) => report::run(&options).and_then(|page| print(&page)).inspect_err(tell)?,
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
    if let Some(understood) = asked_whether() {
        return understood.and_then(|()| can_take_over(arguments)).inspect_err(tell);
    }
    let inherited = take_carried();
    process_state::reset(inherited.is_some()).context("cannot take care of signals").inspect_err(tell)?;
    let passed = passed_sockets().context("cannot take the sockets passed to us").inspect_err(tell)?;
    let config = first_settings(arguments, tell_wait).inspect_err(tell)?;
    let logging = Logging::start(config.log.format, config.log.level).inspect_err(tell)?;
    daemon::serve(arguments, config, passed, inherited, logging)
}

/// A running program asks, and goes on itself where there is no such answer.
fn can_take_over(arguments: &Serve) -> anyhow::Result<()> {
    settings(arguments)?;
    print(CAN_TAKE_OVER)
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
    say("<3>", &format!("{error:#}"));
}

fn tell_wait(waited: Duration) {
    let seconds = waited.as_secs();
    say(
        "<4>",
        &format!(
            "the configuration file is not read after {seconds} s, as on a mount that hangs; still waiting"
        ),
    );
}

/// The journal takes each line for a record, and for information unless it says what it is, see sd-daemon(3).
fn say(severity: &str, words: &str) {
    let severity = if stderr_is_the_journal() { severity } else { "" };
    for line in format!("pulse-echo: {}", fit(words)).lines() {
        // Standard error may be closed; there is nobody else to tell.
        let _ = writeln!(io::stderr(), "{severity}{line}");
    }
}
