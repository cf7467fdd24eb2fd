//! Arguments, then a command, then an exit status.

use std::process::ExitCode;

use pulse_echo::{cli::Cli, commands, exit_status::ExitStatus};
use tikv_jemallocator::Jemalloc;

/// A connection's memory is aligned to 128 bytes, which glibc's allocator pays for with gaps.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let command = match Cli::of_process() {
        Ok(line) => line.command,
        Err(status) => return status,
    };
    match commands::run(command) {
        Ok(status) => status.into(),
        Err(error) => ExitStatus::of(&error).into(),
    }
}
