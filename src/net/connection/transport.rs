//! What a connection task needs of its stream.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::core::{Evidence, Heartbeat, Protocol};
use crate::tcp;

/// A stream, and the looks past the runtime's readiness cache that a fair judgement needs.
pub trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// The near end; `None` if the system would not tell.
    fn local_address(&self) -> Option<SocketAddr> {
        None
    }

    /// Reads what has arrived by now, whatever the runtime knows of it.
    fn read_now(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        poll_read(self, cx, buffer)
    }

    /// Writes what there is room for by now, whatever the runtime knows of it.
    fn write_now(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self).poll_write(cx, bytes)
    }

    /// Whether the peer's TCP has not acknowledged all that it was sent.
    fn has_unacknowledged(&self) -> bool {
        false
    }

    /// An error that came by itself, such as a reset, and was not told yet.
    fn take_error(&self) -> Option<io::Error> {
        None
    }

    /// What received bytes take up in the kernel; `None` if unknown.
    fn receive_memory(&self) -> Option<u32> {
        None
    }

    /// What the kernel knows of the connection now.
    fn evidence(&self) -> Evidence {
        Evidence::default()
    }

    /// Takes up another heartbeat in an open connection.
    fn set_keepalive(&self, _: Protocol, _: Option<Heartbeat>) {}

    /// Makes the coming close an abort: the bytes that the peer does not take are dropped, and it is told by RST.
    fn abort_on_close(&self) {}
}

/// [`AsyncRead::poll_read`] into a plain slice; 0 is the end of the stream.
pub fn poll_read<T: AsyncRead + Unpin + ?Sized>(
    stream: &mut T,
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut buffer = ReadBuf::new(buffer);
    let read = Pin::new(stream).poll_read(cx, &mut buffer);
    read.map_ok(|()| buffer.filled().len())
}

/// The system calls here do not touch the runtime's idea of readiness, and need not: epoll is used edge-triggered, so
/// what arrives after them is reported by a new edge.
impl Transport for TcpStream {
    fn local_address(&self) -> Option<SocketAddr> {
        self.local_addr().ok().map(tcp::canonical)
    }

    fn read_now(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        pending_if_blocked((&*SockRef::from(&*self)).read(buffer))
    }

    fn write_now(&mut self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        pending_if_blocked((&*SockRef::from(&*self)).write(bytes))
    }

    fn has_unacknowledged(&self) -> bool {
        tcp::has_unacknowledged(self)
    }

    fn take_error(&self) -> Option<io::Error> {
        SockRef::from(self).take_error().ok().flatten()
    }

    fn receive_memory(&self) -> Option<u32> {
        tcp::receive_memory(self)
    }

    fn evidence(&self) -> Evidence {
        tcp::evidence(self)
    }

    fn set_keepalive(&self, protocol: Protocol, heartbeat: Option<Heartbeat>) {
        // It fails only where the connection is over, which the next read tells better.
        let _ = tcp::set_keepalive(&SockRef::from(self), protocol, heartbeat);
    }

    fn abort_on_close(&self) {
        tcp::abort_on_close(&SockRef::from(self));
    }
}

fn pending_if_blocked(result: io::Result<usize>) -> Poll<io::Result<usize>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        other => Poll::Ready(other),
    }
}
