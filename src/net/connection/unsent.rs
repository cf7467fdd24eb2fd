//! What a connection keeps for a peer that does not read.

/// Bytes on their way to a peer that does not take them. Without any it owns no memory.
#[derive(Debug, Default)]
pub struct Unsent(Option<Box<Rest>>);

/// What is left of `bytes` from `start` on.
#[derive(Debug)]
struct Rest {
    bytes: Box<[u8]>,
    start: usize,
}

impl Unsent {
    /// What is left of them.
    pub fn rest(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |rest| &rest.bytes[rest.start..])
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Drops all but the last `length` bytes.
    pub fn keep_last(&mut self, length: usize) {
        match &mut self.0 {
            Some(rest) if length > 0 => rest.start = rest.bytes.len() - length,
            _ => self.0 = None,
        }
    }
}

impl From<&[u8]> for Unsent {
    fn from(bytes: &[u8]) -> Unsent {
        Unsent((!bytes.is_empty()).then(|| Box::new(Rest { bytes: bytes.into(), start: 0 })))
    }
}
