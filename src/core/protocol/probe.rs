//! A probe as it goes over the wire.

/// The bytes of a probe, made without formatting or allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    bytes: [u8; Probe::LONGEST],
    start: u8,
}

impl Probe {
    /// In bytes: `PING `, the 20 digits of the greatest number, and a line feed.
    pub const LONGEST: usize = 5 + 20 + 1;

    /// All of its bytes, at most 26.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[usize::from(self.start)..]
    }

    pub(super) const fn empty() -> Probe {
        Probe { bytes: [0; Probe::LONGEST], start: Probe::LONGEST as u8 }
    }

    pub(super) fn prepend(&mut self, byte: u8) {
        self.start -= 1;
        self.bytes[usize::from(self.start)] = byte;
    }
}
