//! Arguments, then a command, then an exit status.

use std::process::ExitCode;

use clap::Parser as _;
use pulse_echo::{cli::Cli, commands, exit_status::ExitStatus};

fn main() -> ExitCode {
    match commands::run(Cli::parse().command) {
        Ok(()) => ExitStatus::Success.into(),
        Err(error) => ExitStatus::of(&error).into(),
    }
}
