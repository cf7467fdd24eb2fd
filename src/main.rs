//! Arguments, then a command, then an exit status.

use std::process::ExitCode;

use clap::Parser as _;
use pulse_echo::{cli::Cli, commands, exit_status::ExitStatus};
use tikv_jemallocator::Jemalloc;

/// A connection's memory is aligned to 128 bytes, which glibc's allocator pays for with gaps.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    match commands::run(Cli::parse().command) {
        Ok(status) => status.into(),
        Err(error) => ExitStatus::of(&error).into(),
    }
}
