//! The line protocol: an echo in which `PONG` lines are answers to our probes, and `PING` lines are answered.
//!
//! Lines are never collected. Bytes stream through, rewritten in place: an answer is cut out, a `PING` becomes a
//! `PONG` by one letter. So what goes back is never longer than what came in.

use std::ops::Range;

use super::probe::Probe;
use crate::core::snapshot::{Bytes, DecoderState, Implausible};

/// The longest control line in bytes, its line end included. A longer line is data.
pub const CONTROL_LINE_MAX: usize = 64;

/// Room that must be left before freshly received bytes, for the bytes that a decoder held back earlier.
pub const HEADROOM: usize = CONTROL_LINE_MAX;

/// The longest beginning of a control line that can still be undecided: one byte more decides.
const HELD_MAX: usize = CONTROL_LINE_MAX - 1;

/// Tells control lines from data in a stream that arrives in arbitrary pieces.
///
/// What is held has a place of its own only while there is any: an idle connection owns none.
///
/// Invariant: held bytes are the undecided beginning of a line, so while any are held we are not mid-line.
#[derive(Debug, Default)]
pub struct LineDecoder {
    held: Option<Box<Held>>,
    /// The last byte sent back was not a line end.
    mid_line: bool,
}

#[derive(Debug)]
struct Held {
    length: u8,
    bytes: [u8; HELD_MAX],
}

/// What the next bytes of the stream are.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// So many bytes of data, up to a line end or the end of what arrived.
    Data(usize),
    /// A `PING` line of so many bytes.
    Ping(usize),
    /// A `PONG` line of so many bytes, and the probe it names.
    Pong(usize, Option<u64>),
    /// All that is left; more bytes must tell.
    Undecided,
}

impl LineDecoder {
    /// See [`super::Decoder::decode`].
    pub fn decode(&mut self, buffer: &mut [u8], answered: impl FnMut(Option<u64>)) -> Range<usize> {
        let start = self.put_back(buffer).start;
        let length = self.rewrite(&mut buffer[start..], answered);
        start..start + length
    }

    /// See [`super::Decoder::finish`].
    pub fn finish(&mut self, buffer: &mut [u8]) -> Range<usize> {
        let last = self.put_back(buffer);
        self.mid_line |= !last.is_empty();
        last
    }

    /// See [`super::Decoder::snapshot`].
    pub fn snapshot(&self) -> DecoderState {
        let LineDecoder { held, mid_line } = self;
        let held = held.as_deref().map(|Held { length, bytes }| &bytes[..usize::from(*length)]);
        DecoderState::Line { held: held.unwrap_or_default().into(), mid_line: *mid_line }
    }

    /// See [`super::Decoder::restore`].
    pub fn restore(held: &Bytes, mid_line: bool) -> Result<LineDecoder, Implausible> {
        let bytes = Vec::try_from(held)?;
        if bytes.is_empty() {
            return Ok(LineDecoder { held: None, mid_line });
        }
        let undecided = bytes.len() <= HELD_MAX && next_piece(&bytes, mid_line) == Piece::Undecided;
        Implausible::unless(undecided, "held back is no beginning of a control line")?;
        Ok(LineDecoder { held: Some(Box::new(Held::new(&bytes))), mid_line })
    }

    /// See [`super::Decoder::held_bytes`].
    pub fn held_bytes(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.length.into())
    }

    /// Whether all we sent back are whole lines.
    pub fn at_line_boundary(&self) -> bool {
        !self.mid_line
    }

    /// Rewrites `bytes` into what goes back, which is left at their beginning, and returns its length.
    fn rewrite(&mut self, bytes: &mut [u8], mut answered: impl FnMut(Option<u64>)) -> usize {
        let (mut read, mut kept) = (0, 0);
        while read < bytes.len() {
            let rest = &bytes[read..];
            let length = match next_piece(rest, self.mid_line) {
                Piece::Data(length) => {
                    self.mid_line = rest[length - 1] != b'\n';
                    length
                }
                Piece::Ping(length) => {
                    bytes[read + 1] = b'O';
                    length
                }
                Piece::Pong(length, number) => {
                    answered(number);
                    read += length;
                    continue;
                }
                Piece::Undecided => {
                    self.held = Some(Box::new(Held::new(rest)));
                    break;
                }
            };
            if kept < read {
                bytes.copy_within(read..read + length, kept);
            }
            read += length;
            kept += length;
        }
        kept
    }

    /// Puts the held bytes right before the place of the received ones.
    fn put_back(&mut self, buffer: &mut [u8]) -> Range<usize> {
        let place = HEADROOM - self.held_bytes()..HEADROOM;
        if let Some(held) = self.held.take() {
            buffer[place.clone()].copy_from_slice(&held.bytes[..held.length.into()]);
        }
        place
    }
}

impl Held {
    /// Of `bytes` there are [`HELD_MAX`] at most.
    fn new(bytes: &[u8]) -> Held {
        let mut held = Held { length: bytes.len() as u8, bytes: [0; HELD_MAX] };
        held.bytes[..bytes.len()].copy_from_slice(bytes);
        held
    }
}

/// `rest` is not empty; nor is any piece of it.
fn next_piece(rest: &[u8], mid_line: bool) -> Piece {
    let line_end = || memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
    if mid_line || rest[0] != b'P' {
        return Piece::Data(line_end());
    }
    let window = &rest[..rest.len().min(CONTROL_LINE_MAX)];
    match memchr::memchr(b'\n', window) {
        Some(end) => control_line(&window[..end]).unwrap_or(Piece::Data(end + 1)),
        None if window.len() <= HELD_MAX && may_become_control(window) => Piece::Undecided,
        None => Piece::Data(line_end()),
    }
}

/// Reads a whole line, without its line feed.
fn control_line(line: &[u8]) -> Option<Piece> {
    let length = line.len() + 1;
    let text = line.strip_suffix(b"\r").unwrap_or(line);
    let (word, argument) = text.split_at_checked(4)?;
    if !matches!(argument.first(), None | Some(b' ')) {
        return None;
    }
    match word {
        b"PING" => Some(Piece::Ping(length)),
        b"PONG" => Some(Piece::Pong(length, probe_number(argument))),
        _ => None,
    }
}

/// Reads ` <n>` or ` :<n>`; anything else names no probe.
fn probe_number(argument: &[u8]) -> Option<u64> {
    let argument = argument.strip_prefix(b" ")?;
    let digits = argument.strip_prefix(b":").unwrap_or(argument);
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether more bytes could make a control line of this beginning.
fn may_become_control(beginning: &[u8]) -> bool {
    let (word, rest) = beginning.split_at(beginning.len().min(4));
    let known = b"PING".starts_with(word) || b"PONG".starts_with(word);
    known && (matches!(rest.first(), None | Some(b' ')) || rest == b"\r")
}

/// The probe of that number: `PING <n>` and a line feed.
pub fn probe(number: u64) -> Probe {
    let mut probe = Probe::empty();
    probe.prepend(b'\n');
    let mut rest = number;
    loop {
        probe.prepend(b'0' + (rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    b"PING ".iter().rev().for_each(|byte| probe.prepend(*byte));
    probe
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `pieces` one by one; returns what goes back and the answers.
    fn run(pieces: &[&[u8]]) -> (Vec<u8>, Vec<Option<u64>>) {
        let mut decoder = LineDecoder::default();
        let (mut echo, mut answers) = (Vec::new(), Vec::new());
        for piece in pieces {
            let mut buffer = vec![0; HEADROOM];
            buffer.extend_from_slice(piece);
            let range = decoder.decode(&mut buffer, |answer| answers.push(answer));
            echo.extend_from_slice(&buffer[range]);
            assert!(decoder.held_bytes() <= HELD_MAX);
        }
        let mut buffer = vec![0; HEADROOM];
        let range = decoder.finish(&mut buffer);
        echo.extend_from_slice(&buffer[range]);
        (echo, answers)
    }

    #[track_caller]
    fn expect(input: &[u8], echo: &[u8], answers: &[Option<u64>]) {
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        for pieces in [vec![input], bytes] {
            let (got, heard) = run(&pieces);
            assert_eq!(got.escape_ascii().to_string(), echo.escape_ascii().to_string());
            assert_eq!(heard, answers);
        }
    }

    #[test]
    fn answers_are_cut_out() {
        expect(b"PONG 7\n", b"", &[Some(7)]);
        expect(b"PONG :7\r\n", b"", &[Some(7)]);
        expect(b"a\nPONG 1\nb\nPONG 2\nc", b"a\nb\nc", &[Some(1), Some(2)]);
        for nameless in [&b"PONG\n"[..], b"PONG\r\n", b"PONG \n", b"PONG x\n", b"PONG +1\n"] {
            expect(nameless, b"", &[None]);
        }
        expect(b"PONG 18446744073709551616\n", b"", &[None]);
    }

    #[test]
    fn a_ping_comes_back_as_a_pong() {
        expect(b"PING\n", b"PONG\n", &[]);
        expect(b"PING a PING b\r\n", b"PONG a PING b\r\n", &[]);
    }

    #[test]
    fn what_only_looks_like_a_control_line_is_data() {
        let near_misses: [&[u8]; 12] = [
            b"PONGO\n",
            b"PINGS\n",
            b"pong 1\n",
            b" PONG 1\n",
            b"P\n",
            b"PIN\n",
            b"PON",
            b"PONG 1",
            b"PONG\rx\n",
            b"PING\r\r\n",
            b"PANG\n",
            b"x PING\nPO\n",
        ];
        for line in near_misses {
            expect(line, line, &[]);
        }
    }

    #[test]
    fn a_control_line_is_at_most_64_bytes() {
        let line = |length: usize| [b"PING ", &vec![b'x'; length - 6][..], b"\n"].concat();
        let longest = line(CONTROL_LINE_MAX);
        let mut answer = longest.clone();
        answer[1] = b'O';
        expect(&longest, &answer, &[]);
        let too_long = line(CONTROL_LINE_MAX + 1);
        expect(&too_long, &too_long, &[]);
    }

    #[test]
    fn data_streams_back_at_once_and_decides_where_a_probe_may_go() {
        let mut decoder = LineDecoder::default();
        let mut echo = |text: &[u8]| {
            let mut buffer = [&[0; HEADROOM], text].concat();
            let range = decoder.decode(&mut buffer, |_| ());
            (buffer[range].to_vec(), decoder.at_line_boundary())
        };
        assert_eq!(echo(b"half"), (b"half".to_vec(), false));
        assert_eq!(echo(b"PONG 1"), (b"PONG 1".to_vec(), false));
        assert_eq!(echo(b"\nPI"), (b"\n".to_vec(), true));
        assert_eq!(echo(b"e"), (b"PIe".to_vec(), false));
    }

    #[test]
    fn probes_are_numbered_lines() {
        assert_eq!(probe(1).as_bytes(), b"PING 1\n");
        assert_eq!(probe(100).as_bytes(), b"PING 100\n");
        let longest = probe(u64::MAX);
        assert_eq!(longest.as_bytes(), b"PING 18446744073709551615\n");
    }
}
