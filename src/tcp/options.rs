//! Socket options, see tcp(7) and socket(7).

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use crate::core::{Heartbeat, Protocol, whole_seconds};

/// `MAX_TCP_KEEPCNT` of the kernel's include/net/tcp.h.
const MOST_RETRIES: u32 = 127;

/// The kernel doubles it for its own overhead, and no longer lets it grow to megabytes. The most with which everything of a peer
/// that reads nothing stays below 256 KiB.
const RECEIVE_BUFFER_BYTES: usize = 80 * 1024;

/// With more than this waiting to be sent a socket takes no more (tcp(7): `TCP_NOTSENT_LOWAT`). What is on its way is not
/// limited by it, so a fast path stays fast.
const UNSENT_BYTES: u32 = 32 * 1024;

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

/// Limits what the kernel keeps for a connection, or for those that a listening socket accepts, to less than 256 KiB both ways
/// while the peer takes nothing: see docs/operations.md, "What one peer can cost".
///
/// # Errors
/// The socket is gone.
pub fn limit_memory(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)
}

/// The coming close is an RST, and what the peer has not taken is dropped. Unlike FIN it cannot be taken for an empty answer,
/// and it leaves no TIME_WAIT here.
pub fn abort_on_close(socket: &SockRef<'_>) {
    // Failing, it closes by FIN: that costs the kernel's memory for a while, and is less plain to the peer.
    let _ = socket.set_linger(Some(Duration::ZERO));
}
