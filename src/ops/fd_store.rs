//! The service manager's store of descriptors, which outlives the program: see sd_pid_notify_with_fds(3).
//!
//! Unlike other messages to it these are waited for, a bounded time: whoever stores is about to end.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::pipe2;

use super::{notify, systemd};

const PATIENCE: Duration = Duration::from_secs(2);

/// Whether there may be one.
pub fn is_there() -> bool {
    manager().is_ok()
}

/// Stores a descriptor under a name. It stays there over a restart of the service, whatever becomes of the other end.
///
/// # Errors
/// There is no service manager, or it does not read.
pub fn store(name: &str, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    send(&format!("FDSTORE=1\nFDNAME={name}\nFDPOLL=0"), Some(descriptor))
}

/// Takes everything of that name out of it.
///
/// # Errors
/// As for [`store`].
pub fn remove(name: &str) -> io::Result<()> {
    send(&format!("FDSTOREREMOVE=1\nFDNAME={name}"), None)
}

/// Waits until the service manager has read all that was sent: of a process that is gone it takes nothing.
///
/// # Errors
/// As for [`store`].
pub fn wait_until_read() -> io::Result<()> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    send("BARRIER=1", Some(write.as_fd()))?;
    drop(write);
    let mut closed = [PollFd::new(read.as_fd(), PollFlags::empty())];
    let patience = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
    match poll(&mut closed, patience)? {
        0 => Err(io::ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}

fn send(message: &str, descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&manager()?)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let descriptors: Vec<_> = descriptor.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let carried = if descriptors.is_empty() { &[] } else { &rights[..] };
    let text = [IoSlice::new(message.as_bytes())];
    sendmsg::<()>(socket.as_raw_fd(), &text, carried, MsgFlags::empty(), None)?;
    Ok(())
}

fn manager() -> io::Result<SocketAddr> {
    let name = systemd::socket_name().ok_or(io::ErrorKind::NotFound)?;
    notify::address(name.as_bytes())
}
