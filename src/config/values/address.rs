//! Addresses to listen on: an IP address and a port, never a name.

use std::net::{Ipv6Addr, SocketAddr};

use serde::Serializer;

use super::{Hint, Kind, Scalar};

/// An IP address with a port.
pub(in crate::config) struct Address;

impl Kind for Address {
    type Value = SocketAddr;

    fn allowed() -> String {
        "an IP address and a port, as in \"127.0.0.1:7007\" or \"[::1]:7007\"".to_owned()
    }

    fn read(given: Scalar<'_>) -> Result<SocketAddr, Hint> {
        match given {
            Scalar::Text(text) => text.parse().map_err(|_| mistake(text).map(str::to_owned)),
            _ => Err(None),
        }
    }

    fn stand_in() -> SocketAddr {
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
    }

    fn serialize<S: Serializer>(value: &SocketAddr, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }
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
}
