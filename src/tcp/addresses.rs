//! Addresses, as people write them.

use std::net::{IpAddr, SocketAddr};

/// An IPv4 address as such, also where a socket for both IPv6 and IPv4 calls it `::ffff:192.0.2.1` (RFC 4291, section 2.5.5.2).
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::from((ip, address.port())),
        IpAddr::V6(_) => address, // with its zone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mapped_addresses_change() {
        for (address, shown) in [
            ("[::ffff:192.0.2.1]:7", "192.0.2.1:7"),
            ("192.0.2.1:7", "192.0.2.1:7"),
            ("[::1]:7", "[::1]:7"),
            ("[fe80::1%3]:7", "[fe80::1%3]:7"),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(canonical(address).to_string(), shown);
        }
    }
}
