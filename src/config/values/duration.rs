//! Durations: strings with a unit, in whole milliseconds.

use std::time::Duration;

use jiff::SpanRelativeTo;
use jiff::fmt::friendly::SpanParser;
use serde::Serializer;

use super::{Hint, Kind, Scalar};

// In milliseconds.
const SECOND: u128 = 1000;
const MINUTE: u128 = 60 * SECOND;
const HOUR: u128 = 60 * MINUTE;
const DAY: u128 = 24 * HOUR;

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

/// What `text` means, or why it means nothing.
fn parse(text: &str) -> Result<Duration, String> {
    let span = SpanParser::new().parse_span(text).map_err(|_| unreadable(text))?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err("months and years differ in length: give days".to_owned());
    }
    let duration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .and_then(Duration::try_from)
        .map_err(|_| "a duration is not negative".to_owned())?;
    if duration.subsec_nanos() % 1_000_000 != 0 {
        return Err("parts of a millisecond are not counted".to_owned());
    }
    Ok(duration)
}

fn unreadable(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(_) => unit_missing(text),
        Err(_) => FORM.to_owned(),
    }
}

fn unit_missing(number: &str) -> String {
    let seconds = format!("{number}s");
    match parse(&seconds) {
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
            ("2 hours", 7_200_000),
            ("7d", 604_800_000),
            ("1w", 604_800_000),
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
            ("5s ago", "not negative"),
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
