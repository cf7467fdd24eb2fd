//! What the log itself lost, or what of it could not be read.

use serde::Serialize;

/// Inputs that broke off are named up to so many.
const NAMED: usize = 8;

/// Lines that did not become records.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Losses {
    /// All lines, those without anything apart.
    pub lines: u64,
    /// Neither a record nor an entry of the journal: broken, cut off, of another program.
    pub not_understood: u64,
    /// Entries of the journal that are not the daemon's.
    pub foreign: u64,
    pub overlong_lines: u64,
    /// Messages that journald's rate limit dropped, by its own word.
    pub suppressed: u64,
    /// Inputs that broke off, as a compressed file that was cut.
    pub broken_inputs: Vec<String>,
}

impl Losses {
    pub fn note_suppressed(&mut self, messages: u64) {
        self.suppressed = self.suppressed.saturating_add(messages);
    }

    pub fn note_broken(&mut self, what: String) {
        if self.broken_inputs.len() < NAMED {
            self.broken_inputs.push(what);
        }
    }
}
