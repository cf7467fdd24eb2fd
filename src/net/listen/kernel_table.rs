//! Who listens in this network namespace: the rows of /proc/self/net/tcp and tcp6, see proc_pid_net(5).

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The kernel's TCP_LISTEN.
const LISTEN: &str = "0A";

/// Room for more listeners than one machine has; a row is 150 bytes at most.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// A socket that listens.
#[derive(Debug, PartialEq, Eq)]
pub struct Listening {
    /// Where; of an IPv6 socket on an IPv4 address, that.
    pub address: SocketAddr,
    /// Its number, as fstat(2) has it.
    pub inode: u64,
}

/// Whoever listens on the port of `address`.
///
/// # Errors
/// The kernel's tables cannot be read, so nobody knows.
pub fn listening(address: SocketAddr) -> io::Result<Vec<Listening>> {
    let mut found = Vec::new();
    for name in ["tcp", "tcp6"] {
        let path = format!("/proc/self/net/{name}");
        let table = match File::open(&path) {
            Ok(table) => BufReader::new(table.take(MOST_BYTES)),
            Err(error) if name == "tcp6" && error.kind() == io::ErrorKind::NotFound => continue, // no IPv6
            Err(error) => return Err(unknown(&path, &error)),
        };
        // Those that listen come first: see tcp_get_idx in net/ipv4/tcp_ipv4.c.
        for row in table.lines().skip(1) {
            let row = row.map_err(|error| unknown(&path, &error))?;
            if state(&row) != Some(LISTEN) {
                break;
            }
            let row = parse(&row).ok_or_else(|| unknown(&path, &"it has an unknown form"))?;
            found.extend(Some(row).filter(|row| row.address.port() == address.port()));
        }
    }
    Ok(found)
}

fn unknown(path: &str, why: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{path} does not tell whether another process listens there too: {why}"))
}

fn state(row: &str) -> Option<&str> {
    row.split_ascii_whitespace().nth(3)
}

fn parse(row: &str) -> Option<Listening> {
    let mut columns = row.split_ascii_whitespace();
    let (ip, port) = columns.nth(1)?.split_once(':')?;
    let inode = columns.nth(7)?.parse().ok()?;
    Some(Listening { address: SocketAddr::new(parse_ip(ip)?, u16::from_str_radix(port, 16).ok()?), inode })
}

/// Each four bytes are printed as a number of this machine.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(text.get(8 * at..8 * at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip = match text.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(0)?)),
        32 => {
            let bytes = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?))
        }
        _ => return None,
    };
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn who_listens_is_found_with_address_and_inode() {
        for ip in ["127.0.0.3", "::1", "::ffff:127.0.0.3"] {
            let Ok(socket) = TcpListener::bind((ip.parse::<IpAddr>().unwrap(), 0)) else {
                continue; // no IPv6
            };
            let address = socket.local_addr().unwrap();
            let descriptor = std::os::fd::OwnedFd::from(socket);
            let inode = File::from(descriptor.try_clone().unwrap()).metadata().unwrap().ino();
            let address = SocketAddr::new(address.ip().to_canonical(), address.port());
            assert!(listening(address).unwrap().contains(&Listening { address, inode }), "{address}");
        }
    }

    #[test]
    fn a_row_of_another_form_is_none() {
        for row in ["", "0: 0100007F", "0: 0100007F:1F90 x 0A", "0: é00007F:1F90 0 0A 0 0 0 0 0 7"] {
            assert_eq!(parse(row), None, "{row}");
        }
    }
}
