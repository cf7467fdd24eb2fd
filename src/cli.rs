//! The command line.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};

use crate::ops::logging::{LogFormat, LogLevel};
use crate::ops::text::{fit, visible};
use crate::report;
use crate::{client, explain};

/// A TCP echo and heartbeat server that says why each connection ended.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    /// What to do.
    pub command: Command,
}

impl Cli {
    /// The command line of this process.
    ///
    /// # Errors
    /// Help was asked for, or usage is wrong; that has been told. The exit status.
    pub fn of_process() -> Result<Cli, ExitCode> {
        Cli::try_parse().map_err(|error| {
            let quoted = |argument: OsString| argument.to_string_lossy().into_owned();
            let harmless = env::args_os().map(quoted).all(|argument| argument == visible(&argument));
            // Standard output or error may be closed; there is nobody else to tell.
            let _ = match harmless {
                true => error.print(),
                // Without colours, and without what would be taken for one.
                false => io::stderr().write_all(fit(&error.to_string()).as_bytes()),
            };
            u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
        })
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    Serve(Serve),
    /// Validate the configuration and print the effective settings
    Check(Check),
    /// Print the annotated default configuration file
    DefaultConfig,
    /// Read a log back: what ended, why, when, and what came together
    Report(Box<report::Options>),
    /// Say what a close reason or verdict means and what to do about it
    Explain(Explain),
    /// Measure the way to an echo server and back, and say why it ended
    Ping(client::Ping),
    /// Find out how long the path remembers an idle connection
    IdleLimit(client::IdleLimit),
}

/// What `serve` is told.
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// Configuration file; without it, the built-in default serves on loopback only
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Overrides log.format
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Overrides log.level
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,
}

/// What `check` is told.
#[derive(Debug, Args)]
pub struct Check {
    /// Configuration file; without it, the built-in default is checked
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print problems only
    #[arg(long)]
    pub quiet: bool,
}

/// What `explain` is told.
#[derive(Debug, Args)]
pub struct Explain {
    /// A close reason or verdict, as in the log, in whatever case; without it, all of them
    #[arg(
        value_parser = PossibleValuesParser::new(explain::all().iter().map(|entry| entry.name)),
        hide_possible_values = true,
        ignore_case = true
    )]
    pub word: Option<String>,
    /// Print the whole as Markdown
    #[arg(long, conflicts_with = "word")]
    pub markdown: bool,
}
