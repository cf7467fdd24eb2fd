//! SIGUSR2: another program goes on in this process. It is asked first, while this one serves; then it takes over.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use anyhow::anyhow;
use tokio::sync::mpsc;

use crate::net::{self, Program};
use crate::ops::signals::{Command, Signals};
use crate::ops::{events, fd_store, process_state, systemd};

/// What is done where it cannot take over.
pub const SERVING_ON: &str = "serving on";

type Answer = Pin<Box<dyn Future<Output = anyhow::Result<()>>>>;

/// The program at the path of this one, and the question that it is asked.
pub struct Upgrade {
    program: io::Result<Program>,
    asking: Option<Answer>,
}

/// What became of the connections in a restart.
pub enum Left {
    /// They wait for the next program: this one only has to end.
    WithTheServiceManager,
    /// They end as in any stop.
    Nothing,
}

impl Upgrade {
    /// To be made at the start, when the path is still ours.
    pub fn new() -> Upgrade {
        Upgrade { program: Program::of_this_process(), asking: None }
    }

    /// Asks it whether it can take over. Asked already, it is asked no second time.
    pub fn begin(&mut self) {
        if self.asking.is_some() {
            return;
        }
        match self.program() {
            Ok(program) => {
                let program = program.clone();
                self.asking = Some(Box::pin(async move { program.ask().await }));
            }
            Err(error) => events::handover_failed(&error, SERVING_ON),
        }
    }

    fn program(&self) -> anyhow::Result<&Program> {
        self.program.as_ref().map_err(|error| anyhow!("the path of this program is not known: {error}"))
    }

    /// Does not care any more what it says.
    pub fn forget(&mut self) {
        self.asking = None;
    }

    /// Waits for what it says. May be given up and called again.
    pub async fn answer(&mut self) -> anyhow::Result<()> {
        match &mut self.asking {
            Some(asking) => asking.await,
            None => std::future::pending().await,
        }
    }

    /// Becomes it, if it said that it can. Returns where that failed, and all is as before; with what was commanded meanwhile.
    pub async fn finish(
        &mut self,
        answer: anyhow::Result<()>,
        signals: &mut Signals,
        commands: &mpsc::Sender<net::Command>,
    ) -> Option<Command> {
        self.asking = None;
        let mut heard = None;
        let failed = match answer {
            Ok(()) => self.become_it(signals, &mut heard, commands).await.err(),
            Err(error) => Some(error),
        };
        failed.iter().for_each(|why| events::handover_failed(why, SERVING_ON));
        heard
    }

    async fn become_it(
        &self,
        signals: &mut Signals,
        heard: &mut Option<Command>,
        commands: &mpsc::Sender<net::Command>,
    ) -> anyhow::Result<()> {
        let program = self.program()?.clone();
        systemd::reloading();
        // What comes from here on waits for the other program.
        process_state::hold_back()?;
        tokio::time::sleep(Duration::from_millis(2)).await; // until what came before is heard
        *heard = signals.heard();
        let failed = match heard {
            None => {
                let failed = net::ask(commands, |answer| net::Command::HandOver(program, answer)).await;
                failed.and_then(Err)
            }
            Some(_) => Err(anyhow!("another signal came meanwhile")),
        };
        process_state::hear()?;
        systemd::ready();
        failed
    }

    /// Leaves the connections with the service manager, which restarts the service. Where the next program could not go on
    /// with them, or there is no store, the failure is told.
    pub async fn leave(&self, may: bool, commands: &mpsc::Sender<net::Command>) -> Left {
        if !may || !fd_store::is_there() {
            return Left::Nothing;
        }
        match self.try_to_leave(commands).await {
            Ok(()) => Left::WithTheServiceManager,
            Err(error) => {
                events::handover_failed(&error, "they end");
                Left::Nothing
            }
        }
    }

    async fn try_to_leave(&self, commands: &mpsc::Sender<net::Command>) -> anyhow::Result<()> {
        self.program()?.ask().await?;
        net::ask(commands, net::Command::Leave).await?
    }
}
