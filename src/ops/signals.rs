//! Unix signals, as the operator's commands.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals the daemon heeds.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// What a signal commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// SIGTERM, SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
}

impl Signals {
    /// Starts listening for signals: from here on none of them kills the process.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn listen() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next command. Signals of one kind that come faster than they are heard count as one.
    pub async fn next(&mut self) -> Command {
        tokio::select! {
            _ = self.terminate.recv() => Command::Stop,
            _ = self.interrupt.recv() => Command::Stop,
            _ = self.hangup.recv() => Command::Reload,
        }
    }
}
