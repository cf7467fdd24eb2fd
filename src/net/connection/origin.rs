//! Whose a connection is: the socket's far end, or whom a proxy there speaks for.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::proxy_header::{Beginning, read};
use crate::core::{Age, Bytes, Implausible, Moment};
use crate::tcp;

/// So long may a header take to come.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Where a connection comes from. No larger than an address: most have come directly.
#[derive(Debug)]
pub enum Origin {
    /// From the far end of the socket itself.
    Direct(SocketAddr),
    /// That is to be told by a header, which has not come yet.
    Awaited(Box<Introduction>),
    /// Through a proxy.
    Proxied(Box<Proxied>),
}

/// A header on its way. As large as what takes its place, [`Proxied`]: an allocator has then no use for two places.
#[derive(Debug)]
pub struct Introduction {
    /// The far end of the socket.
    proxy: Endpoint,
    /// What has come of it. It seldom grows: most headers come in one piece.
    pub received: Box<[u8]>,
    /// Until then it must be complete.
    pub until: Moment,
}

/// Whom a proxy speaks for.
#[derive(Debug)]
pub struct Proxied {
    client: Endpoint,
    proxy: Endpoint,
}

/// An address in 24 bytes: `SocketAddr` has 32, and there are two of them for each connection.
#[derive(Debug)]
struct Endpoint {
    /// IPv4-mapped where it is of IPv4.
    ip: Ipv6Addr,
    scope_id: u32,
    port: u16,
}

/// What outlives the program, beside the peer. Absent where it came directly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OriginState {
    /// A header on its way.
    Awaited {
        /// What has come of it.
        received: Bytes,
        /// The time that is left for it.
        until: Age,
    },
    /// Through this proxy.
    Proxied(SocketAddr),
}

impl Origin {
    /// Whom the connection is with, as far as is known.
    pub fn peer(&self) -> SocketAddr {
        match self {
            Origin::Direct(peer) => *peer,
            Origin::Awaited(introduction) => introduction.proxy(),
            Origin::Proxied(proxied) => (&proxied.client).into(),
        }
    }

    /// Who brought it, where that is somebody else.
    pub fn proxy(&self) -> Option<SocketAddr> {
        match self {
            Origin::Proxied(proxied) => Some((&proxied.proxy).into()),
            Origin::Direct(_) | Origin::Awaited(_) => None,
        }
    }

    /// From the far end of the socket, for itself or for whom it names in a header, which is awaited from `now` on.
    pub fn new(far_end: SocketAddr, needs_header: bool, now: Moment) -> Origin {
        if !needs_header {
            return Origin::Direct(far_end);
        }
        let until = now + PATIENCE;
        Origin::Awaited(Box::new(Introduction { proxy: far_end.into(), received: Box::default(), until }))
    }

    /// The header on its way, if one is.
    pub fn introduction(&mut self) -> Option<&mut Introduction> {
        match self {
            Origin::Awaited(introduction) => Some(introduction),
            Origin::Direct(_) | Origin::Proxied(_) => None,
        }
    }

    /// Brought by the socket's far end for `client`.
    pub fn proxied(client: SocketAddr, proxy: SocketAddr) -> Origin {
        Origin::Proxied(Box::new(Proxied { client: client.into(), proxy: proxy.into() }))
    }

    /// What outlives the program.
    pub fn snapshot(&self, now: Moment) -> Option<OriginState> {
        match self {
            Origin::Direct(_) => None,
            Origin::Awaited(introduction) => {
                let Introduction { proxy: _, received, until } = &**introduction;
                let (received, until) = ((&**received).into(), Age::of(*until, now));
                Some(OriginState::Awaited { received, until })
            }
            Origin::Proxied(_) => self.proxy().map(OriginState::Proxied),
        }
    }

    /// The origin of a connection with `peer`.
    ///
    /// # Errors
    /// What came is no piece of a header.
    pub fn restore(
        peer: SocketAddr,
        state: Option<&OriginState>,
        now: Moment,
    ) -> Result<Origin, Implausible> {
        Ok(match state {
            None => Origin::Direct(peer),
            Some(OriginState::Proxied(proxy)) => Origin::proxied(peer, *proxy),
            Some(OriginState::Awaited { received, until }) => {
                let received = Vec::try_from(received)?.into_boxed_slice();
                let is_piece = received.is_empty() || read(&received) == Beginning::Partial;
                Implausible::unless(is_piece, "what came of its header is no piece of one")?;
                let until = until.moment(now).clamp(now, now + PATIENCE);
                Origin::Awaited(Box::new(Introduction { proxy: peer.into(), received, until }))
            }
        })
    }
}

impl Introduction {
    /// Who is to say whose the connection is.
    pub fn proxy(&self) -> SocketAddr {
        (&self.proxy).into()
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Endpoint {
        let (ip, scope_id) = match address {
            SocketAddr::V4(address) => (address.ip().to_ipv6_mapped(), 0),
            SocketAddr::V6(address) => (*address.ip(), address.scope_id()),
        };
        Endpoint { ip, scope_id, port: address.port() }
    }
}

impl From<&Endpoint> for SocketAddr {
    fn from(endpoint: &Endpoint) -> SocketAddr {
        let Endpoint { ip, scope_id, port } = *endpoint;
        tcp::canonical(SocketAddrV6::new(ip, port, 0, scope_id).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_costs_no_more_than_64_bytes() {
        assert_eq!(size_of::<Origin>(), size_of::<SocketAddr>());
        assert_eq!((size_of::<Proxied>(), size_of::<Introduction>()), (48, 48));
    }

    #[test]
    fn both_ends_are_told_as_they_came() {
        for (client, proxy) in [("192.0.2.7:80", "[fe80::1%3]:9"), ("[2001:db8::7]:80", "10.0.0.5:9")] {
            let (client, proxy): (SocketAddr, SocketAddr) = (client.parse().unwrap(), proxy.parse().unwrap());
            let origin = Origin::proxied(client, proxy);
            assert_eq!((origin.peer(), origin.proxy()), (client, Some(proxy)));
            let state = origin.snapshot(Moment::START);
            let restored = Origin::restore(client, state.as_ref(), Moment::START).unwrap();
            assert_eq!((restored.peer(), restored.proxy()), (client, Some(proxy)));
        }
    }
}
