//! Socket options, see tcp(7) and socket(7).

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use crate::core::{Heartbeat, Protocol, whole_seconds};

/// `MAX_TCP_KEEPCNT` of the kernel's include/net/tcp.h.
const MOST_RETRIES: u32 = 127;

/// Sets TCP keepalive on a listening socket, whose connections inherit it, or on a connection.
///
/// In the raw protocol it is the heartbeat. In the line protocol it is a witness, heard when a silent peer is
/// judged: it asks the host while the application cannot be asked, and hardly ever gives up by itself.
///
/// # Errors
/// The socket is gone.
pub fn set_keepalive(
    socket: &SockRef<'_>,
    protocol: Protocol,
    heartbeat: Option<Heartbeat>,
) -> io::Result<()> {
    let Some(heartbeat) = heartbeat else {
        return socket.set_keepalive(false);
    };
    let retries = match protocol {
        Protocol::Raw => heartbeat.max_missed,
        Protocol::Line => MOST_RETRIES,
    };
    let keepalive = TcpKeepalive::new()
        .with_time(whole_seconds(heartbeat.interval))
        .with_interval(whole_seconds(heartbeat.timeout))
        .with_retries(retries);
    socket.set_tcp_keepalive(&keepalive)
}

/// The coming close is an RST, and what the peer has not taken is dropped. Unlike FIN it cannot be taken for an empty answer,
/// and it leaves no TIME_WAIT here.
pub fn abort_on_close(socket: &SockRef<'_>) {
    // Failing, it closes by FIN: that costs the kernel's memory for a while, and is less plain to the peer.
    let _ = socket.set_linger(Some(Duration::ZERO));
}
