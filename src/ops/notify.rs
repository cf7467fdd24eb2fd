//! The way to the service manager: datagrams to `$NOTIFY_SOCKET`, see sd_notify(3).
//!
//! Sending never waits. While nobody reads them, the messages that count are kept and sent before the next one; the others
//! are dropped, for the next one says the same.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// More than a stop and some reloads have to say.
const MOST_KEPT: usize = 16;

/// A service manager that can be told something.
#[derive(Debug)]
pub struct Notifier {
    socket: UnixDatagram,
    address: SocketAddr,
    /// What counts and could not be sent yet, oldest first.
    kept: Mutex<VecDeque<String>>,
}

impl Notifier {
    /// The way to the socket of that name: a path, or `@` and a name in the abstract namespace.
    ///
    /// # Errors
    /// Nobody listens there, or it is no name of a Unix socket.
    pub fn to(name: &OsStr) -> io::Result<Notifier> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        let address = address(name.as_bytes())?;
        // To find out now; what is sent later finds its way anew, to whoever listens there then.
        UnixDatagram::unbound()?.connect_addr(&address)?;
        Ok(Notifier { socket, address, kept: Mutex::default() })
    }

    /// Sends what must arrive, now or before whatever is sent next.
    pub fn send(&self, message: String) {
        let mut kept = self.kept();
        if kept.len() == MOST_KEPT {
            kept.pop_front();
        }
        kept.push_back(message);
        self.send_kept(&mut kept);
    }

    /// Sends what is of use only now.
    pub fn send_or_drop(&self, message: &str) {
        let mut kept = self.kept();
        self.send_kept(&mut kept);
        if kept.is_empty() {
            let _ = self.try_send(message);
        }
    }

    fn send_kept(&self, kept: &mut VecDeque<String>) {
        while let Some(message) = kept.front() {
            match self.try_send(message) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // A service manager that is gone is no reason to stop serving.
                _ => kept.pop_front(),
            };
        }
    }

    fn try_send(&self, message: &str) -> io::Result<usize> {
        self.socket.send_to_addr(message.as_bytes(), &self.address)
    }

    /// They are whole at every unlock.
    fn kept(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address of the socket of that name.
///
/// # Errors
/// It is no name of a Unix socket.
pub fn address(name: &[u8]) -> io::Result<SocketAddr> {
    match name {
        [b'@', abstract_name @ ..] => SocketAddr::from_abstract_name(abstract_name),
        [b'/', ..] => SocketAddr::from_pathname(OsStr::from_bytes(name)),
        _ => Err(io::Error::other("neither a path nor an abstract name, which are all that is supported")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(name: &str) -> (UnixDatagram, Notifier) {
        let name = format!("@pulse-echo-test-{name}-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&address(name.as_bytes()).unwrap()).unwrap();
        manager.set_nonblocking(true).unwrap();
        (manager, Notifier::to(OsStr::new(&name)).unwrap())
    }

    fn read(manager: &UnixDatagram) -> Option<String> {
        let mut message = [0; 64];
        let length = manager.recv(&mut message).ok()?;
        Some(String::from_utf8(message[..length].to_vec()).unwrap())
    }

    /// A socket takes a few datagrams that nobody reads, `net.unix.max_dgram_qlen`; a thousand are more than that.
    #[test]
    fn a_manager_that_does_not_read_is_not_waited_for_and_told_later_what_counts() {
        let (manager, notifier) = manager("stuck");
        (0..1000).for_each(|_| notifier.send_or_drop("WATCHDOG=1"));
        notifier.send("READY=1".to_owned());
        notifier.send("STOPPING=1".to_owned());
        notifier.send_or_drop("WATCHDOG=1");
        let waiting = std::iter::from_fn(|| read(&manager)).collect::<Vec<_>>();
        assert!(!waiting.is_empty() && waiting.iter().all(|message| message == "WATCHDOG=1"), "{waiting:?}");
        notifier.send_or_drop("STATUS=fine");
        let told = std::iter::from_fn(|| read(&manager)).collect::<Vec<_>>();
        assert_eq!(told, ["READY=1", "STOPPING=1", "STATUS=fine"]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (_manager, notifier) = manager("bounded");
        (0..1000).for_each(|_| notifier.send("RELOADING=1".to_owned()));
        assert_eq!(notifier.kept().len(), MOST_KEPT);
    }

    #[test]
    fn a_manager_that_is_not_there_is_noticed_at_once() {
        for name in
            ["/nonexistent/notify", "@pulse-echo-test-nobody", "vsock:2:1234", "relative", "/dev/null"]
        {
            assert!(Notifier::to(OsStr::new(name)).is_err(), "{name}");
        }
    }
}
