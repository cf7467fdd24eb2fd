//! Another program goes on with the connections: in this process (SIGUSR2), or in the next one that the service manager starts.
//! It is asked first, while this one serves. Until the last moment a stop comes first.

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

/// How often a stop that is held back is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Until what came before a mask is heard.
const HEARING: Duration = Duration::from_millis(2);

/// Where it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// In this process: what is under way is only the question.
    InPlace,
    /// In the next: what is under way is the question, and leaving the connections with the service manager.
    NextProcess,
}

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// The connections wait for the next program: this one only has to end.
    Left,
    /// All is as before; with what was commanded meanwhile.
    ServingOn(Option<Command>),
}

type Answer = Pin<Box<dyn Future<Output = anyhow::Result<()>>>>;

/// The program at the path of this one, and what is under way with it.
pub struct Upgrade {
    program: io::Result<Program>,
    commands: mpsc::Sender<net::Command>,
    under_way: Option<(Way, Answer)>,
}

impl Upgrade {
    /// To be made at the start, when the path is still ours.
    pub fn new(commands: mpsc::Sender<net::Command>) -> Upgrade {
        Upgrade { program: Program::of_this_process(), commands, under_way: None }
    }

    /// Whether the connections are about to be left with the service manager, which wants this process to end.
    pub fn is_leaving(&self) -> bool {
        self.under_way.as_ref().is_some_and(|(way, _)| *way == Way::NextProcess)
    }

    /// Asks the program whether it can take over in this process. Asked already, it is asked no second time.
    pub fn begin(&mut self) {
        if self.under_way.is_none() {
            self.under_way = Some((Way::InPlace, Box::pin(ask(self.program(), self.commands.clone()))));
        }
    }

    /// Begins to leave the connections with the service manager, if there is one with a store.
    pub fn begin_to_leave(&mut self) -> bool {
        if !fd_store::is_there() {
            return false;
        }
        let (asking, commands) = (ask(self.program(), self.commands.clone()), self.commands.clone());
        let leaving = async move {
            asking.await?;
            net::ask(&commands, net::Command::Leave).await?
        };
        self.under_way = Some((Way::NextProcess, Box::pin(leaving)));
        true
    }

    fn program(&self) -> anyhow::Result<Program> {
        let program = self.program.as_ref();
        program.cloned().map_err(|error| anyhow!("the path of this program is not known: {error}"))
    }

    /// Gives up what is under way.
    pub fn forget(&mut self) {
        self.under_way = None;
    }

    /// Waits for what comes of what is under way. May be given up and called again.
    pub async fn answer(&mut self) -> (Way, anyhow::Result<()>) {
        match &mut self.under_way {
            Some((way, answer)) => (*way, answer.await),
            None => std::future::pending().await,
        }
    }

    /// Does what the answer allows. Where that fails it is told.
    pub async fn finish(
        &mut self,
        (way, answer): (Way, anyhow::Result<()>),
        signals: &mut Signals,
    ) -> Outcome {
        self.under_way = None;
        match (way, answer) {
            (Way::NextProcess, Ok(())) => Outcome::Left,
            (Way::NextProcess, Err(error)) => {
                events::handover_failed(&error, "they end");
                Outcome::ServingOn(Some(Command::Stop))
            }
            (Way::InPlace, Err(error)) => {
                events::handover_failed(&error, SERVING_ON);
                Outcome::ServingOn(None)
            }
            (Way::InPlace, Ok(())) => {
                let mut heard = None;
                if let Err(error) = self.become_it(signals, &mut heard).await {
                    events::handover_failed(&error, SERVING_ON);
                }
                Outcome::ServingOn(heard)
            }
        }
    }

    async fn become_it(&self, signals: &mut Signals, heard: &mut Option<Command>) -> anyhow::Result<()> {
        let program = self.program()?;
        systemd::reloading();
        // What comes from here on waits for the other program.
        process_state::hold_back()?;
        tokio::time::sleep(HEARING).await;
        *heard = signals.heard();
        if let Some(Command::Summary) = heard {
            let _ = self.commands.send(net::Command::Summary).await; // nobody hears it where everything ends
        }
        // What is done already, or is being done, stops nothing.
        *heard = heard.take().filter(|heard| !matches!(heard, Command::Summary | Command::HandOver));
        let failed = match heard {
            None => {
                tokio::select! {
                    failed = net::ask(&self.commands, |answer| net::Command::HandOver(program, answer)) => {
                        failed.and_then(Err)
                    }
                    () = stop_is_held_back() => Err(anyhow!("a stop came meanwhile")),
                }
            }
            Some(_) => Err(anyhow!("another signal came meanwhile")),
        };
        process_state::hear()?;
        systemd::ready();
        failed
    }
}

/// Asks the program whether it could go on with all that is served now.
async fn ask(program: anyhow::Result<Program>, commands: mpsc::Sender<net::Command>) -> anyhow::Result<()> {
    let question = net::ask(&commands, net::Command::Describe).await??;
    program?.ask(question).await
}

async fn stop_is_held_back() {
    while !process_state::stop_is_held_back() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
