//! Records of listening sockets that died.

use std::io;
use std::net::SocketAddr;

use tracing::{error, warn};

use crate::ops::errno::ErrnoName;

/// The socket of a listener had died, and another took its place.
pub fn listener_reopened(listener: &str, address: SocketAddr, cause: &io::Error) {
    warn!(
        event = display("listener_reopened"),
        listener = display(listener),
        address = display(address),
        errno = cause.raw_os_error().map(|errno| display(ErrnoName(errno))),
        "the listening socket on {address} was destroyed or shut down by others; listening with a new one"
    );
}

/// The socket of a listener died for good: the service ends.
pub fn listener_lost(listener: &str, address: SocketAddr, cause: &io::Error) {
    error!(
        event = display("listener_lost"),
        listener = display(listener),
        address = display(address),
        errno = cause.raw_os_error().map(|errno| display(ErrnoName(errno))),
        "the listening socket on {address} is lost ({cause}): stopping, to be started again"
    );
}
