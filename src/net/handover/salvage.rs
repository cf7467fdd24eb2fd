//! What a damaged line still says of its connection.

use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::str::FromStr;

/// Of a [`CarriedConnection`](super::CarriedConnection) whatever can be read: damage may be anywhere.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Salvaged<'a> {
    /// Its number.
    pub conn: Option<u64>,
    /// The far end.
    pub peer: Option<SocketAddr>,
    /// The name of its listener.
    pub listener: Option<&'a str>,
    /// Its descriptor.
    pub descriptor: Option<RawFd>,
}

impl Salvaged<'_> {
    /// From a line that cannot be read as a whole.
    pub fn of(line: &[u8]) -> Salvaged<'_> {
        let text = match std::str::from_utf8(line) {
            Ok(text) => text,
            Err(damage) => line
                .get(..damage.valid_up_to())
                .and_then(|whole| std::str::from_utf8(whole).ok())
                .unwrap_or_default(),
        };
        Salvaged {
            conn: value(text, "conn").and_then(number),
            peer: value(text, "peer").and_then(quoted).and_then(|peer| peer.parse().ok()),
            listener: value(text, "listener").and_then(quoted),
            descriptor: value(text, "descriptor").and_then(number),
        }
    }
}

/// What stands behind a name.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, behind) = text.split_once(&format!("\"{name}\":"))?;
    Some(behind)
}

fn number<N: FromStr>(text: &str) -> Option<N> {
    let end = text.find([',', '}'])?;
    text.get(..end)?.parse().ok()
}

/// A text without escapes, as addresses and the names of listeners are.
fn quoted(text: &str) -> Option<&str> {
    let (quoted, _) = text.strip_prefix('"')?.split_once('"')?;
    Some(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        r#"{"conn":7,"peer":"127.0.0.1:9","listener":"line","descriptor":19,"state":{"stage":"echoing"}}"#;

    #[test]
    fn what_is_whole_is_found() {
        let all = Salvaged {
            conn: Some(7),
            peer: Some(SocketAddr::from(([127, 0, 0, 1], 9))),
            listener: Some("line"),
            descriptor: Some(19),
        };
        assert_eq!(Salvaged::of(LINE.as_bytes()), all);
        let damaged = LINE.replace("127.0", "127,0");
        assert_eq!(Salvaged::of(damaged.as_bytes()), Salvaged { peer: None, ..all });
    }

    #[test]
    fn damage_anywhere_is_survived() {
        assert_eq!(Salvaged::of(b""), Salvaged::default());
        for end in 0..LINE.len() {
            let cut = Salvaged::of(&LINE.as_bytes()[..end]);
            assert!(cut.conn.is_none_or(|conn| conn == 7), "half a number is none");
            assert!(cut.descriptor.is_none_or(|descriptor| descriptor == 19), "half a number is none");
            let mut bytes = LINE.as_bytes().to_vec();
            bytes[end] = 0xff;
            Salvaged::of(&bytes);
        }
    }
}
