//! The runtime of a command.

use std::io;

use tokio::runtime::Builder;

/// Runs a command to its end.
///
/// # Errors
/// There is no runtime.
pub fn run<T>(command: impl Future<Output = T>) -> io::Result<T> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(command);
    runtime.shutdown_background(); // a name service that hangs holds nobody up
    Ok(result)
}
