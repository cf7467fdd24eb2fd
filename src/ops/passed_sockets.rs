//! The sockets that the service manager passes, see sd_listen_fds(3).

use std::env;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

/// They follow the standard streams.
const FIRST: RawFd = 3;

/// The sockets that were passed to this process, by name. To be asked once, before anything is opened: whoever asks, owns
/// them, and a number that was not passed could by then be something else.
///
/// # Errors
/// The variables that speak of them promise what is not there.
pub fn passed_sockets() -> io::Result<Vec<(String, OwnedFd)>> {
    let ours = env::var("LISTEN_PID").is_ok_and(|pid| pid.parse() == Ok(std::process::id()));
    let Some(count) = env::var_os("LISTEN_FDS").filter(|_| ours) else {
        return Ok(Vec::new());
    };
    let count = count.to_str().and_then(|count| count.parse::<u16>().ok());
    let count = count.ok_or_else(|| io::Error::other("LISTEN_FDS is not a number of sockets"))?;
    let names = env::var_os("LISTEN_FDNAMES").unwrap_or_default();
    let names = names.to_string_lossy();
    let names = names.split(':').chain(std::iter::repeat(""));
    (FIRST..)
        .zip(names)
        .take(count.into())
        .map(|(number, name)| {
            let name = if name.is_empty() { "unknown" } else { name };
            Ok((name.to_owned(), own(number)?))
        })
        .collect()
}

/// Takes a descriptor that is promised to be open, and keeps it from what this process may start.
#[expect(
    unsafe_code,
    reason = "the service manager names descriptors by number; from here on they are owned"
)]
fn own(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: this only changes a flag; a number that is not open is an error.
    let result = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    Errno::result(result).map_err(|errno| {
        io::Error::other(format!(
            "LISTEN_FDS promises a socket, but descriptor {number} is not open ({errno})"
        ))
    })?;
    // SAFETY: it is open, and sd_listen_fds(3) hands it over to this process; nothing else here knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
