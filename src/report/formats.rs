//! What a line says, whatever its format: JSON, text, or `journalctl -o json`.

use memchr::memmem;
use serde_json::Value;

use super::record::{Record, number};
use super::{scan, times, usual};

/// What a line turned out to be.
#[expect(clippy::large_enum_variant, reason = "nearly all are records, and none is kept")]
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A record of the daemon.
    Record(Record<'a>),
    /// journald has dropped so many messages of a service.
    Suppressed(u64),
    /// A journal entry of somebody else, such as the service manager.
    Foreign,
    /// None of these.
    NotUnderstood,
}

/// How journald's fields of ours begin.
const PREFIX: &[u8] = b"PULSE_ECHO_";

/// Understands a line. `space` is where values live that are not in the line as they are.
#[inline]
pub fn understand<'a>(line: &'a [u8], space: &'a mut String) -> Line<'a> {
    match line {
        [b'{', ..] if line.starts_with(b"{\"timestamp\":") => own(line, space),
        [b'{', ..] => journal(line, space),
        _ => text(line).map_or(Line::NotUnderstood, Line::Record),
    }
}

fn own<'a>(line: &'a [u8], space: &'a mut String) -> Line<'a> {
    if let Some(record) = usual::close(line) {
        return Line::Record(record);
    }
    match scan::record(line) {
        Ok(record) if !record.event.is_empty() => Line::Record(record),
        _ => any_json(line, space),
    }
}

/// An entry of the journal has `__REALTIME_TIMESTAMP`, and our fields in capitals, or our text or JSON as its message.
fn journal<'a>(line: &'a [u8], space: &'a mut String) -> Line<'a> {
    let mut record = Record::default();
    let (mut message, mut names_a_time): (&[u8], bool) = (b"", false);
    let scanned = scan::fields(line, |name, value| {
        match name {
            b"__REALTIME_TIMESTAMP" => {
                record.time = times::of_journal(value);
                names_a_time = true;
            }
            b"_HOSTNAME" => record.host = value,
            b"MESSAGE" => message = value,
            _ => {
                if let Some(name) = name.strip_prefix(PREFIX) {
                    lower_case(name, |name| record.field(name, value));
                }
            }
        }
        true
    });
    if scanned.is_ok() && names_a_time && !record.event.is_empty() {
        return Line::Record(record);
    }
    if scanned.is_err() || !names_a_time || message.is_empty() {
        return any_json(line, space);
    }
    of_message(message, &record)
}

/// A journal entry without fields of ours.
fn of_message<'a>(message: &'a [u8], entry: &Record<'a>) -> Line<'a> {
    if let Some(lost) = suppressed(message) {
        return Line::Suppressed(lost);
    }
    match text(message) {
        Some(found) => Line::Record(Record { time: entry.time, host: entry.host, ..found }),
        None => Line::Foreign,
    }
}

/// "Suppressed 1234 messages from pulse-echo.service"
fn suppressed(message: &[u8]) -> Option<u64> {
    let rest = message.strip_prefix(b"Suppressed ")?;
    let (count, from) = rest.split_at_checked(memchr::memchr(b' ', rest)?)?;
    if from.starts_with(b" messages from ") { number(count) } else { None }
}

fn lower_case(name: &[u8], then: impl FnOnce(&[u8])) {
    let mut space = [0; 32];
    if let Some(lower) = space.get_mut(..name.len()) {
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        then(lower);
    }
}

/// What the fast reader does not know: other spacing, escapes, bytes. The values go into `space`, one after the other.
fn any_json<'a>(line: &[u8], space: &'a mut String) -> Line<'a> {
    let Ok(Value::Object(fields)) = serde_json::from_slice(line) else {
        return Line::NotUnderstood;
    };
    let is_entry = fields.contains_key("__REALTIME_TIMESTAMP");
    if !is_entry && !fields.contains_key("event") {
        return Line::NotUnderstood;
    }
    space.clear();
    let places: Vec<_> = fields
        .iter()
        .filter_map(|(name, value)| {
            let begin = space.len();
            append(space, value)?;
            Some((name.as_str(), begin..space.len()))
        })
        .collect();
    let space: &'a str = space;
    let (mut record, mut message) = (Record::default(), "");
    for (name, place) in places {
        let value = space.get(place).unwrap_or_default();
        match name {
            "__REALTIME_TIMESTAMP" => record.time = times::of_journal(value.as_bytes()),
            "_HOSTNAME" => record.host = value.as_bytes(),
            "MESSAGE" => message = value,
            _ if is_entry => {
                if let Some(name) = name.as_bytes().strip_prefix(PREFIX) {
                    lower_case(name, |name| record.field(name, value.as_bytes()));
                }
            }
            _ => record.field(name.as_bytes(), value.as_bytes()),
        }
    }
    match (is_entry, record.event.is_empty()) {
        (_, false) => Line::Record(record),
        (true, true) => match scan::record(message.as_bytes()) {
            Ok(found) if !found.event.is_empty() => {
                Line::Record(Record { time: record.time, host: record.host, ..found })
            }
            _ => of_message(message.as_bytes(), &record),
        },
        (false, true) => Line::NotUnderstood,
    }
}

fn append(space: &mut String, value: &Value) -> Option<()> {
    match value {
        Value::String(text) => space.push_str(text),
        Value::Number(number) => space.push_str(&number.to_string()),
        Value::Array(bytes) => {
            let bytes: Option<Vec<u8>> =
                bytes.iter().map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok())).collect();
            space.push_str(&String::from_utf8_lossy(&bytes?));
        }
        _ => return None,
    }
    Some(())
}

/// `2026-11-25T13:24:29.208739Z  WARN message event=close reason=…`; under the journal without the time.
fn text(line: &[u8]) -> Option<Record<'_>> {
    let fields = memmem::find(line, b" event=")? + 1;
    let mut record = Record::default();
    let first = line.split(|byte| *byte == b' ').next()?;
    if first.first().is_some_and(u8::is_ascii_digit) && first.contains(&b'T') {
        record.stamp = first;
    }
    let mut rest = line.get(fields..)?;
    while let Some(equals) = memchr::memchr(b'=', rest) {
        let (name, value) = rest.split_at_checked(equals)?;
        let value = value.get(1..)?;
        let (value, after) = match value {
            [b'"', inside @ ..] => {
                let end = memchr::memchr(b'"', inside)?;
                (inside.get(..end)?, inside.get(end + 1..)?)
            }
            _ => value.split_at_checked(memchr::memchr(b' ', value).unwrap_or(value.len()))?,
        };
        record.field(name, value);
        rest = after.strip_prefix(b" ").unwrap_or(after);
    }
    if record.event.is_empty() { None } else { Some(record) }
}
