//! Addresses to listen on: an IP address and a port, never a name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use nix::net::if_::{if_indextoname, if_nametoindex};
use serde::Serializer;

use super::{Hint, Kind, Scalar};
use crate::config::wording::plain;

/// An IP address with a port.
pub(in crate::config) struct Address;

impl Kind for Address {
    type Value = SocketAddr;

    fn allowed() -> String {
        "an IP address and a port, as in \"127.0.0.1:7007\" or \"[::1]:7007\"".to_owned()
    }

    fn read(given: Scalar<'_>) -> Result<SocketAddr, Hint> {
        let Scalar::Text(text) = given else { return Err(None) };
        let address = match text.parse() {
            Ok(address) => address,
            Err(_) => with_interface(text)?,
        };
        match obstacle(address) {
            None => Ok(address),
            Some(obstacle) => Err(Some(obstacle)),
        }
    }

    fn stand_in() -> SocketAddr {
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
    }

    fn serialize<S: Serializer>(value: &SocketAddr, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }
}

/// Reads `[fe80::1%eth0]:7007`; std knows interfaces by their number only.
fn with_interface(text: &str) -> Result<SocketAddr, Hint> {
    let mistake = || mistake(text).map(str::to_owned);
    let parts = text.strip_prefix('[').and_then(|text| text.rsplit_once("]:"));
    let (inside, port) = parts.ok_or_else(mistake)?;
    let (ip, interface) = inside.split_once('%').ok_or_else(mistake)?;
    let ip: Ipv6Addr = ip.parse().map_err(|_| mistake())?;
    let port = port.parse().map_err(|_| mistake())?;
    let number = if_nametoindex(interface)
        .map_err(|_| format!("there is no network interface \"{}\" here", plain(interface)))?;
    Ok(SocketAddrV6::new(ip, port, 0, number).into())
}

/// Why nothing can listen on `address`.
fn obstacle(address: SocketAddr) -> Option<String> {
    let obstacle = match address.ip() {
        IpAddr::V4(ip) => match ip.octets() {
            _ if ip.is_unspecified() => return None,
            [0, ..] => "addresses that begin with 0 belong to no host; all interfaces are \"0.0.0.0\"",
            [224..=239, ..] => "a multicast address has no connections",
            [255, 255, 255, 255] => "a broadcast address has no connections",
            [240..=255, ..] => "addresses from 240.0.0.0 on are reserved and belong to no host",
            _ => return None,
        },
        IpAddr::V6(ip) => match (ip.to_ipv4_mapped(), zone(address)) {
            (Some(ip), _) => return Some(write_ipv4(ip, address.port())),
            _ if ip.is_multicast() => "a multicast address has no connections",
            (_, 0) if ip.is_unicast_link_local() => {
                "a link-local address needs its interface, as in \"[fe80::1%eth0]:7007\""
            }
            (_, 1..) if !ip.is_unicast_link_local() => "only a link-local address (fe80::) has an interface",
            (_, number @ 1..) if !exists(number) => {
                return Some(format!("there is no network interface {number} here"));
            }
            _ => return None,
        },
    };
    Some(obstacle.to_owned())
}

/// Whether an interface has this number. nix 0.32 takes "none" for one without a name.
fn exists(interface: u32) -> bool {
    if_indextoname(interface).is_ok_and(|name| !name.is_empty())
}

fn zone(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(address) => address.scope_id(),
    }
}

fn write_ipv4(ip: Ipv4Addr, port: u16) -> String {
    format!("write the IPv4 address: \"{ip}:{port}\"")
}

/// Tells the usual mistakes apart.
fn mistake(text: &str) -> Option<&'static str> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some("an IPv6 address stands in brackets, and its port follows them");
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    if matches!(host, "" | "*") {
        Some("all interfaces are \"0.0.0.0\" or \"[::]\"")
    } else if host.starts_with(|first: char| first.is_alphabetic()) {
        Some("host names are not looked up: give an IP address")
    } else if port.is_none() {
        Some("the port is missing")
    } else if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        Some("a port is a number from 0 to 65535")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_mistakes_are_told_apart() {
        let table = [
            ("localhost:7007", Some("host names are not looked up")),
            ("example.org", Some("host names are not looked up")),
            ("127.0.0.1", Some("the port is missing")),
            ("[::1]", Some("the port is missing")),
            ("7007", Some("the port is missing")),
            ("::1", Some("stands in brackets")),
            ("::1:7007", Some("stands in brackets")),
            ("127.0.0.1:70000", Some("from 0 to 65535")),
            ("127.0.0.1:", Some("from 0 to 65535")),
            (":7007", Some("all interfaces")),
            ("*:7007", Some("all interfaces")),
            ("", Some("all interfaces")),
            ("300.0.0.1:7007", None),
            (" 127.0.0.1:7007", None),
        ];
        for (text, expected) in table {
            assert!(text.parse::<SocketAddr>().is_err(), "{text:?}");
            let told = mistake(text);
            match expected {
                Some(words) => assert!(told.is_some_and(|told| told.contains(words)), "{text:?}: {told:?}"),
                None => assert_eq!(told, None, "{text:?}"),
            }
        }
    }

    fn read(text: &str) -> Result<SocketAddr, Hint> {
        Address::read(Scalar::Text(text))
    }

    #[test]
    fn what_no_machine_can_listen_on_is_refused_with_a_reason() {
        let table = [
            ("0.0.0.1:7", "begin with 0"),
            ("224.0.0.1:7", "multicast"),
            ("239.255.255.255:7", "multicast"),
            ("240.0.0.1:7", "reserved"),
            ("255.255.255.255:7", "broadcast"),
            ("[ff02::1]:7", "multicast"),
            ("[ff02::1%1]:7", "multicast"),
            ("[::ffff:127.0.0.1]:7", "write the IPv4 address: \"127.0.0.1:7\""),
            ("[fe80::1]:7", "needs its interface"),
            ("[fe80::1%0]:7", "needs its interface"),
            ("[febf::1]:7", "needs its interface"),
            ("[::1%lo]:7", "only a link-local"),
            ("[fe80::1%no such]:7", "no network interface \"no such\""),
            ("[fe80::1%\u{1b}]:7", "no network interface \"\\u{1b}\""),
            ("[fe80::1%2000000000]:7", "no network interface 2000000000"),
            ("[fe80::1%]:7", "no network interface \"\""),
            ("[fe80::1%lo]:70000", "from 0 to 65535"),
        ];
        for (text, reason) in table {
            let hint = read(text).expect_err(text).expect(text);
            assert!(hint.contains(reason), "{text}: {hint}");
        }
        for text in ["0.0.0.0:7", "223.255.255.255:7", "[::]:7", "[::1]:0", "[fec0::1]:7", "1.0.0.0:7"] {
            assert!(read(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_link_local_address_has_its_interface_by_name_or_number() {
        let number = if_nametoindex("lo").unwrap();
        let address = SocketAddr::V6(SocketAddrV6::new("fe80::1".parse().unwrap(), 7007, 0, number));
        for text in ["[fe80::1%lo]:7007".to_owned(), format!("[fe80::1%{number}]:7007"), address.to_string()]
        {
            assert_eq!(read(&text), Ok(address), "{text}");
        }
    }
}
