//! The question to the next program whether it can take over, put to it as a child of this one, in a thread: to start a program
//! on a mount that hangs may take for ever.

use std::fs::File;
use std::io::{self, PipeReader, Read as _};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::oneshot;

use super::description::Description;
use super::inherited::{ASKED, CAN_TAKE_OVER};
use super::program::Program;
use crate::ops::process_state;

/// How long the program may take to say whether it can take over.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer is a line, or the problems of a file; who says more is another program.
const LONGEST_ANSWER: u64 = 8 * 1024;

/// Threads that may hang in starting it.
const MOST_HANGING: usize = 4;

static ASKING: AtomicUsize = AtomicUsize::new(0);

/// Whether a program could take over what this describes.
#[derive(Debug)]
pub struct Question {
    description: File,
    connections: u64,
}

impl Question {
    /// # Errors
    /// There is no descriptor or no memory left for it.
    pub fn about(description: &Description) -> io::Result<Question> {
        Ok(Question { description: description.write()?, connections: description.header.connections })
    }
}

impl Program {
    /// Asks it, with the configuration that there is now. We serve meanwhile. Given up, the program is ended.
    ///
    /// # Errors
    /// What it said, or that it said nothing in time.
    pub async fn ask(&self, question: Question) -> anyhow::Result<()> {
        let path = self.path().display();
        let asking = ASKING.load(Ordering::Relaxed);
        ensure!(asking < MOST_HANGING, "{path} was started {asking} times already, and hangs");
        let mut command = self.command();
        command.env(ASKED, question.connections.to_string()).stdin(question.description);
        let asked = Asked::default();
        let (answer, answered) = oneshot::channel();
        let running = Arc::clone(&asked.0);
        let ask = move || {
            process_state::leave_signals_to_main_thread();
            ask(command, &running, answer);
            ASKING.fetch_sub(1, Ordering::Relaxed);
        };
        ASKING.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = thread::Builder::new().name("asking".to_owned()).spawn(ask) {
            ASKING.fetch_sub(1, Ordering::Relaxed);
            return Err(error).context("there is no thread to ask the new program");
        }
        let answer = tokio::time::timeout(PATIENCE, answered).await;
        let Ok(answer) = answer else {
            bail!("{path} did not say within {PATIENCE:?} whether it can take over");
        };
        answer?.with_context(|| format!("cannot start {path}")).and_then(understood)
    }
}

/// The process of the program, as long as it is one. Dropped, it is ended.
#[derive(Debug, Default)]
struct Asked(Arc<Mutex<Option<Pid>>>);

impl Drop for Asked {
    fn drop(&mut self) {
        let Asked(running) = self;
        if let Some(process) = *running.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = kill(process, Signal::SIGKILL);
        }
    }
}

/// Starts it and gives the answer, all that it says: complaints go the same way.
fn ask(mut command: Command, running: &Mutex<Option<Pid>>, answer: oneshot::Sender<io::Result<String>>) {
    let set_running = |process| *running.lock().unwrap_or_else(PoisonError::into_inner) = process;
    let start = || {
        let (reader, writer) = io::pipe()?;
        command.stdout(writer.try_clone()?).stderr(writer);
        let child = command.spawn()?;
        drop(command); // and with it our end of the pipe
        Ok((child, reader))
    };
    let (mut child, reader) = match start() {
        Ok(started) => started,
        Err(error) => return drop(answer.send(Err(error))),
    };
    set_running(child.id().try_into().ok().map(Pid::from_raw));
    if !answer.is_closed() {
        let _ = answer.send(hear(reader));
    }
    set_running(None);
    let _ = child.kill(); // it may have more to say, or nothing and no end
    let _ = child.wait(); // as process 1 we may have reaped it elsewhere
}

fn hear(reader: PipeReader) -> io::Result<String> {
    let mut heard = Vec::new();
    reader.take(LONGEST_ANSWER).read_to_end(&mut heard)?;
    Ok(String::from_utf8_lossy(&heard).into_owned())
}

fn understood(answer: String) -> anyhow::Result<()> {
    if answer.lines().any(|line| line == CAN_TAKE_OVER) {
        return Ok(());
    }
    let why = answer.trim().trim_start_matches("<3>").trim_start_matches("pulse-echo: ");
    bail!("the new program cannot take over: {}", if why.is_empty() { "it does not say why" } else { why })
}
