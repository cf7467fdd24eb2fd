//! What the program before has left in this process.

use std::collections::HashMap;
use std::env;
use std::fs::File;
use std::io::{self, Seek as _};
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

use anyhow::{Context as _, ensure};
use nix::errno::Errno;

use super::description::{CarriedConnection, Description};

/// The variable that names the descriptor of the description.
pub const CARRIED: &str = "PULSE_ECHO_HANDOVER";

/// The variable that asks whether this program could take over so many connections, which standard input describes.
pub const ASKED: &str = "PULSE_ECHO_HANDOVER_QUESTION";

/// The answer, if it can.
pub const CAN_TAKE_OVER: &str = "can take over";

/// Whether this program understands what it is asked about; `None`: it was not started for that alone.
pub fn asked_whether() -> Option<anyhow::Result<()>> {
    let count = env::var(ASKED).ok()?;
    let understood = count.parse().context("it is not said of how many connections").and_then(understand);
    Some(understood.context("what the running program hands over is not understood"))
}

fn understand(count: u64) -> anyhow::Result<()> {
    let description = Description::read(io::stdin().lock(), Some(count))?;
    let is_understood =
        |line| CarriedConnection::read(line).is_some_and(|connection| connection.is_understood());
    let understood = description.lines().filter(|line| is_understood(line)).count() as u64;
    ensure!(
        understood == count,
        "of {count} connections {} are in other words",
        count - understood.min(count)
    );
    Ok(())
}

/// What was carried over, if this program took the place of another. To be asked once, before there is a second thread.
///
/// # Errors
/// It cannot be read, or not be understood.
pub fn take() -> Option<anyhow::Result<Carried>> {
    let number = env::var(CARRIED).ok()?;
    forget_variable();
    Some(number.parse().context("it has no descriptor").and_then(Carried::read))
}

#[expect(unsafe_code, reason = "nobody else may take it for theirs: children inherit the environment")]
fn forget_variable() {
    // SAFETY: there is no other thread yet.
    unsafe { env::remove_var(CARRIED) };
}

/// What the program before left, and what it means.
#[derive(Debug)]
pub struct Carried {
    /// What it said.
    pub description: Description,
    /// What it spoke of.
    pub sockets: Sockets,
}

/// Descriptors of the program before, by the numbers they had there.
#[derive(Debug)]
pub struct Sockets(Option<HashMap<RawFd, OwnedFd>>);

impl Sockets {
    /// Takes one; each is there once.
    pub fn take(&mut self, number: RawFd) -> Option<OwnedFd> {
        match &mut self.0 {
            Some(received) => received.remove(&number),
            None => own(number).ok(),
        }
    }

    /// Closes those that nobody took: their peers would wait for ever.
    pub fn close_the_rest(self) {
        if self.0.is_none() {
            close_the_rest();
        }
    }
}

impl From<HashMap<RawFd, OwnedFd>> for Sockets {
    fn from(received: HashMap<RawFd, OwnedFd>) -> Sockets {
        Sockets(Some(received))
    }
}

impl Carried {
    fn read(number: RawFd) -> anyhow::Result<Carried> {
        let description = Carried::read_description(own(number).context("its description is not there")?)?;
        Ok(Carried { description, sockets: Sockets(None) })
    }

    /// Reads it from the file that it is in, wherever that stands.
    ///
    /// # Errors
    /// It is none of ours.
    pub fn read_description(file: OwnedFd) -> anyhow::Result<Description> {
        let mut file = File::from(file);
        file.rewind()?;
        Description::read(file, None)
    }
}

/// Closes what came over the exec and nobody took: its peers would wait for ever.
pub fn close_the_rest() {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers: Vec<RawFd> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.into_iter().for_each(|number| drop(own(number)));
}

/// Owns a descriptor that was described by its number, and keeps it from what this process may start. Each is owned once.
///
/// # Errors
/// It is not open, or is one of the standard streams.
#[expect(unsafe_code, reason = "the program before names descriptors by number; from here on they are owned")]
fn own(number: RawFd) -> nix::Result<OwnedFd> {
    if number <= libc::STDERR_FILENO {
        return Err(Errno::EBADF);
    }
    // SAFETY: this reads and changes a flag; a number that is not open is an error.
    let flags = Errno::result(unsafe { libc::fcntl(number, libc::F_GETFD) })?;
    if flags & libc::FD_CLOEXEC != 0 {
        return Err(Errno::EBADF); // opened by this program, or owned before
    }
    // SAFETY: as above.
    Errno::result(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: it is open, came over an exec, and as the flag shows nobody here owns it yet.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
