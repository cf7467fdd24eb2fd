//! Standard output, in the format that was asked for.

use std::io::{self, Write as _};

use serde_json::Value;

use super::arguments::Format;

/// Once its reader has gone, there is nobody to go on for.
#[derive(Debug)]
pub struct Output {
    format: Format,
    is_over: bool,
}

impl Output {
    /// In that format.
    pub fn new(format: Format) -> Output {
        Output { format, is_over: false }
    }

    /// Whether nobody reads any more.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Tells it, as text or as an object.
    pub fn tell(&mut self, text: impl FnOnce() -> String, object: impl FnOnce() -> Value) {
        match self.format {
            Format::Text => self.print(&text()),
            Format::Json => self.print(&object().to_string()),
        }
    }

    /// Tells it, unless people read.
    pub fn tell_programs(&mut self, object: impl FnOnce() -> Value) {
        if self.format == Format::Json {
            self.print(&object().to_string());
        }
    }

    fn print(&mut self, line: &str) {
        self.is_over |= writeln!(io::stdout(), "{line}").is_err();
    }
}
