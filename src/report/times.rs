//! Times: those of records, fast, and those that people give, as systemd.time(7) has them.

use anyhow::{Context as _, bail};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _, ZonedDateTime};

use super::record::number;

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;

/// Reads time stamps of records; those of one second are read once.
#[derive(Debug, Default)]
pub struct Clock {
    /// `2026-11-25T13:24:29`
    second: [u8; 19],
    /// When that was, in microseconds since 1970.
    time: i64,
}

impl Clock {
    /// Microseconds since 1970.
    #[inline]
    pub fn read(&mut self, stamp: &[u8]) -> Option<i64> {
        let (second, rest) = stamp.split_first_chunk::<19>()?;
        let (b'Z', fraction) = rest.split_last()? else {
            return read_any(stamp);
        };
        if *second != self.second {
            let text = str::from_utf8(stamp).ok()?;
            self.time = text.parse::<Timestamp>().ok()?.as_second() * SECOND;
            self.second = *second;
        }
        Some(self.time + microseconds(fraction)?)
    }
}

/// `__REALTIME_TIMESTAMP`: microseconds since 1970. One that no calendar has is no time.
pub fn of_journal(text: &[u8]) -> Option<i64> {
    let time = i64::try_from(number(text)?).ok()?;
    Timestamp::from_microsecond(time).is_ok().then_some(time)
}

/// `.208739` and shorter or longer ones.
fn microseconds(fraction: &[u8]) -> Option<i64> {
    let [b'.', digits @ ..] = fraction else {
        return fraction.is_empty().then_some(0);
    };
    let mut time = 0;
    for place in 0..6 {
        let digit = digits.get(place).copied().unwrap_or(b'0');
        time = time * 10 + i64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    Some(time)
}

fn read_any(stamp: &[u8]) -> Option<i64> {
    let time: Timestamp = str::from_utf8(stamp).ok()?.parse().ok()?;
    Some(time.as_microsecond())
}

/// Reads a time as journalctl takes it. A local time that a change of summer time skips or repeats is taken as RFC 5545 does.
///
/// # Errors
/// It is none.
pub fn parse(text: &str, now: &ZonedDateTime) -> anyhow::Result<i64> {
    let time = point(text.trim(), now)
        .with_context(|| format!("{text:?} is no time; allowed: -1h, \"2h ago\", now, today, yesterday, tomorrow, 13:30, 2026-11-25, \"2026-11-25 13:30:00\", RFC 3339, @SECONDS"))?;
    Ok(time.as_microsecond())
}

fn point(text: &str, now: &ZonedDateTime) -> anyhow::Result<Timestamp> {
    let day = |days: i64| anyhow::Ok(now.checked_add(days.days())?.start_of_day()?.timestamp());
    match text {
        "now" => return Ok(now.timestamp()),
        "today" => return day(0),
        "yesterday" => return day(-1),
        "tomorrow" => return day(1),
        _ => {}
    }
    if let Some(seconds) = text.strip_prefix('@') {
        return Ok(Timestamp::from_second(seconds.parse()?)?);
    }
    let is_relative = text.starts_with(['-', '+']) || text.ends_with(" ago");
    if is_relative && let Ok(span) = text.parse::<Span>() {
        return Ok(now.checked_add(span)?.timestamp());
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let local = if text.contains(':') && !text.contains('-') {
        now.date().to_datetime(text.parse::<Time>()?)
    } else if let Ok(date) = text.parse::<Date>()
        && text.len() <= 10
    {
        date.to_datetime(Time::midnight())
    } else if let Ok(time) = text.parse::<DateTime>() {
        time
    } else {
        bail!("neither relative nor absolute");
    };
    Ok(local.to_zoned_datetime(now.time_zone().clone())?.timestamp())
}

/// RFC 3339 with the zone's offset at that time.
pub fn local(time: i64, zone: &TimeZone) -> String {
    let Ok(time) = Timestamp::from_microsecond(time) else {
        return "?".to_owned();
    };
    time.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// How long something took, in words.
pub fn duration(microseconds: i64) -> String {
    let seconds = microseconds as f64 / SECOND as f64;
    match seconds {
        ..=0.0 => "0 s".to_owned(),
        ..0.001 => format!("{microseconds} µs"),
        ..1.0 => format!("{:.1} ms", seconds * 1e3),
        ..120.0 => format!("{seconds:.1} s"),
        ..7200.0 => format!("{:.1} min", seconds / 60.0),
        ..172_800.0 => format!("{:.1} h", seconds / 3600.0),
        _ => format!("{:.1} d", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half past two of the night in which summer time ends, for the second time.
    fn now() -> ZonedDateTime {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        "2026-10-25T01:30:00Z".parse::<Timestamp>().unwrap().to_zoned_datetime(zone)
    }

    #[test]
    fn times_are_read_as_journalctl_does() {
        for (text, expected) in [
            ("now", "2026-10-25T01:30:00Z"),
            ("-1h", "2026-10-25T00:30:00Z"),
            ("90 min ago", "2026-10-25T00:00:00Z"),
            ("today", "2026-10-24T22:00:00Z"),
            ("tomorrow", "2026-10-25T23:00:00Z"),
            ("yesterday", "2026-10-23T22:00:00Z"),
            ("13:30", "2026-10-25T12:30:00Z"),
            ("2026-10-25", "2026-10-24T22:00:00Z"),
            ("2026-10-24 13:30:15", "2026-10-24T11:30:15Z"),
            ("2026-10-24T13:30:15+05:00", "2026-10-24T08:30:15Z"),
            ("@1795570000", "2026-11-25T01:26:40Z"),
        ] {
            let expected: Timestamp = expected.parse().unwrap();
            assert_eq!(parse(text, &now()).unwrap(), expected.as_microsecond(), "{text}");
        }
        for text in ["", "soon", "25:00", "2026-13-01", "-1", "@x", "-", "+"] {
            assert!(parse(text, &now()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_repeated_hour_is_told_apart_by_its_offset() {
        let zone = now().time_zone().clone();
        let hours = [0, 1, 2].map(|hour| local((1_792_886_400 + hour * 3600) * SECOND, &zone));
        assert_eq!(
            hours,
            ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"]
        );
    }

    #[test]
    fn stamps_are_read_as_they_are_written() {
        let mut clock = Clock::default();
        for stamp in [
            "2026-11-25T13:24:29.208739Z",
            "2026-11-25T13:24:29.9Z",
            "2026-11-25T13:24:30Z",
            "2026-11-25T13:24:30.123456789Z",
            "2026-11-25T13:24:30.5+01:00",
        ] {
            let expected: Timestamp = stamp.parse().unwrap();
            assert_eq!(clock.read(stamp.as_bytes()), Some(expected.as_microsecond()), "{stamp}");
        }
        for stamp in ["", "Z", "2026-11-25T13:24:29,5Z", "2026-11-25T13:24:2xZ", "2026-11-25T13:24:29.x0Z"] {
            assert_eq!(clock.read(stamp.as_bytes()), None, "{stamp}");
        }
    }
}
