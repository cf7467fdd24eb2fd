//! The floor: a bare epoll loop, as one would write it in C. One thread, no deadlines, heartbeats, counters or logs.
//!
//! It is no server: a peer that does not take its echo at once is dropped.

use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use socket2::Socket;

/// As many as tokio takes from the kernel in one go.
const EVENTS: usize = 1024;

/// Serves for ever.
pub fn serve(address: SocketAddr) -> anyhow::Result<Infallible> {
    let listener = Socket::from(TcpListener::bind(address)?);
    listener.set_tcp_nodelay(true)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&listener, readable(&listener))?;
    let mut peers: Vec<Option<TcpStream>> = Vec::new(); // by descriptor
    let mut events = [EpollEvent::empty(); EVENTS];
    let mut buffer = [0; 16 * 1024];
    loop {
        let ready = epoll.wait(&mut events, EpollTimeout::NONE)?;
        for event in &events[..ready] {
            let descriptor = event.data() as usize;
            if descriptor == listener.as_raw_fd() as usize {
                accept(&listener, &epoll, &mut peers)?;
            } else if let Some(Some(peer)) = peers.get_mut(descriptor)
                && !echo(peer, &mut buffer)
            {
                peers[descriptor] = None; // closed, and thereby out of the epoll set
            }
        }
    }
}

fn readable(socket: &Socket) -> EpollEvent {
    EpollEvent::new(EpollFlags::EPOLLIN, socket.as_raw_fd() as u64)
}

fn accept(listener: &Socket, epoll: &Epoll, peers: &mut Vec<Option<TcpStream>>) -> anyhow::Result<()> {
    let (peer, _) = listener.accept4(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)?;
    let descriptor = peer.as_raw_fd() as usize;
    epoll.add(&peer, readable(&peer))?;
    if peers.len() <= descriptor {
        peers.resize_with(descriptor + 1, || None);
    }
    peers[descriptor] = Some(peer.into());
    Ok(())
}

/// Returns whether the peer is still there.
fn echo(peer: &mut TcpStream, buffer: &mut [u8]) -> bool {
    match peer.read(buffer) {
        Ok(0) | Err(_) => false,
        Ok(read) => peer.write(&buffer[..read]).is_ok_and(|written| written == read),
    }
}
