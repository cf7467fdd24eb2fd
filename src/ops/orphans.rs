//! In a container the daemon may be process 1, and with that the heir of every orphan: it must reap them, or they stay in
//! the table of processes until that is full.

use std::io;

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use tokio::signal::unix::{SignalKind, signal};

/// Reaps orphans for ever where that is our duty. The daemon has no children of its own, whose status this would take.
///
/// # Errors
/// The system refuses a handler.
pub fn reap() -> io::Result<()> {
    const INIT: u32 = 1;
    if std::process::id() != INIT {
        return Ok(());
    }
    let mut ended = signal(SignalKind::child())?;
    tokio::task::spawn_local(async move {
        reap_those_that_ended(); // before there was a handler
        while ended.recv().await.is_some() {
            reap_those_that_ended();
        }
    });
    Ok(())
}

fn reap_those_that_ended() {
    let next = || waitpid(None, Some(WaitPidFlag::WNOHANG));
    while next().is_ok_and(|status| status != WaitStatus::StillAlive) {}
}
