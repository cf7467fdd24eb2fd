//! What bytes mean: received bytes in, the bytes to send back out. Any split of the input gives the same result.

mod line;
mod probe;

use std::ops::Range;

pub use line::HEADROOM;
use line::LineDecoder;
pub use probe::Probe;

use super::listed::listed;
use super::snapshot::{DecoderState, Implausible};

listed! {
    /// The protocols a listener can speak.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum Protocol {
        /// The echo, with heartbeats that the peer's application answers.
        Line,
        /// The echo of RFC 862 and nothing else; the heartbeat is the kernel's TCP keepalive.
        Raw,
    }
}

impl Protocol {
    /// The fixed name in configuration and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Line => "line",
            Protocol::Raw => "raw",
        }
    }
}

/// The protocol state of one connection.
#[derive(Debug)]
pub enum Decoder {
    /// Its decoder.
    Line(LineDecoder),
    /// Nothing to remember.
    Raw,
}

impl Decoder {
    /// The state at the beginning of a connection.
    pub fn new(protocol: Protocol) -> Decoder {
        match protocol {
            Protocol::Line => Decoder::Line(LineDecoder::default()),
            Protocol::Raw => Decoder::Raw,
        }
    }

    /// Whose it is.
    pub fn protocol(&self) -> Protocol {
        match self {
            Decoder::Line(_) => Protocol::Line,
            Decoder::Raw => Protocol::Raw,
        }
    }

    /// What it remembers.
    pub fn snapshot(&self) -> DecoderState {
        match self {
            Decoder::Line(decoder) => decoder.snapshot(),
            Decoder::Raw => DecoderState::Raw,
        }
    }

    /// One that remembers that.
    ///
    /// # Errors
    /// No decoder can.
    pub fn restore(state: &DecoderState) -> Result<Decoder, Implausible> {
        Ok(match state {
            DecoderState::Line { held, mid_line } => Decoder::Line(LineDecoder::restore(held, *mid_line)?),
            DecoderState::Raw => Decoder::Raw,
        })
    }

    /// Turns received bytes, which stand in `buffer` from [`HEADROOM`] to its end, into the bytes to send back:
    /// the returned part of `buffer`. `answered` hears of every answer to a probe, with the number it names.
    pub fn decode(&mut self, buffer: &mut [u8], answered: impl FnMut(Option<u64>)) -> Range<usize> {
        match self {
            Decoder::Line(decoder) => decoder.decode(buffer, answered),
            Decoder::Raw => HEADROOM..buffer.len(),
        }
    }

    /// No more bytes will come: what was held back is data. It is put into `buffer`, where the returned range tells.
    pub fn finish(&mut self, buffer: &mut [u8]) -> Range<usize> {
        match self {
            Decoder::Line(decoder) => decoder.finish(buffer),
            Decoder::Raw => HEADROOM..HEADROOM,
        }
    }

    /// Bytes held back until it is clear what they are; less than a control line may have.
    pub fn held_bytes(&self) -> usize {
        match self {
            Decoder::Line(decoder) => decoder.held_bytes(),
            Decoder::Raw => 0,
        }
    }

    /// Whether the peer is probed by us, and not by the kernel alone.
    pub fn probes_peer(&self) -> bool {
        matches!(self, Decoder::Line(_))
    }

    /// Whether a probe of ours may go out here: only in the line protocol, and never inside a line that we send.
    pub fn may_probe(&self) -> bool {
        match self {
            Decoder::Line(decoder) => decoder.at_line_boundary(),
            Decoder::Raw => false,
        }
    }

    /// The probe of that number; `None`: this protocol leaves probing to the kernel.
    pub fn probe(&self, number: u64) -> Option<Probe> {
        match self {
            Decoder::Line(_) => Some(line::probe(number)),
            Decoder::Raw => None,
        }
    }
}
