//! The usual line of a log: a close record as `ops::events::close` writes it, its fields in their own order.
//!
//! Most lines of a log are one, so that they are not searched for names but held against those that come next. Anything
//! else is left to [`super::scan`].

use memchr::{memchr, memchr2};

use super::record::Record;

/// Reads it, or leaves it.
#[inline]
pub fn close(line: &[u8]) -> Option<Record<'_>> {
    let [.., b'}'] = line else {
        return None;
    };
    let mut rest = Rest(line);
    let mut record = Record { stamp: rest.text(b"{\"timestamp\":\"")?, ..Record::default() };
    rest.text(b",\"level\":\"")?;
    rest.message()?;
    record.event = rest.literal(b",\"event\":\"close\"").then_some(b"close")?;
    record.reason = rest.text(b",\"reason\":\"")?;
    record.verdict = rest.text(b",\"verdict\":\"").unwrap_or_default();
    record.listener = rest.text(b",\"listener\":\"")?;
    record.peer = rest.text(b",\"peer\":\"")?;
    rest.text(b",\"proxy\":\"");
    rest.text(b",\"local\":\"");
    record.conn = Some(rest.number(b",\"conn\":")?);
    rest.literal(b",\"null_connection\":true");
    record.lifetime_ms = Some(rest.number(b",\"lifetime_ms\":")?);
    record.idle_ms = Some(rest.number(b",\"idle_ms\":")?);
    record.rx_bytes = Some(rest.number(b",\"rx_bytes\":")?);
    rest.number(b",\"tx_bytes\":")?;
    rest.number(b",\"unechoed_bytes\":")?;
    rest.number(b",\"probes_sent\":");
    rest.number(b",\"probes_answered\":");
    record.probes_missed = rest.number(b",\"probes_missed\":");
    record.rtt_us = rest.number(b",\"rtt_us\":");
    // Errors and evidence have nothing for the report; anything else is not as usual.
    let is_usual = matches!(rest.0, b"}" | [b',', b'"', b'e' | b'o' | b't', ..]);
    is_usual.then_some(record)
}

/// What of a line is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    #[inline(always)]
    fn literal<const N: usize>(&mut self, expected: &[u8; N]) -> bool {
        match self.0.split_first_chunk::<N>() {
            Some((found, rest)) if found == expected => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// A short text; ours have no escapes, and a name that has one is not as usual.
    #[inline(always)]
    fn text<const N: usize>(&mut self, name: &[u8; N]) -> Option<&'a [u8]> {
        if !self.literal(name) {
            return None;
        }
        let (text, rest) = self.0.split_at_checked(memchr(b'"', self.0)?)?;
        self.0 = rest.get(1..)?;
        if text.last() == Some(&b'\\') { None } else { Some(text) }
    }

    /// It is passed over.
    #[inline(always)]
    fn message(&mut self) -> Option<()> {
        if !self.literal(b",\"message\":\"") {
            return None;
        }
        let end = memchr2(b'"', b'\\', self.0)?;
        self.0 = self.0.get(end..)?;
        self.literal(b"\"").then_some(())
    }

    #[inline(always)]
    fn number<const N: usize>(&mut self, name: &[u8; N]) -> Option<u64> {
        if !self.literal(name) {
            return None;
        }
        let mut number = 0_u64;
        let begin = self.0.len();
        while let [digit @ b'0'..=b'9', rest @ ..] = self.0 {
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.0 = rest;
        }
        // Nineteen digits always fit.
        (1..20).contains(&(begin - self.0.len())).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan;
    use super::*;

    /// What the daemon wrote.
    const LOG: &str = include_str!("../../tests/report/faults.json");

    #[test]
    fn every_close_of_the_daemon_is_usual_and_read_as_the_scanner_reads_it() {
        let closes: Vec<&str> = LOG.lines().filter(|line| line.contains("\"event\":\"close\"")).collect();
        assert_eq!(closes.len(), 36);
        for line in closes.into_iter().chain(PROXIED.lines()) {
            assert_eq!(close(line.as_bytes()), scan::record(line.as_bytes()).ok(), "{line}");
        }
    }

    /// What it wrote of connections that came through a proxy.
    const PROXIED: &str = r#"{"timestamp":"2026-12-01T04:39:53.020075Z","level":"INFO","message":"[2001:db8::7]:8080: the peer came and went without a byte, as health checks and port scanners do","event":"close","reason":"peer_closed","listener":"r","peer":"[2001:db8::7]:8080","proxy":"127.0.0.1:54570","local":"127.0.0.1:18932","conn":2,"null_connection":true,"lifetime_ms":0,"idle_ms":0,"rx_bytes":0,"tx_bytes":0,"unechoed_bytes":0}
{"timestamp":"2026-12-01T04:39:53.020163Z","level":"WARN","message":"[490e:79f3:3576:e219:54b3:71b6:a1e8:3436]:20074: the peer reset the connection (RST)","event":"close","reason":"peer_reset","listener":"p","peer":"[490e:79f3:3576:e219:54b3:71b6:a1e8:3436]:20074","proxy":"127.0.0.1:46504","local":"127.0.0.1:18931","conn":6,"lifetime_ms":0,"idle_ms":0,"rx_bytes":6,"tx_bytes":6,"unechoed_bytes":6,"probes_sent":0,"probes_answered":0,"probes_missed":0,"errno":"EPIPE","op":"write"}"#;

    #[test]
    fn nothing_that_was_cut_is_usual() {
        for line in LOG.lines() {
            for length in 0..line.len() {
                assert_eq!(close(&line.as_bytes()[..length]), None, "{length} of {line}");
            }
        }
    }
}
