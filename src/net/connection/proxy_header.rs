//! The PROXY header, by which a proxy says whose connection it brings: versions 1 and 2 of
//! <https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt>.

use std::net::SocketAddr;

use ::proxy_header::{ParseConfig, Protocol, ProxiedAddress, ProxyHeader};

/// The longest header there may be. The text of version 1 has 107 bytes at most.
pub const LONGEST: usize = 536;

const LONGEST_TEXT: usize = 107;
const LONGEST_TEXT_WORDS: &str = "it is longer than 107 bytes";
const TEXT: &[u8] = b"PROXY ";
const BINARY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The binary header up to its length, which says how much comes after it.
const BINARY_START: usize = 16;
const LOCAL: u8 = 0x20;
const UNIX: u8 = 3;

/// What the beginning of a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// A header that is not complete yet.
    Partial,
    /// A header of so many bytes. `client`: whom it names, and nobody where the proxy speaks for itself (LOCAL, UNKNOWN).
    Header { length: usize, client: Option<SocketAddr> },
    /// None, and no byte more will make it one: what is wrong.
    Wrong(&'static str),
}

/// Whether bytes that are taken for data look like the whole beginning of a header.
pub fn look_like_header(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(TEXT).unwrap_or_default();
    names_protocol(text) || bytes.starts_with(BINARY)
}

/// Of what follows "PROXY ".
fn names_protocol(text: &[u8]) -> bool {
    [&b"TCP4 "[..], b"TCP6 ", b"UNKNOWN ", b"UNKNOWN\r"].iter().any(|name| text.starts_with(name))
}

/// Reads the first bytes of a connection.
pub fn read(bytes: &[u8]) -> Beginning {
    if begin_alike(bytes, TEXT) {
        read_text(bytes)
    } else if begin_alike(bytes, BINARY) {
        read_binary(bytes)
    } else {
        Beginning::Wrong("no PROXY header begins like that")
    }
}

fn begin_alike(bytes: &[u8], other: &[u8]) -> bool {
    bytes.iter().zip(other).all(|(one, other)| one == other)
}

/// Only a whole line is read: of a part nobody can tell whether it is wrong.
fn read_text(bytes: &[u8]) -> Beginning {
    let beginning = bytes.get(..LONGEST_TEXT).unwrap_or(bytes);
    let Some(end) = memchr::memchr(b'\n', beginning) else {
        return if beginning.len() < LONGEST_TEXT {
            Beginning::Partial
        } else {
            Beginning::Wrong(LONGEST_TEXT_WORDS)
        };
    };
    let line = bytes.get(..=end).unwrap_or_default();
    match parse(line) {
        // Rust reads numbers with a sign, and the parser anything behind UNKNOWN.
        Some(client)
            if !line.contains(&b'+') && names_protocol(line.get(TEXT.len()..).unwrap_or_default()) =>
        {
            Beginning::Header { length: line.len(), client: client.map(|client| client.source) }
        }
        _ => Beginning::Wrong("its line names no TCP4 or TCP6 addresses and ports that can be read"),
    }
}

fn read_binary(bytes: &[u8]) -> Beginning {
    let Some(&[.., version_and_command, family_and_protocol, high, low]) =
        bytes.first_chunk::<BINARY_START>()
    else {
        return Beginning::Partial;
    };
    let length = BINARY_START + usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST {
        return Beginning::Wrong("it is longer than 536 bytes");
    }
    let Some(header) = bytes.get(..length) else {
        return Beginning::Partial;
    };
    if version_and_command == LOCAL {
        return Beginning::Header { length, client: None }; // whatever addresses it may carry
    }
    match parse(header) {
        Some(_) if family_and_protocol >> 4 == UNIX => Beginning::Wrong("it is of a Unix socket"),
        Some(Some(ProxiedAddress { protocol: Protocol::Datagram, .. })) => {
            Beginning::Wrong("it is of datagrams")
        }
        Some(client) => Beginning::Header { length, client: client.map(|client| client.source) },
        None => Beginning::Wrong("its version, command or addresses cannot be understood"),
    }
}

/// Reads a header that is whole.
fn parse(whole: &[u8]) -> Option<Option<ProxiedAddress>> {
    let config = ParseConfig { include_tlvs: false, ..ParseConfig::default() };
    let (header, length) = ProxyHeader::parse(whole, config).ok()?;
    (length == whole.len()).then(|| header.proxied_address().cloned())
}

#[cfg(test)]
mod tests;
