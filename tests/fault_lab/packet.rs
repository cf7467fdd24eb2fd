//! As much of IPv4 and TCP as a wire must know.

use std::net::Ipv4Addr;

const SHORTEST_IP_HEADER: usize = 20;
const SHORTEST_TCP_HEADER: usize = 20;
const TCP: u8 = 6;

/// A whole packet of IPv4.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'b>(&'b [u8]);

impl<'b> Packet<'b> {
    /// `None`: it is something else.
    pub fn of(bytes: &'b [u8]) -> Option<Packet<'b>> {
        let is_ipv4 = bytes.len() >= SHORTEST_IP_HEADER && bytes[0] >> 4 == 4;
        is_ipv4.then_some(Packet(bytes))
    }

    pub fn len(self) -> usize {
        self.0.len()
    }

    pub fn source(self) -> Ipv4Addr {
        self.address(12)
    }

    pub fn destination(self) -> Ipv4Addr {
        self.address(16)
    }

    fn address(self, at: usize) -> Ipv4Addr {
        Ipv4Addr::new(self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3])
    }

    /// Whether it carries bytes of a connection's stream.
    pub fn has_data(self) -> bool {
        let header = usize::from(self.0[0] & 0xF) * 4;
        let segment = self.0.get(header..).unwrap_or_default();
        let is_tcp = self.0[9] == TCP && segment.len() >= SHORTEST_TCP_HEADER;
        is_tcp && segment.len() > usize::from(segment[12] >> 4) * 4
    }
}
