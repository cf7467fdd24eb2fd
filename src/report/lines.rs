//! Lines of any input in bounded memory.

use std::io::{self, Read};

/// A longer line is skipped; a record has a few hundred bytes, one of the journal a few thousand.
pub const LONGEST_LINE: usize = 256 * 1024;

/// Splits an input into lines.
pub struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    begin: usize,
    filled: usize,
    is_over: bool,
    /// The line that is read is too long; what came of it is gone.
    is_skipping: bool,
    /// Lines that were skipped.
    pub skipped: u64,
}

impl<R: Read> Lines<R> {
    pub fn new(input: R) -> Lines<R> {
        let buffer = vec![0; 2 * LONGEST_LINE];
        Lines { input, buffer, begin: 0, filled: 0, is_over: false, is_skipping: false, skipped: 0 }
    }

    /// The next line, as its place in [`Lines::line`]. `None`: the end.
    ///
    /// # Errors
    /// Reading fails.
    #[inline]
    pub fn next(&mut self) -> io::Result<Option<(usize, usize)>> {
        let mut searched = 0;
        loop {
            let unread = self.buffer.get(self.begin..self.filled).unwrap_or_default();
            let found = memchr::memchr(b'\n', unread.get(searched..).unwrap_or_default());
            if let Some(length) = found {
                let begin = self.begin;
                let end = begin + searched + length;
                self.begin = end + 1;
                if std::mem::take(&mut self.is_skipping) {
                    searched = 0;
                    continue;
                }
                return Ok(Some((begin, end)));
            }
            searched = unread.len();
            if searched > LONGEST_LINE {
                self.skipped += u64::from(!self.is_skipping);
                self.is_skipping = true;
                self.begin = self.filled;
                searched = 0;
            }
            if self.is_over {
                return Ok(self.last());
            }
            self.fill()?;
        }
    }

    /// What follows the last line feed.
    fn last(&mut self) -> Option<(usize, usize)> {
        let place = (self.begin, self.filled);
        self.begin = self.filled;
        if place.0 == place.1 || std::mem::take(&mut self.is_skipping) { None } else { Some(place) }
    }

    pub fn line(&self, (begin, end): (usize, usize)) -> &[u8] {
        let line = self.buffer.get(begin..end).unwrap_or_default();
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.begin..self.filled, 0);
        (self.begin, self.filled) = (0, self.filled - self.begin);
        let space = self.buffer.get_mut(self.filled..).unwrap_or_default();
        loop {
            match self.input.read(space) {
                Ok(0) => self.is_over = true,
                Ok(length) => self.filled += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }
}
