//! Unix signals, as the operator's commands.

use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::process_state;

/// The signals the daemon heeds.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
    user_1: Signal,
    user_2: Signal,
    restart: Signal,
}

/// What a signal commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// SIGTERM, SIGINT, SIGQUIT.
    Stop,
    /// SIGHUP.
    Reload,
    /// SIGUSR1.
    Summary,
    /// SIGUSR2: let another program go on in this process, the connections kept.
    HandOver,
    /// SIGRTMIN+1: leave the connections with the service manager.
    Leave,
}

impl Signals {
    /// Starts listening for signals: from here on none of them kills the process.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn listen() -> io::Result<Signals> {
        let signals = Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
            user_1: signal(SignalKind::user_defined1())?,
            user_2: signal(SignalKind::user_defined2())?,
            restart: signal(SignalKind::from_raw(process_state::restart_signal()))?,
        };
        process_state::hand_signals_over();
        Ok(signals)
    }

    /// The next command, if its signal came already.
    pub fn heard(&mut self) -> Option<Command> {
        let next = pin!(self.next());
        match next.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(command) => Some(command),
            Poll::Pending => None,
        }
    }

    /// The next command. Signals of one kind that come faster than they are heard count as one.
    pub async fn next(&mut self) -> Command {
        tokio::select! {
            _ = self.terminate.recv() => Command::Stop,
            _ = self.interrupt.recv() => Command::Stop,
            _ = self.quit.recv() => Command::Stop,
            _ = self.hangup.recv() => Command::Reload,
            _ = self.user_1.recv() => Command::Summary,
            _ = self.user_2.recv() => Command::HandOver,
            _ = self.restart.recv() => Command::Leave,
        }
    }
}
