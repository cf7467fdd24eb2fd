//! Records as JSON: one flat object per line.
//!
//! A close record costs a quarter of what it does through a general serializer, which shows where thousands of
//! connections end in a second: see docs/performance.md.

use std::fmt::{self, Debug, Write};

use tracing::Event;
use tracing::field::{Field, Visit};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

/// A close record fits.
const USUAL_LENGTH: usize = 768;

/// The line of a record.
pub fn line(event: &Event<'_>) -> Vec<u8> {
    let mut line = Line::default();
    line.begin(event);
    event.record(&mut line);
    line.end();
    line.text.into_bytes()
}

/// One line. Writing to a String cannot fail, so what that returns is of no interest here.
#[derive(Debug)]
struct Line {
    text: String,
}

impl Default for Line {
    fn default() -> Line {
        Line { text: String::with_capacity(USUAL_LENGTH) }
    }
}

impl Line {
    fn begin(&mut self, event: &Event<'_>) {
        self.text.push_str(r#"{"timestamp":""#);
        let _ = SystemTime.format_time(&mut Writer::new(&mut self.text));
        let _ = write!(self.text, r#"","level":"{}""#, event.metadata().level());
    }

    fn end(&mut self) {
        self.text.push_str("}\n");
    }

    /// Names are identifiers: nothing in them needs escaping.
    fn name(&mut self, name: &str) {
        self.text.push_str(",\"");
        self.text.push_str(name);
        self.text.push_str("\":");
    }

    fn bare(&mut self, name: &str, value: fmt::Arguments<'_>) {
        self.name(name);
        let _ = self.text.write_fmt(value);
    }

    fn quoted(&mut self, name: &str, value: fmt::Arguments<'_>) {
        self.name(name);
        self.text.push('"');
        let _ = Escaped(&mut self.text).write_fmt(value);
        self.text.push('"');
    }
}

/// tracing falls back on the `Debug` text for what has no method here, which would make a string of a number.
impl Visit for Line {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(field.name(), format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        match value.is_finite() {
            true => self.bare(field.name(), format_args!("{value}")),
            false => self.bare(field.name(), format_args!("null")), // JSON has no such number
        }
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.bare(field.name(), format_args!("{value}"));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.bare(field.name(), format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field.name(), format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field.name(), format_args!("{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.quoted(field.name(), format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.quoted(field.name(), format_args!("{value:?}"));
    }
}

/// The inside of a JSON string, see RFC 8259, section 7.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // As nearly always. Without an early way out many bytes are looked at in one step.
        if !text.bytes().fold(false, |found, byte| found | needs_escape(byte.into())) {
            self.0.push_str(text);
            return Ok(());
        }
        for piece in text.split_inclusive(needs_escape) {
            let plain = piece.trim_end_matches(needs_escape);
            self.0.push_str(plain);
            for special in piece[plain.len()..].chars() {
                match special {
                    '"' | '\\' => write!(self.0, "\\{special}")?,
                    _ => write!(self.0, "\\u{:04x}", u32::from(special))?,
                }
            }
        }
        Ok(())
    }
}

fn needs_escape(character: char) -> bool {
    matches!(character, '"' | '\\' | '\0'..' ')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn whatever_a_record_says_is_one_line_of_json() {
        let said = "a \"quoted\\ one\",\n\r\ttwo\0\u{1f}\u{7f} — ünï\u{2028}😀\"";
        let mut line = Line::default();
        line.text.push_str("{\"level\":\"INFO\"");
        line.quoted("message", format_args!("{said}"));
        line.quoted("nothing", format_args!(""));
        line.bare("number", format_args!("{}", u64::MAX));
        line.end();
        assert_eq!(line.text.lines().count(), 1);
        let read: Value = serde_json::from_str(&line.text).unwrap();
        let expected = json!({ "level": "INFO", "message": said, "nothing": "", "number": u64::MAX });
        assert_eq!(read, expected);
    }
}
