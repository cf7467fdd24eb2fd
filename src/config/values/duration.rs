//! Durations: strings of numbers with units, in whole milliseconds.
//!
//! One form, read in one way: what other notations mean is asked, never guessed.

use std::time::Duration;

use serde::Serializer;

use super::{Hint, Kind, Scalar};

// In milliseconds.
const SECOND: u128 = 1000;
const MINUTE: u128 = 60 * SECOND;
const HOUR: u128 = 60 * MINUTE;
const DAY: u128 = 24 * HOUR;

/// The units, largest first, with the other words people have for them.
const UNITS: [(&str, u128, &[&str]); 5] = [
    ("d", DAY, &["day", "days"]),
    ("h", HOUR, &["hr", "hrs", "hour", "hours"]),
    ("m", MINUTE, &["min", "mins", "minute", "minutes"]),
    ("s", SECOND, &["sec", "secs", "second", "seconds"]),
    ("ms", 1, &["msec", "msecs", "millisecond", "milliseconds"]),
];

/// More digits after the point than any duration of whole milliseconds has.
const MOST_DECIMALS: usize = 12;

const FORM: &str =
    "a duration is a string of numbers with units, largest first: d, h, m, s, ms, as in \"1m 30s\"";

/// A duration in a range, in milliseconds.
pub(in crate::config) struct Within<const SHORTEST: u64, const LONGEST: u64>;

impl<const SHORTEST: u64, const LONGEST: u64> Kind for Within<SHORTEST, LONGEST> {
    type Value = Duration;

    fn allowed() -> String {
        let [shortest, longest] = [SHORTEST, LONGEST].map(|bound| written(Duration::from_millis(bound)));
        format!("{shortest:?} to {longest:?}")
    }

    fn read(given: Scalar<'_>) -> Result<Duration, Hint> {
        let duration = match given {
            Scalar::Text("off") => return Err(Some("this cannot be off".to_owned())),
            Scalar::Text(text) => parse(text).map_err(Some)?,
            Scalar::Flag(_) => return Err(None),
            Scalar::Whole(number) => return Err(Some(unit_missing(&number.to_string()))),
            Scalar::Fraction(number) => return Err(Some(unit_missing(&format!("{number:?}")))),
        };
        let allowed = Duration::from_millis(SHORTEST)..=Duration::from_millis(LONGEST);
        if allowed.contains(&duration) { Ok(duration) } else { Err(None) }
    }

    fn stand_in() -> Duration {
        Duration::ZERO
    }

    fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&written(*value))
    }
}

/// What `text` means, a duration in the words of the file, or why it means nothing.
pub fn parse(text: &str) -> Result<Duration, String> {
    match milliseconds(text) {
        // What is beyond this is beyond every range.
        Ok(milliseconds) => Ok(Duration::from_millis(milliseconds.try_into().unwrap_or(u64::MAX))),
        Err(Flaw::Parts) => Err("parts of a millisecond are not counted".to_owned()),
        Err(Flaw::Form) => Err(unreadable(text)),
    }
}

/// Why a text is no duration.
enum Flaw {
    Form,
    /// Parts of a millisecond
    Parts,
}

fn milliseconds(text: &str) -> Result<u128, Flaw> {
    let mut sum: u128 = 0;
    let mut units = UNITS.iter();
    let mut rest = text;
    loop {
        let part = Part::first_of(rest).ok_or(Flaw::Form)?;
        // Units that were passed over cannot follow any more.
        let (_, unit, _) = units.find(|(name, ..)| *name == part.unit).ok_or(Flaw::Form)?;
        sum += part.milliseconds(*unit).ok_or(Flaw::Parts)?;
        rest = part.rest.trim_start_matches(' ');
        if part.rest.is_empty() {
            return Ok(sum);
        }
    }
}

/// One number with its unit, and what follows.
struct Part<'t> {
    whole: u64,
    decimals: &'t str,
    unit: &'t str,
    rest: &'t str,
}

impl<'t> Part<'t> {
    fn first_of(text: &'t str) -> Option<Part<'t>> {
        let (whole, mut rest) = split_while(text, |byte| byte.is_ascii_digit());
        let mut decimals = "";
        if let Some(fraction) = rest.strip_prefix('.') {
            (decimals, rest) = split_while(fraction, |byte| byte.is_ascii_digit());
            if decimals.is_empty() {
                return None;
            }
        }
        let (unit, rest) = split_while(rest.trim_start_matches(' '), |byte| byte.is_ascii_alphabetic());
        Some(Part { whole: whole.parse().ok()?, decimals, unit, rest })
    }

    /// In whole milliseconds; `None` if some part of one is left.
    fn milliseconds(&self, unit: u128) -> Option<u128> {
        let decimals = self.decimals.trim_end_matches('0');
        if decimals.len() > MOST_DECIMALS {
            return None;
        }
        let scale = 10_u128.pow(decimals.len() as u32);
        let fraction = decimals.parse::<u128>().unwrap_or(0) * unit;
        fraction.is_multiple_of(scale).then(|| u128::from(self.whole) * unit + fraction / scale)
    }
}

fn split_while(text: &str, belongs: impl Fn(u8) -> bool) -> (&str, &str) {
    text.split_at(text.bytes().take_while(|byte| belongs(*byte)).count())
}

/// What to do about a text that is no duration.
fn unreadable(text: &str) -> String {
    // Nothing that long is a slip of the pen.
    if text.len() > 64 {
        return FORM.to_owned();
    }
    if text.strip_prefix('-').is_some_and(|text| milliseconds(text).is_ok()) {
        return "a duration is not negative".to_owned();
    }
    let words = || text.split(|character: char| !character.is_alphabetic());
    if words().any(|word| matches!(word, "y" | "year" | "years" | "mo" | "mos" | "month" | "months")) {
        return "months and years differ in length: give days".to_owned();
    }
    if words().any(|word| matches!(word, "us" | "µs" | "ns")) {
        return "parts of a millisecond are not counted".to_owned();
    }
    if text.parse::<f64>().is_ok() {
        return unit_missing(text);
    }
    let meant = rewritten(text);
    match milliseconds(&meant) {
        Ok(_) => format!("{FORM}; did you mean {meant:?}?"),
        Err(_) => FORM.to_owned(),
    }
}

/// `text` in the one form there is, if it is a duration in a form like it.
fn rewritten(text: &str) -> String {
    let lower = text.trim().to_lowercase();
    let mut meant = String::new();
    for (index, part) in lower.split(',').enumerate() {
        let thousands = part.len() >= 3 && part.bytes().take_while(u8::is_ascii_digit).count() == 3;
        match index {
            0 => {}
            // `1m, 30s` and `1,000ms`, but `1,5s` has its point wrong.
            _ if thousands || part.starts_with(' ') => {}
            _ => meant.push('.'),
        }
        meant.push_str(part);
    }
    let mut rest = meant.as_str();
    let mut parts = Vec::new();
    while let Some(part) = Part::first_of(rest).filter(|part| !part.unit.is_empty()) {
        let known = UNITS.iter().find(|(name, _, others)| *name == part.unit || others.contains(&part.unit));
        let point = if part.decimals.is_empty() { "" } else { "." };
        let unit = known.map_or(part.unit, |(name, ..)| name);
        parts.push(format!("{}{point}{}{unit}", part.whole, part.decimals));
        rest = part.rest.trim_start();
    }
    if rest.is_empty() { parts.join(" ") } else { String::new() }
}

fn unit_missing(number: &str) -> String {
    let seconds = format!("{number}s");
    match milliseconds(&seconds) {
        Ok(_) => format!("a duration is a string with a unit: did you mean {seconds:?}?"),
        Err(_) => FORM.to_owned(),
    }
}

/// A duration as a file may have it, in one unit: the largest that leaves no remainder.
pub(in crate::config) fn written(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    match milliseconds {
        0 => "0s".to_owned(),
        // Hardly anybody writes one minute as "1m".
        MINUTE => "60s".to_owned(),
        _ if milliseconds.is_multiple_of(DAY) => format!("{}d", milliseconds / DAY),
        _ if milliseconds.is_multiple_of(HOUR) => format!("{}h", milliseconds / HOUR),
        _ if milliseconds.is_multiple_of(MINUTE) => format!("{}m", milliseconds / MINUTE),
        _ if milliseconds.is_multiple_of(SECOND) => format!("{}s", milliseconds / SECOND),
        _ => format!("{milliseconds}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        let table = [
            ("0s", 0),
            ("250ms", 250),
            ("1.5s", 1_500),
            ("60s", 60_000),
            ("1m 30s", 90_000),
            ("1m30s", 90_000),
            ("2 h", 7_200_000),
            ("7d", 604_800_000),
            ("1.50s", 1_500),
            ("0.5h 1.5m", 1_890_000),
            ("1 m  30 s", 90_000),
            ("1d 2h 3m 4s 5ms", 93_784_005),
        ];
        for (text, milliseconds) in table {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_a_reason() {
        let table = [
            ("", "numbers with units"),
            ("60", "did you mean \"60s\"?"),
            ("1.5", "did you mean \"1.5s\"?"),
            ("-60", "numbers with units"),
            ("inf", "numbers with units"),
            ("60x", "numbers with units"),
            ("30s 1m", "numbers with units"),
            ("PT30S", "numbers with units"),
            ("99999999999999999999d", "numbers with units"),
            ("-5s", "not negative"),
            ("5s ago", "numbers with units"),
            ("1,000ms", "did you mean \"1000ms\"?"),
            ("86,400s", "did you mean \"86400s\"?"),
            ("1,5s", "did you mean \"1.5s\"?"),
            ("1m, 30s", "did you mean \"1m 30s\"?"),
            ("2 hours", "did you mean \"2h\"?"),
            ("60S", "did you mean \"60s\"?"),
            (" 60s ", "did you mean \"60s\"?"),
            ("01:30:00", "numbers with units"),
            ("+5s", "numbers with units"),
            ("1s 1s", "numbers with units"),
            ("1.s", "numbers with units"),
            (".5s", "numbers with units"),
            ("1\u{a0}s", "numbers with units"),
            ("1w", "numbers with units"),
            ("1 month", "give days"),
            ("1y", "give days"),
            ("1.5ms", "parts of a millisecond"),
            ("10us", "parts of a millisecond"),
        ];
        for (text, reason) in table {
            let refusal = parse(text).expect_err(text);
            assert!(refusal.contains(reason), "{text}: {refusal}");
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let table = [
            (0, "0s"),
            (1, "1ms"),
            (1_500, "1500ms"),
            (10_000, "10s"),
            (60_000, "60s"),
            (90_000, "90s"),
            (300_000, "5m"),
            (3_600_000, "1h"),
            (32_767_000, "32767s"),
            (604_800_000, "7d"),
        ];
        for (milliseconds, text) in table {
            let duration = Duration::from_millis(milliseconds);
            assert_eq!(written(duration), text);
            assert_eq!(parse(text), Ok(duration));
        }
    }
}
