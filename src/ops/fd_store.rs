//! The service manager's store of descriptors, which outlives the program: see sd_pid_notify_with_fds(3).
//!
//! Whoever stores must know whether it worked, so unlike other messages these are waited for. Nothing else waits meanwhile.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::SocketAddr;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::net::unix::pipe;

use super::{notify, systemd};

/// Whether there may be one.
pub fn is_there() -> bool {
    manager().is_ok()
}

/// The way to it.
#[derive(Debug)]
pub struct FdStore(UnixDatagram);

impl FdStore {
    /// # Errors
    /// There is no service manager.
    pub fn open() -> io::Result<FdStore> {
        let socket = std::os::unix::net::UnixDatagram::unbound()?;
        socket.connect_addr(&manager()?)?;
        socket.set_nonblocking(true)?;
        Ok(FdStore(UnixDatagram::from_std(socket)?))
    }

    /// Offers a descriptor under a name. Taken, it stays there over a restart of the service, whatever becomes of the other end;
    /// a store that is full, or is none, closes it without a word.
    ///
    /// # Errors
    /// The service manager is gone.
    pub async fn offer(&self, name: &str, descriptor: BorrowedFd<'_>) -> io::Result<()> {
        self.send(&format!("FDSTORE=1\nFDNAME={name}\nFDPOLL=0"), descriptor).await
    }

    /// Waits until the service manager has read all that was sent: of a process that is gone it takes nothing.
    ///
    /// # Errors
    /// As for [`FdStore::offer`].
    pub async fn wait_until_read(&self) -> io::Result<()> {
        let (read, write) = io::pipe()?;
        self.send("BARRIER=1", write.as_fd()).await?;
        drop(write);
        // Nobody writes: what comes is the end.
        pipe::Receiver::from_owned_fd(read.into())?.readable().await
    }

    async fn send(&self, message: &str, descriptor: BorrowedFd<'_>) -> io::Result<()> {
        let FdStore(socket) = self;
        let descriptors = [descriptor.as_raw_fd()];
        let send = || {
            let rights = [ControlMessage::ScmRights(&descriptors)];
            let text = [IoSlice::new(message.as_bytes())];
            let mut sent = Err(Errno::EINTR);
            while sent == Err(Errno::EINTR) {
                sent = sendmsg::<()>(socket.as_raw_fd(), &text, &rights, MsgFlags::empty(), None);
            }
            Ok(sent?)
        };
        socket.async_io(Interest::WRITABLE, send).await.map(drop)
    }
}

/// Takes everything of that name out of it, as soon as the service manager reads.
pub fn remove(name: &str) {
    systemd::tell(format!("FDSTOREREMOVE=1\nFDNAME={name}"));
}

fn manager() -> io::Result<SocketAddr> {
    let name = systemd::socket_name().ok_or(io::ErrorKind::NotFound)?;
    notify::address(name.as_bytes())
}
