//! What ends a command early.

use std::pin::pin;

use tokio::signal::ctrl_c;
use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGINT, as Ctrl-C sends it, or SIGTERM.
pub async fn interrupted() {
    let interrupt = pin!(ctrl_c());
    // Where it cannot be listened for, it ends the process as it always does.
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        },
        Err(_) => _ = interrupt.await,
    }
}
