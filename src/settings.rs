//! The settings to serve with: the file's, or the built-in ones, and over them what the command line says.

use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use crate::cli::Serve;
use crate::config::Config;
use crate::ops::{events, process_state};

/// A file that takes longer to read is on a disk, or a network, that hangs.
const USUAL: Duration = Duration::from_secs(5);

/// Threads that may hang in a file, one for each time it was asked for.
const MOST_HANGING: usize = 8;

static READING: AtomicUsize = AtomicUsize::new(0);

/// The settings to start with. `waiting` is called once if reading them takes long.
///
/// A thread that waits for a file hears no signal. So another one reads, and this one stays free to be stopped.
///
/// # Errors
/// [`crate::config::Problems`], or there is no thread left.
pub fn first_settings(arguments: &Serve, waiting: impl FnOnce(Duration)) -> anyhow::Result<Config> {
    let (answer, result) = mpsc::channel();
    let arguments = arguments.clone();
    let read = move || answer.send(settings(&arguments));
    let thread = thread::Builder::new().name("settings".to_owned());
    thread.spawn(read).context("there is no thread to read the settings")?;
    match result.recv_timeout(USUAL) {
        Ok(settings) => settings,
        Err(_) => {
            waiting(USUAL);
            result.recv()?
        }
    }
}

/// The settings, read now.
///
/// # Errors
/// [`crate::config::Problems`]
pub fn settings(arguments: &Serve) -> anyhow::Result<Config> {
    let mut config = Config::of(arguments.config.as_deref())?;
    config.log.format = arguments.log_format.unwrap_or(config.log.format);
    config.log.level = arguments.log_level.unwrap_or(config.log.level);
    Ok(config)
}

/// Settings that are being read, in a thread of their own: on a mount that hangs, whoever opens a file waits.
#[derive(Debug)]
pub struct Reading {
    result: oneshot::Receiver<anyhow::Result<Config>>,
    /// Until it is said that this takes long.
    usual: Option<Pin<Box<Sleep>>>,
}

impl Reading {
    /// Begins to read. Dropped, what it reads is of no interest any more.
    ///
    /// # Errors
    /// Too much of what was begun before still hangs, or there is no thread left.
    pub fn start(arguments: &Serve) -> anyhow::Result<Reading> {
        let (answer, result) = oneshot::channel();
        let hanging = READING.load(Ordering::Relaxed);
        ensure!(hanging < MOST_HANGING, "the file was asked for {hanging} times already, and cannot be read");
        let arguments = arguments.clone();
        READING.fetch_add(1, Ordering::Relaxed);
        let read = move || {
            process_state::leave_signals_to_main_thread();
            // Whoever asked may have asked again meanwhile, and not wait for this any more.
            let _ = answer.send(settings_of_plain_file(&arguments));
            READING.fetch_sub(1, Ordering::Relaxed);
        };
        if let Err(error) = thread::Builder::new().name("settings".to_owned()).spawn(read) {
            READING.fetch_sub(1, Ordering::Relaxed);
            return Err(error).context("there is no thread to read the file");
        }
        Ok(Reading { result, usual: Some(Box::pin(sleep(USUAL))) })
    }

    /// Waits for the settings, and says so once if that takes long. May be given up and called again.
    ///
    /// # Errors
    /// As [`settings`], and where the file is none.
    pub async fn result(&mut self) -> anyhow::Result<Config> {
        if let Some(usual) = &mut self.usual {
            tokio::select! {
                biased;
                result = &mut self.result => return result?,
                () = usual => events::reload_waits(USUAL),
            }
            self.usual = None;
        }
        (&mut self.result).await?
    }
}

fn settings_of_plain_file(arguments: &Serve) -> anyhow::Result<Config> {
    let file = arguments.config.as_deref();
    check_plain(file.context("there is no file: the built-in default is served")?)?;
    settings(arguments)
}

/// Opening a FIFO would wait for its writer.
fn check_plain(file: &Path) -> anyhow::Result<()> {
    ensure!(!file.exists() || file.is_file() || file.is_dir(), "{} is not a plain file", file.display());
    Ok(())
}
