//! Random byte streams, rich in what is almost a control line, and random ways to cut them into pieces.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A stream that shows as text when a test fails.
#[derive(Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.0.escape_ascii())
    }
}

/// Lines, near misses and noise, in any order.
pub fn stream() -> impl Strategy<Value = Bytes> {
    vec(line(), 0..10).prop_map(|lines| Bytes(lines.concat()))
}

/// A stream of good lines in which one bit has flipped.
pub fn damaged_stream() -> impl Strategy<Value = Bytes> {
    let good = prop_oneof![control_line(), text_line()];
    (vec(good, 1..6), any::<Index>(), 0..8u32).prop_map(|(lines, place, bit)| {
        let mut stream = lines.concat();
        let place = place.index(stream.len());
        stream[place] ^= 1 << bit;
        Bytes(stream)
    })
}

/// Lengths of pieces, used again and again until the stream is used up.
pub fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        1 => Just(vec![1]),
        1 => Just(vec![usize::MAX]),
        4 => vec(1..12usize, 1..8),
        2 => vec(prop_oneof![1..4usize, 60..68usize], 1..8),
    ]
}

/// The pieces of a stream; none is empty.
pub fn pieces<'s>(stream: &'s Bytes, cuts: &[usize]) -> Vec<&'s [u8]> {
    let (mut rest, mut pieces) = (stream.0.as_slice(), Vec::new());
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, others) = rest.split_at(rest.len().min(*cut));
        pieces.push(piece);
        rest = others;
    }
    pieces
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => control_line(),
        4 => near_miss(),
        4 => line_of_critical_length(),
        2 => text_line(),
        2 => vec(any::<u8>(), 0..80),
        1 => vec(select(b"PINGO\r\n :1".as_slice()), 0..20),
    ]
}

fn control_line() -> impl Strategy<Value = Vec<u8>> {
    (word(), argument(), line_end()).prop_map(|(word, argument, end)| [word, argument, end].concat())
}

fn word() -> impl Strategy<Value = &'static [u8]> {
    prop_oneof![2 => Just(b"PONG".as_slice()), 1 => Just(b"PING".as_slice())]
}

fn argument() -> impl Strategy<Value = &'static [u8]> {
    prop_oneof![
        4 => select(vec![b" 1".as_slice(), b" 2", b" :1", b" :7", b" 3", b""]),
        1 => select(vec![
            b" ".as_slice(), b" :", b"  1", b" 1 ", b" +1", b" -1", b" 0", b" 007", b" 1x", b" ::1", b" x", b" \xff",
            b" 18446744073709551615", b" 18446744073709551616", b" 99999999999999999999999999999999",
        ]),
    ]
}

fn line_end() -> impl Strategy<Value = &'static [u8]> {
    prop_oneof![
        8 => Just(b"\n".as_slice()),
        4 => Just(b"\r\n".as_slice()),
        1 => select(vec![b"".as_slice(), b"\r", b"\r\r\n", b"\n\n", b" \n"]),
    ]
}

fn near_miss() -> impl Strategy<Value = Vec<u8>> {
    let miss = select(vec![
        b"PONGO".as_slice(),
        b"PINGS",
        b"PANG",
        b"P",
        b"PO",
        b"PON",
        b"PI",
        b"PIN",
        b"pong 1",
        b"Ping",
        b" PONG 1",
        b"xPONG 1",
        b"PONG\t1",
        b"PONG\r1",
        b"PING\r ",
        b"PONG\0",
        b"\rPONG",
        b"PINGPONG",
        b"PPONG 1",
        b"",
    ]);
    (miss, line_end()).prop_map(|(miss, end)| [miss, end].concat())
}

/// Around the 64 bytes that a control line may have.
fn line_of_critical_length() -> impl Strategy<Value = Vec<u8>> {
    (word(), 62..=66usize, line_end()).prop_map(|(word, length, end)| {
        let filling = vec![b'7'; length - word.len() - 1 - end.len()];
        [word, b" ", &filling, end].concat()
    })
}

fn text_line() -> impl Strategy<Value = Vec<u8>> {
    vec(b' '..=b'~', 0..30).prop_map(|text| [text.as_slice(), b"\n"].concat())
}
