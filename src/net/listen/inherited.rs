//! Listening sockets that the service manager opened for us, by the name of their listener.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use socket2::{Domain, Socket, Type};

use super::socket::Listener;
use crate::net::options::ListenerOptions;

/// Sockets passed to the process, not all of them taken yet.
#[derive(Debug, Default)]
pub struct InheritedSockets {
    sockets: Vec<(String, Socket)>,
}

/// The sockets that were passed and the configuration do not fit together.
#[derive(Debug, PartialEq, Eq)]
pub struct SocketMismatch {
    socket: String,
    why: String,
}

impl fmt::Display for SocketMismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the socket \"{}\" that was passed to pulse-echo {}", self.socket, self.why)
    }
}

impl std::error::Error for SocketMismatch {}

impl InheritedSockets {
    /// The sockets by their names.
    pub fn new(sockets: impl IntoIterator<Item = (String, OwnedFd)>) -> InheritedSockets {
        let sockets = sockets.into_iter().map(|(name, socket)| (name, socket.into()));
        InheritedSockets { sockets: sockets.collect() }
    }

    /// Takes the socket that was passed for a listener, if there is one.
    ///
    /// # Errors
    /// It is none to accept TCP connections on, or it listens elsewhere than the configuration says.
    pub fn take(&mut self, options: &ListenerOptions) -> Result<Option<Listener>, SocketMismatch> {
        let Some(place) = self.sockets.iter().position(|(name, _)| **name == *options.name) else {
            return Ok(None);
        };
        let (name, socket) = self.sockets.swap_remove(place);
        let mismatch = |why| SocketMismatch { socket: name, why };
        match fitting(socket, options) {
            Ok(listener) => Ok(Some(listener)),
            Err(why) => Err(mismatch(why)),
        }
    }

    /// Says that nothing is left over.
    ///
    /// # Errors
    /// A socket was passed that no listener takes.
    pub fn finish(self) -> Result<(), SocketMismatch> {
        match self.sockets.into_iter().next() {
            None => Ok(()),
            Some((socket, _)) => {
                let why = "has the name of no listener in the configuration, or of one that has its socket already \
                           (FileDescriptorName= must be the listener's name)"
                    .to_owned();
                Err(SocketMismatch { socket, why })
            }
        }
    }
}

/// Says that a socket that was passed to us keeps its listener in a new configuration: the service manager holds it open,
/// so without us its clients would wait for ever.
///
/// # Errors
/// It does not.
pub fn check_kept(old: &ListenerOptions, wanted: &[ListenerOptions]) -> Result<(), SocketMismatch> {
    let why = match wanted.iter().find(|options| options.name == old.name) {
        Some(options) if options.address == old.address => return Ok(()),
        Some(options) => elsewhere(old.address, options.address),
        None => "is of a listener that the configuration leaves out".to_owned(),
    };
    Err(SocketMismatch { socket: old.name.to_string(), why })
}

fn elsewhere(real: SocketAddr, configured: SocketAddr) -> String {
    format!("listens on {real}, but the configuration says {configured}")
}

fn fitting(socket: Socket, options: &ListenerOptions) -> Result<Listener, String> {
    let unusable = |error: io::Error| format!("cannot be used: {error}");
    if socket.r#type().map_err(unusable)? != Type::STREAM || !socket.is_listener().map_err(unusable)? {
        return Err("is not a listening stream socket (ListenStream= makes one, with Accept=no)".to_owned());
    }
    if !matches!(socket.domain().map_err(unusable)?, Domain::IPV4 | Domain::IPV6) {
        return Err("is no TCP socket (ListenStream= wants an address with a port, not a path)".to_owned());
    }
    let listener = Listener::new(socket, options, true).map_err(unusable)?;
    let (real, configured) = (listener.address().map_err(unusable)?, options.address);
    let port_fits = configured.port() == 0 || configured.port() == real.port();
    if configured.ip() != real.ip() || !port_fits {
        return Err(elsewhere(real, configured));
    }
    Ok(listener)
}
