//! The load: many connections of one client, driven by one epoll instance in the calling thread.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, SockRef, Socket, Type};

use crate::measure::{Durations, now};

/// What is echoed: 64 bytes, a whole line.
pub const MESSAGE: &[u8; 64] = b"a line of 64 bytes, which is what most heartbeats and chats say\n";

/// Answers the newest probe.
const PONG: &[u8] = b"PONG\n";

const EVENTS: usize = 1024;

/// One address has ports enough for more, but they become hard to find.
const CONNECTIONS_PER_HOST: usize = 4096;

/// Connects from one of many local addresses.
pub fn connect_from(host: u8, address: SocketAddr) -> anyhow::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?; // the port is chosen later, which is far quicker
    socket.set_tcp_nodelay(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 1, host), 0)).into())?;
    socket.connect(&address.into()).context("cannot connect")?;
    Ok(socket.into())
}

/// Connections to one server.
pub struct Peers {
    epoll: Epoll,
    list: Vec<Peer>,
    events: Vec<EpollEvent>,
    buffer: Vec<u8>,
    /// Those that the server ended.
    pub lost: usize,
}

/// One of them.
pub struct Peer {
    socket: TcpStream,
    /// Of the echo awaited.
    received: usize,
    /// When it last said something, if ever.
    spoke_at: Option<Instant>,
    /// The longest that it waited for an echo.
    waited: Duration,
    /// Probes that reached it.
    probes: u32,
}

impl Peer {
    fn say(&mut self, words: &[u8]) -> anyhow::Result<()> {
        self.spoke_at = Some(now());
        self.socket.write_all(words).context("the server takes nothing")
    }
}

impl Peers {
    /// Connects so many times. Meanwhile those connected answer what probes come.
    pub fn connect(address: SocketAddr, count: usize) -> anyhow::Result<Peers> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let events = vec![EpollEvent::empty(); EVENTS];
        let list = Vec::with_capacity(count);
        let mut peers = Peers { epoll, list, events, buffer: vec![0; 64 * 1024], lost: 0 };
        for index in 0..count {
            let socket = connect_from((index / CONNECTIONS_PER_HOST) as u8, address)?;
            peers.epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
            peers.list.push(Peer { socket, received: 0, spoke_at: None, waited: Duration::ZERO, probes: 0 });
            if index % 256 == 0 {
                while peers.serve(now(), &mut |peer: &mut Peer, _: &[u8]| peer.say(PONG))? > 0 {}
            }
        }
        Ok(peers)
    }

    /// Every peer sends what its connection must begin with.
    pub fn introduce(&mut self, header: &[u8]) -> anyhow::Result<()> {
        self.list.iter_mut().try_for_each(|peer| peer.socket.write_all(header).context("no header is taken"))
    }

    /// Every peer sends its first message.
    pub fn begin(&mut self) -> anyhow::Result<()> {
        self.list.iter_mut().try_for_each(|peer| peer.say(MESSAGE))
    }

    /// Every peer sends its next message as soon as the last one came back; returns how many came back.
    pub fn ping_pong(&mut self, duration: Duration) -> anyhow::Result<u64> {
        let mut echoes = 0;
        self.serve_for(duration, |peer, bytes| {
            peer.received += bytes.len();
            if peer.received < MESSAGE.len() {
                return Ok(());
            }
            peer.received = 0;
            echoes += 1;
            peer.say(MESSAGE)
        })?;
        Ok(echoes)
    }

    /// The first `busy` peers converse without a pause for `duration`, and right at the beginning something happens; returns
    /// how long each of them waited for an echo at most.
    pub fn longest_waits(
        &mut self,
        busy: usize,
        duration: Duration,
        happens: impl FnOnce() -> nix::Result<()>,
    ) -> anyhow::Result<Vec<Duration>> {
        self.list.iter_mut().take(busy).try_for_each(|peer| peer.say(MESSAGE))?;
        happens()?;
        self.serve_for(duration, |peer, bytes| {
            peer.received += bytes.len();
            if peer.received < MESSAGE.len() {
                return Ok(());
            }
            let waited = peer.spoke_at.map(|spoke_at| now() - spoke_at).unwrap_or_default();
            (peer.received, peer.waited) = (0, peer.waited.max(waited));
            peer.say(MESSAGE)
        })?;
        self.serve_for(duration / 8, |_, _| Ok(()))?; // the last echoes
        let talkers = self.list.iter_mut().take(busy);
        let rest = |peer: &mut Peer| {
            peer.received = 0;
            std::mem::take(&mut peer.waited)
        };
        Ok(talkers.map(rest).collect())
    }

    /// Peers that say nothing but `PONG`. Notes how much later than `interval` after that each next probe came.
    pub fn answer_probes(&mut self, duration: Duration, interval: Duration) -> anyhow::Result<Durations> {
        let mut lateness = Durations::default();
        self.serve_for(duration, |peer, _| {
            let silent = peer.spoke_at.map(|spoke_at| now().saturating_duration_since(spoke_at));
            if let Some(silent) = silent {
                lateness.note(silent.saturating_sub(interval));
            }
            peer.probes += 1;
            peer.say(PONG)
        })?;
        Ok(lateness)
    }

    /// Every peer says `PONG` once, spread over `duration`, in an order that has nothing to do with where the server keeps it.
    pub fn speak_in_no_order(&mut self, duration: Duration) -> anyhow::Result<()> {
        let mut order: Vec<usize> = (0..self.list.len()).collect();
        fastrand::shuffle(&mut order);
        let pause = duration / order.len() as u32;
        let mut turn_at = now();
        for index in order {
            turn_at += pause;
            while now() < turn_at {
                self.serve(turn_at, &mut |peer: &mut Peer, _: &[u8]| peer.say(PONG))?;
            }
            self.list[index].say(PONG)?;
        }
        Ok(())
    }

    /// How many peers were probed at least once.
    pub fn probed(&self) -> usize {
        self.list.iter().filter(|peer| peer.probes > 0).count()
    }

    /// Every peer speaks once in `period`, if its last message came back; notes how long the echoes took.
    pub fn speak_calmly(
        &mut self,
        period: Duration,
        mut go_on: impl FnMut() -> bool,
    ) -> anyhow::Result<Durations> {
        let mut took = Durations::default();
        let mut next = 0;
        let mut turn_at = now();
        let count = self.list.len();
        while go_on() {
            while turn_at <= now() {
                let peer = &mut self.list[next];
                if peer.received == 0 {
                    peer.say(MESSAGE)?;
                    peer.received = MESSAGE.len(); // still to come
                }
                next = (next + 1) % count;
                turn_at += period / count as u32;
            }
            self.serve(turn_at, &mut |peer: &mut Peer, bytes: &[u8]| {
                peer.received = peer.received.saturating_sub(bytes.len());
                if peer.received == 0 {
                    took.note(peer.spoke_at.map(|at| now() - at).unwrap_or_default());
                }
                Ok(())
            })?;
        }
        Ok(took)
    }

    /// All of them vanish by RST.
    pub fn abort(self) -> anyhow::Result<()> {
        for Peer { socket, .. } in self.list {
            SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
        }
        Ok(())
    }

    fn serve_for(
        &mut self,
        duration: Duration,
        mut heard: impl FnMut(&mut Peer, &[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let end = now() + duration;
        loop {
            self.serve(end, &mut heard)?;
            if now() >= end {
                return Ok(());
            }
        }
    }

    /// Waits until `end` at most, and takes what arrived; returns for how many peers something did.
    fn serve(
        &mut self,
        end: Instant,
        heard: &mut impl FnMut(&mut Peer, &[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<usize> {
        let patience = end.saturating_duration_since(now());
        let patience = patience.as_micros().div_ceil(1000).min(1000); // rounded up: no spinning
        let ready = self.epoll.wait(&mut self.events, patience as u16)?;
        for event in &self.events[..ready] {
            let peer = &mut self.list[event.data() as usize];
            match peer.socket.read(&mut self.buffer) {
                Ok(0) | Err(_) => {
                    self.epoll.delete(&peer.socket)?;
                    self.lost += 1;
                }
                Ok(read) => heard(peer, &self.buffer[..read])?,
            }
        }
        Ok(ready)
    }
}
