//! What hostile, broken or merely eager clients do to a server, until they are told to stop.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

/// A kind of misuse: returns how much of it there was.
pub type Misuse = fn(SocketAddr, &AtomicBool) -> std::io::Result<u64>;

const CHUNK: [u8; 16 * 1024] = [b'x'; 16 * 1024];
const PAUSE: Duration = Duration::from_millis(1);

/// Connects as fast as it can, and resets each connection at once. Counts connections.
pub fn flood_of_connections(address: SocketAddr, over: &AtomicBool) -> std::io::Result<u64> {
    let mut connections = 0;
    while !over.load(Ordering::Relaxed) {
        // Where the server refuses or resets first, so much the better for it.
        if let Ok(socket) = TcpStream::connect(address) {
            SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
            connections += 1;
        }
    }
    Ok(connections)
}

/// A thousand peers that send as much as is taken and read nothing. Counts bytes.
pub fn peers_that_read_nothing(address: SocketAddr, over: &AtomicBool) -> std::io::Result<u64> {
    let mut peers = connect(address, 1000)?;
    let mut bytes = 0;
    while !over.load(Ordering::Relaxed) {
        let mut taken = 0;
        for peer in &mut peers {
            match peer.write(&CHUNK) {
                Ok(written) => taken += written as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => *peer = connect_one(address)?, // the server gave it up: once more
            }
        }
        bytes += taken;
        if taken == 0 {
            thread::sleep(PAUSE);
        }
    }
    Ok(bytes)
}

/// A thousand peers that send one byte a second each. Counts bytes.
pub fn peers_that_trickle(address: SocketAddr, over: &AtomicBool) -> std::io::Result<u64> {
    let mut peers = connect(address, 1000)?;
    let mut bytes = 0;
    while !over.load(Ordering::Relaxed) {
        let turn = bytes as usize % peers.len();
        bytes += peers[turn].write(b"x")? as u64;
        thread::sleep(PAUSE);
    }
    Ok(bytes)
}

/// One peer that sends and reads as fast as it can. Counts bytes that came back.
pub fn firehose(address: SocketAddr, over: &AtomicBool) -> std::io::Result<u64> {
    let mut peer = connect_one(address)?;
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    while !over.load(Ordering::Relaxed) {
        let sent = unless_blocked(peer.write(&CHUNK))?;
        let received = unless_blocked(peer.read(&mut buffer))?;
        bytes += received as u64;
        if sent + received == 0 {
            thread::yield_now();
        }
    }
    Ok(bytes)
}

fn connect(address: SocketAddr, count: usize) -> std::io::Result<Vec<TcpStream>> {
    (0..count).map(|_| connect_one(address)).collect()
}

fn connect_one(address: SocketAddr) -> std::io::Result<TcpStream> {
    let peer = TcpStream::connect(address)?;
    peer.set_nonblocking(true)?;
    Ok(peer)
}

fn unless_blocked(result: std::io::Result<usize>) -> std::io::Result<usize> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}
