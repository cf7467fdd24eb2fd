//! Listening sockets: their options, and what the errors of accept(2) mean.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::stat::fstat;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::net::handover::CarriedListener;
use crate::net::options::ListenerOptions;
use crate::tcp;

/// Connections that may wait to be accepted; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// A listening socket and what it is for.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    options: Arc<ListenerOptions>,
    /// The service manager opened it, and keeps it open.
    passed: bool,
}

/// An address that could not be listened on.
#[derive(Debug)]
pub struct BindError {
    /// Its name.
    pub listener: Arc<str>,
    /// As configured.
    pub address: SocketAddr,
    /// What the system said.
    pub cause: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BindError { listener, address, cause } = self;
        write!(formatter, "listener \"{listener}\" cannot listen on {address}")?;
        match hint(*address, cause) {
            Some(hint) => write!(formatter, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// What the words of an errno do not say: who is in the way, and what helps. See bind(2), ip(7) and systemd.exec(5).
fn hint(address: SocketAddr, cause: &io::Error) -> Option<&'static str> {
    Some(match cause.raw_os_error()? {
        libc::EAFNOSUPPORT if address.is_ipv6() => {
            "the kernel has no IPv6, or hardening as RestrictAddressFamilies= forbids it"
        }
        libc::EAFNOSUPPORT => "hardening as RestrictAddressFamilies= forbids IPv4",
        libc::EADDRNOTAVAIL => "no interface of this machine has the address now",
        libc::EADDRINUSE => "another socket listens there: `ss -ltnp` shows whose",
        libc::EACCES if address.port() < 1024 => {
            "ports below 1024 take a socket unit, CAP_NET_BIND_SERVICE, or net.ipv4.ip_unprivileged_port_start"
        }
        libc::EACCES | libc::EPERM => "a security module or hardening as SocketBindDeny= forbids it",
        libc::EMFILE => "the limit of open descriptors is reached: ulimit -n, LimitNOFILE=",
        libc::ENFILE => "the limit of open files in the whole system is reached: fs.file-max",
        _ => return None,
    })
}

impl BindError {
    /// What kept these options from being had.
    pub fn of(options: &ListenerOptions, cause: io::Error) -> BindError {
        BindError { listener: Arc::clone(&options.name), address: options.address, cause }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// A listening socket died while it was served, and there is no way to another. Its name, address and the cause.
#[derive(Debug)]
pub struct ListenerLost {
    /// Its name.
    pub listener: Arc<str>,
    /// As configured.
    pub address: SocketAddr,
    /// What the system said.
    pub cause: io::Error,
}

impl fmt::Display for ListenerLost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ListenerLost { listener, address, .. } = self;
        write!(
            formatter,
            "the socket of listener \"{listener}\" was destroyed or shut down by others, and cannot be opened anew \
             on {address}"
        )
    }
}

impl std::error::Error for ListenerLost {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl Listener {
    /// Binds and listens.
    ///
    /// # Errors
    /// The address is in use, not of this machine, not allowed, …
    pub fn bind(options: &ListenerOptions) -> Result<Listener, BindError> {
        Listener::open(options, Port::Own)
    }

    /// Binds and listens on a port that sockets with [`AcceptingListener::share_port`] may hold, for as long as they live.
    ///
    /// # Errors
    /// As for [`Listener::bind`].
    pub fn bind_on_shared_port(options: &ListenerOptions) -> Result<Listener, BindError> {
        Listener::open(options, Port::Shared)
    }

    fn open(options: &ListenerOptions, port: Port) -> Result<Listener, BindError> {
        let listener = |socket| Listener::new(socket, options, false);
        open(options.address, port).and_then(listener).map_err(|cause| BindError::of(options, cause))
    }

    /// Takes over a socket that listens already; `passed`: the service manager opened it, and keeps it open.
    ///
    /// # Errors
    /// It is no TCP socket.
    pub fn new(socket: Socket, options: &ListenerOptions, passed: bool) -> io::Result<Listener> {
        configure(&SockRef::from(&socket), options)?;
        Ok(Listener { socket: socket.into(), options: Arc::new(options.clone()), passed })
    }

    /// The address, with the real port.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// How its connections are served.
    pub fn options(&self) -> &Arc<ListenerOptions> {
        &self.options
    }

    /// Makes it ready to accept in the event loop whose runtime was entered.
    ///
    /// # Errors
    /// The event loop cannot take it.
    pub fn into_accepting(self) -> io::Result<AcceptingListener> {
        Ok(AcceptingListener {
            address: self.address()?,
            socket: Mutex::new(register(self.socket)?),
            options: Mutex::new(self.options),
            passed: self.passed,
            queue_is_older: AtomicBool::new(true),
        })
    }
}

/// A listener that takes connections. They come as plain sockets, so that each is registered once, in its own loop.
#[derive(Debug)]
pub struct AcceptingListener {
    /// With the real port: a socket that was destroyed may have lost it.
    address: SocketAddr,
    socket: Mutex<Arc<AsyncFd<TcpListener>>>,
    options: Mutex<Arc<ListenerOptions>>,
    passed: bool,
    /// What waits to be accepted may have come before the socket options that hold now: it inherited others.
    queue_is_older: AtomicBool,
}

impl AcceptingListener {
    /// The next connection.
    ///
    /// # Errors
    /// As accept(2); [`AcceptFailure::of`] tells what they mean.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let socket = self.socket();
        loop {
            let mut ready = socket.readable().await?;
            let Ok(accepted) = ready.try_io(|socket| accept(socket.get_ref())) else {
                self.queue_is_older.store(false, Ordering::Relaxed); // nothing waits
                continue;
            };
            if self.queue_is_older.load(Ordering::Relaxed)
                && let Ok((socket, _)) = &accepted
            {
                // It fails only where the connection is over, which the next read tells better.
                let _ = configure(&SockRef::from(socket), &self.options());
            }
            return accepted;
        }
    }

    /// Listens on the same address with a new socket, and returns the address. To be called where its runtime runs.
    ///
    /// # Errors
    /// Somebody else listens there, nothing is left to open a socket with, …
    pub fn reopen(&self) -> io::Result<SocketAddr> {
        let socket = open(self.address, Port::Own)?;
        configure(&SockRef::from(&socket), &self.options())?;
        *self.current_socket() = register(socket.into())?;
        Ok(self.address)
    }

    fn socket(&self) -> Arc<AsyncFd<TcpListener>> {
        Arc::clone(&self.current_socket())
    }

    /// It is whole at every unlock.
    fn current_socket(&self) -> MutexGuard<'_, Arc<AsyncFd<TcpListener>>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How its connections are served.
    pub fn options(&self) -> Arc<ListenerOptions> {
        Arc::clone(&self.current_options())
    }

    /// It is whole at every unlock.
    fn current_options(&self) -> MutexGuard<'_, Arc<ListenerOptions>> {
        self.options.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How another program finds its socket.
    pub fn carried(&self) -> CarriedListener {
        let options = self.options();
        let descriptor = self.socket().get_ref().as_raw_fd();
        let (name, address) = (options.name.to_string(), options.address);
        CarriedListener { name, address, descriptor, passed: self.passed }
    }

    /// The number of its socket in the kernel's tables.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn inode(&self) -> io::Result<u64> {
        Ok(fstat(self.socket().get_ref())?.st_ino)
    }

    /// Whether the service manager opened its socket, and keeps it open.
    pub fn is_passed(&self) -> bool {
        self.passed
    }

    /// Whether another socket of ours may listen on its port, be it on an overlapping address.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn share_port(&self, share: bool) -> io::Result<()> {
        SockRef::from(self.socket().get_ref()).set_reuse_port(share)
    }

    /// Replaces the options of future connections.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn set_options(&self, options: &ListenerOptions) -> io::Result<()> {
        configure(&SockRef::from(self.socket().get_ref()), options)?;
        self.queue_is_older.store(true, Ordering::Relaxed);
        *self.current_options() = Arc::new(options.clone());
        Ok(())
    }
}

/// Makes a socket wake its acceptor in the event loop whose runtime was entered.
#[expect(unsafe_code, reason = "whoever registers with AsyncFd answers for the descriptor's staying open")]
fn register(socket: TcpListener) -> io::Result<Arc<AsyncFd<TcpListener>>> {
    // SAFETY: a TcpListener owns its one open descriptor until it is dropped.
    Ok(Arc::new(unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?))
}

/// Who listens on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    /// Nobody else.
    Own,
    /// For a moment, also a socket of ours that is about to close: 0.0.0.0 can take over from 127.0.0.1.
    Shared,
}

/// Non-blocking from the start: one system call less per connection.
fn accept(socket: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = SockRef::from(socket).accept4(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)?;
    let peer = peer.as_socket().ok_or(io::ErrorKind::Unsupported)?;
    Ok((stream.into(), tcp::canonical(peer)))
}

fn open(address: SocketAddr, port: Port) -> io::Result<Socket> {
    let socket = bind(address, port)?;
    socket.listen(BACKLOG)?;
    socket.set_reuse_port(false)?; // it does not suffice: see refuse_to_share
    Ok(socket)
}

fn bind(address: SocketAddr, port: Port) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // What is written is what is bound: [::] does not take IPv4 as well, so 0.0.0.0 can stand beside it.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(port == Port::Shared)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Makes a second daemon on a port that was shared an error again.
///
/// The kernel remembers with each port that its last bind was one to share, and then lets others in without a look at the
/// sockets that hold it (`sk_reuseport_match` in net/ipv4/inet_connection_sock.c). A bind that is none to share makes it
/// forget: of any address that is not taken, for a moment. Without IPv6 a holder of 0.0.0.0 leaves no such address.
pub fn refuse_to_share(address: SocketAddr) {
    let elsewhere = [IpAddr::V6(Ipv6Addr::LOCALHOST)].into_iter().chain((1..=8).map(loopback));
    let bound = |ip| bind(SocketAddr::new(ip, address.port()), Port::Own).is_ok();
    let _ = elsewhere.into_iter().any(bound);
}

fn loopback(host: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, host).into()
}

/// Options that a connection needs are set here: on Linux it inherits them, which saves system calls per connection.
fn configure(socket: &SockRef<'_>, options: &ListenerOptions) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    // Urgent bytes (telnet sends some) are bytes of the stream like others; else the kernel keeps them from us.
    socket.set_out_of_band_inline(true)?;
    tcp::limit_memory(socket)?;
    tcp::set_keepalive(socket, options.protocol, options.timing.heartbeat)
}

/// What a failed accept(2) means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptFailure {
    /// That one client's affair: go on at once.
    ClientGone,
    /// Ours, and it will not pass at once: wait a little.
    Exhausted,
    /// The listening socket does not listen any more: `ss --kill` destroyed it, or who shares it called shutdown(2).
    SocketDead,
}

impl AcceptFailure {
    /// accept(2), "Error handling": pending network errors of the new socket are reported by accept.
    pub fn of(error: &io::Error) -> AcceptFailure {
        match error.raw_os_error() {
            Some(
                libc::ECONNABORTED
                | libc::EINTR
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::ENETDOWN
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::EOPNOTSUPP
                | libc::ENETUNREACH,
            ) => AcceptFailure::ClientGone,
            Some(libc::EINVAL | libc::EBADF | libc::ENOTSOCK) => AcceptFailure::SocketDead,
            _ => AcceptFailure::Exhausted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_from_listening_is_told_with_what_helps() {
        let told = |errno, address: &str| {
            let address = address.parse().expect("an address");
            let cause = io::Error::from_raw_os_error(errno);
            BindError { listener: "a".into(), address, cause }.to_string()
        };
        for (errno, address, words) in [
            (libc::EAFNOSUPPORT, "[::1]:7", "no IPv6, or hardening as RestrictAddressFamilies="),
            (libc::EAFNOSUPPORT, "127.0.0.1:7", "RestrictAddressFamilies= forbids IPv4"),
            (libc::EADDRNOTAVAIL, "192.0.2.1:7", "no interface"),
            (libc::EADDRINUSE, "127.0.0.1:7", "ss -ltnp"),
            (libc::EACCES, "127.0.0.1:7", "CAP_NET_BIND_SERVICE"),
            (libc::EACCES, "127.0.0.1:7007", "security module"),
            (libc::EMFILE, "127.0.0.1:7", "LimitNOFILE="),
        ] {
            let told = told(errno, address);
            assert!(told.contains(words), "{told}");
        }
        assert_eq!(told(libc::EIO, "127.0.0.1:7"), "listener \"a\" cannot listen on 127.0.0.1:7");
    }

    #[test]
    fn a_client_a_lack_of_ours_and_a_dead_socket_are_told_apart() {
        let of = |errno| AcceptFailure::of(&io::Error::from_raw_os_error(errno));
        for errno in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM] {
            assert_eq!(of(errno), AcceptFailure::Exhausted);
        }
        assert_eq!(of(libc::ECONNABORTED), AcceptFailure::ClientGone);
        assert_eq!(of(libc::EINVAL), AcceptFailure::SocketDead);
    }
}
