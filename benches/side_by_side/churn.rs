//! The other kind of load: connections that come, say one thing, hear it and go.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use crate::load::{MESSAGE, connect_from};
use crate::measure::now;

/// Visits at a time.
const VISITORS: usize = 64;

/// A visit that takes longer is a failure of the server.
const PATIENCE_MS: u16 = 5000;

/// Visitors of a server: each connects, is echoed and closes, again and again.
pub struct Churn {
    address: SocketAddr,
    header: &'static [u8],
    epoll: Epoll,
    visits: Vec<TcpStream>,
    events: Vec<EpollEvent>,
}

impl Churn {
    /// All visitors connect, and begin with `header`.
    pub fn begin(address: SocketAddr, header: &'static [u8]) -> anyhow::Result<Churn> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let events = vec![EpollEvent::empty(); VISITORS];
        let mut churn = Churn { address, header, epoll, visits: Vec::new(), events };
        for visitor in 0..VISITORS {
            let visit = churn.connect(visitor)?;
            churn.visits.push(visit);
        }
        Ok(churn)
    }

    /// Returns how many visits ended well in that time; they are not many more than `enough`.
    pub fn run(&mut self, duration: Duration, enough: u64) -> anyhow::Result<u64> {
        let end = now() + duration;
        let mut visits = 0;
        while now() < end && visits < enough {
            let ready = self.epoll.wait(&mut self.events, PATIENCE_MS)?;
            ensure!(ready > 0, "the server echoes nothing any more");
            for index in 0..ready {
                let visitor = self.events[index].data() as usize;
                let mut echo = [0; MESSAGE.len()];
                self.visits[visitor].read_exact(&mut echo).context("no echo")?;
                self.visits[visitor] = self.connect(visitor)?; // the old one is closed by this
                visits += 1;
            }
        }
        Ok(visits)
    }

    /// Every visitor has an address of its own: one address has too few ports for so many closed connections.
    fn connect(&self, visitor: usize) -> anyhow::Result<TcpStream> {
        let mut visit = connect_from(visitor as u8, self.address)?;
        visit.write_all(&[self.header, MESSAGE].concat())?;
        self.epoll.add(&visit, EpollEvent::new(EpollFlags::EPOLLIN, visitor as u64))?;
        Ok(visit)
    }
}
