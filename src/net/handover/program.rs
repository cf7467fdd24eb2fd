//! The program that goes on in this process: it takes our place by exec.

use std::convert::Infallible;
use std::env;
use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};
use nix::unistd::execve;

use super::description::Description;
use super::executable::path_of_this_program;
use super::inherited::CARRIED;
use crate::ops::process_state;

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
        Ok(Program { path: path_of_this_program()?, arguments: env::args_os().collect() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What starts it as a child.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(self.arguments.iter().skip(1));
        command
    }

    /// Becomes it, with `descriptors` kept open and all signals held back until it hears them. Returns only where that fails, or
    /// a stop is wanted rather.
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
    ) -> anyhow::Result<Infallible> {
        let file = description.write()?;
        let path = CString::new(self.path.as_os_str().as_bytes())?;
        let arguments = self.arguments.iter().map(|argument| CString::new(argument.as_bytes()));
        let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
        let environment = environment(file.as_raw_fd())?;
        let _held_back = HeldBack::all_signals()?;
        let _kept = KeptOverExec::of(descriptors.iter().copied().chain([file.as_raw_fd()]).collect())?;
        ensure!(!process_state::stop_is_held_back(), "a stop came meanwhile");
        execve(&path, &arguments, &environment)
            .with_context(|| format!("cannot become {}", self.path.display()))
    }
}

/// Signals, until this is dropped.
struct HeldBack(SigSet);

impl HeldBack {
    fn all_signals() -> nix::Result<HeldBack> {
        let mut before = SigSet::empty();
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
        Ok(HeldBack(before))
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        let HeldBack(before) = self;
        let _ = before.thread_set_mask(); // a mask that held can hold again
    }
}

/// Descriptors that an exec leaves open, until this is dropped.
struct KeptOverExec(Vec<RawFd>);

impl KeptOverExec {
    fn of(descriptors: Vec<RawFd>) -> nix::Result<KeptOverExec> {
        let kept = KeptOverExec(descriptors); // first: where one of them fails the others are set back
        kept.set_flags(FdFlag::empty())?;
        Ok(kept)
    }

    #[expect(
        unsafe_code,
        reason = "descriptors are described by their numbers, and kept open by their owners"
    )]
    fn set_flags(&self, flags: FdFlag) -> nix::Result<()> {
        let KeptOverExec(descriptors) = self;
        descriptors.iter().try_for_each(|descriptor| {
            // SAFETY: whoever described it owns it, and does nothing until this is over.
            let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(*descriptor) };
            fcntl(descriptor, FcntlArg::F_SETFD(flags)).map(drop)
        })
    }
}

impl Drop for KeptOverExec {
    fn drop(&mut self) {
        let _ = self.set_flags(FdFlag::FD_CLOEXEC); // each is open
    }
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

/// The clock that goes on over an exec.
pub fn monotonic_ns() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).map(Duration::from);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}
