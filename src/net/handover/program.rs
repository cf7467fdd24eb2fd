//! The program that goes on in this process: asked first, as a child, whether it can; then it takes our place by exec.

use std::env;
use std::ffi::{CString, OsString};
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::unistd::execve;
use tokio::sync::oneshot;

use super::description::{Description, Header};
use super::inherited::{ASKED, CAN_TAKE_OVER, CARRIED};
use crate::ops::process_state;

/// How long the program may take to say whether it can take over.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer is a line; who says more is another program.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// The program that is started by the same path and arguments as this one. A package upgrade has put a newer one there.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    /// This one. To be asked at the start: later the path may be another file's, or none.
    ///
    /// # Errors
    /// The system does not tell the path.
    pub fn of_this_process() -> io::Result<Program> {
        Ok(Program { path: env::current_exe()?, arguments: env::args_os().collect() })
    }

    /// Asks it whether it can go on from a description like ours, with the configuration that there is now. We serve meanwhile.
    ///
    /// # Errors
    /// What it said, or that it said nothing in time.
    pub async fn ask(&self) -> anyhow::Result<()> {
        let mut command = Command::new(&self.path);
        command.args(self.arguments.iter().skip(1)).env(ASKED, Header::new(0).to_line());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.path.display()))?;
        let process = nix::unistd::Pid::from_raw(child.id().try_into()?);
        let (answer, answered) = oneshot::channel();
        let listen = move || {
            process_state::leave_signals_to_main_thread();
            answer.send(listen(&mut child))
        };
        thread::Builder::new().name("asking".to_owned()).spawn(listen)?;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(answer) => answer?,
            Err(_) => {
                // Whoever listens to it reaps it only then, so the number is still its own.
                let _ = nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL);
                bail!("{} did not say within {PATIENCE:?} whether it can take over", self.path.display())
            }
        }
    }

    /// Becomes it, with `descriptors` kept open and all signals held back until it hears them. Returns only where that fails.
    pub fn become_it(&self, description: &Description, descriptors: &[RawFd]) -> anyhow::Error {
        match self.try_to_become_it(description, descriptors) {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    fn try_to_become_it(
        &self,
        description: &Description,
        descriptors: &[RawFd],
    ) -> anyhow::Result<std::convert::Infallible> {
        let file = description.write()?;
        let path = CString::new(self.path.as_os_str().as_bytes())?;
        let arguments = self.arguments.iter().map(|argument| CString::new(argument.as_bytes()));
        let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
        let environment = environment(file.as_raw_fd())?;
        let kept = || descriptors.iter().copied().chain([file.as_raw_fd()]);
        let mut before = SigSet::empty();
        nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
        kept().try_for_each(|descriptor| keep_over_exec(descriptor, true))?;
        let failed = execve(&path, &arguments, &environment);
        kept().try_for_each(|descriptor| keep_over_exec(descriptor, false))?;
        before.thread_set_mask()?;
        failed.with_context(|| format!("cannot become {}", self.path.display()))
    }
}

/// What the child says: that it can, or why not.
fn listen(child: &mut Child) -> anyhow::Result<()> {
    let mut heard = [String::new(), String::new()];
    let [answer, complaint] = &mut heard;
    if let Some(stdout) = child.stdout.take() {
        stdout.take(LONGEST_ANSWER).read_to_string(answer)?;
    }
    if let Some(stderr) = child.stderr.take() {
        stderr.take(LONGEST_ANSWER).read_to_string(complaint)?;
    }
    let _ = child.wait(); // as process 1 we may have reaped it elsewhere
    if answer.trim_end() == CAN_TAKE_OVER {
        return Ok(());
    }
    let why = complaint.trim().trim_start_matches("<3>").trim_start_matches("pulse-echo: ");
    Err(anyhow!(
        "the new program cannot take over: {}",
        if why.is_empty() { "it does not say why" } else { why }
    ))
}

/// Ours, and where the description is.
fn environment(description: RawFd) -> anyhow::Result<Vec<CString>> {
    // Sockets that were passed are described with the others: their numbers may be others' by now.
    let passed =
        |name: &OsString| ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"].iter().any(|passed| name == passed);
    let others = env::vars_os().filter(|(name, _)| name != CARRIED && !passed(name));
    let own = (OsString::from(CARRIED), OsString::from(description.to_string()));
    let variable =
        |(name, value): (OsString, OsString)| CString::new([name.into_vec(), value.into_vec()].join(&b'='));
    Ok(others.chain([own]).map(variable).collect::<Result<_, _>>()?)
}

#[expect(unsafe_code, reason = "descriptors are described by their numbers, and kept open by their owners")]
fn keep_over_exec(descriptor: RawFd, keep: bool) -> nix::Result<()> {
    // SAFETY: whoever described it owns it, and does nothing until this is over.
    let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(descriptor) };
    let flags = if keep { FdFlag::empty() } else { FdFlag::FD_CLOEXEC };
    fcntl(descriptor, FcntlArg::F_SETFD(flags)).map(drop)
}

/// The clock that goes on over an exec.
pub fn monotonic_ns() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).map(Duration::from);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}
