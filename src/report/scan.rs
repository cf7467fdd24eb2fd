//! A fast reader of flat JSON objects, as the daemon and `journalctl -o json` write them: no tree, no copy.

use memchr::{memchr, memchr2};

use super::record::Record;

/// A line that is not written as expected: a general reader may still understand it.
#[derive(Debug, PartialEq, Eq)]
pub struct Misfit;

/// Hands every field to `take` until that returns `false`. Strings come without their quotes, a `null` not at all.
#[inline]
pub fn fields<'a>(line: &'a [u8], mut take: impl FnMut(&'a [u8], &'a [u8]) -> bool) -> Result<(), Misfit> {
    let [b'{', .., b'}'] = line else {
        return Err(Misfit);
    };
    let mut rest = line.get(1..).ok_or(Misfit)?;
    loop {
        let [b'"', after @ ..] = rest else {
            return Err(Misfit);
        };
        let end = after.iter().position(|byte| *byte == b'"').ok_or(Misfit)?;
        let (name, after) = after.split_at_checked(end).ok_or(Misfit)?;
        let [b'"', b':', value @ ..] = after else {
            return Err(Misfit);
        };
        let (value, after, is_known) = value_of(value)?;
        if is_known && !take(name, value) {
            return Ok(());
        }
        match after {
            [b',', next @ ..] => rest = next,
            [b'}'] => return Ok(()),
            _ => return Err(Misfit),
        }
    }
}

/// A value, what follows it, and whether it is one that can be taken as it stands.
#[inline]
fn value_of(text: &[u8]) -> Result<(&[u8], &[u8], bool), Misfit> {
    match text {
        [b'"', inside @ ..] => {
            let (end, is_plain) = string_end(inside)?;
            let value = inside.get(..end).ok_or(Misfit)?;
            Ok((value, inside.get(end + 1..).ok_or(Misfit)?, is_plain))
        }
        // Bytes of a message that is no text.
        [b'[', inside @ ..] => {
            let end = memchr(b']', inside).ok_or(Misfit)?;
            let is_flat = !inside.iter().take(end).any(|byte| matches!(byte, b'[' | b'{' | b'"'));
            if !is_flat {
                return Err(Misfit);
            }
            Ok((&[], inside.get(end + 1..).ok_or(Misfit)?, false))
        }
        _ => {
            let end = text.iter().position(|byte| matches!(byte, b',' | b'}')).ok_or(Misfit)?;
            let (value, after) = text.split_at_checked(end).ok_or(Misfit)?;
            let is_word = !value.is_empty()
                && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
            if is_word { Ok((value, after, value != b"null")) } else { Err(Misfit) }
        }
    }
}

/// Where a string ends, and whether it has no escapes.
#[inline]
fn string_end(inside: &[u8]) -> Result<(usize, bool), Misfit> {
    let mut from = 0;
    loop {
        let found = from + memchr2(b'"', b'\\', inside.get(from..).ok_or(Misfit)?).ok_or(Misfit)?;
        match inside.get(found) {
            Some(b'"') => return Ok((found, from == 0)),
            _ => from = found + 2,
        }
    }
}

/// Reads a record of the daemon. In its own order nothing that matters follows the evidence of a close.
#[inline]
pub fn record<'a>(line: &'a [u8]) -> Result<Record<'a>, Misfit> {
    let mut record = Record::default();
    let in_own_order = line.starts_with(b"{\"timestamp\":\"");
    fields(line, |name, value| {
        if in_own_order && name.starts_with(b"tcp_") && record.is_complete_close() {
            return false;
        }
        record.field(name, value);
        true
    })?;
    Ok(record)
}
