//! Any split of a stream gives the same result, and it is the one that the rules say.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use pulse_echo::core::{
    Deadlines, Decoder, Evidence, HEADROOM, Heartbeat, Moment, Protocol, Session, Step, Timing,
};

use crate::streams::{Bytes, cuts, damaged_stream, pieces, stream};

const CONTROL_LINE_MAX: usize = 64;

/// What the rules make of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reading {
    echo: Vec<u8>,
    answers: Vec<Option<u64>>,
    /// What has arrived and is held until it is decided what it is.
    held: usize,
}

/// Reads what has arrived so far, line by whole line.
fn read_by_the_rules(stream: &[u8]) -> Reading {
    let mut reading = Reading::default();
    for line in stream.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(text) => read_line(line, text.strip_suffix(b"\r").unwrap_or(text), &mut reading),
            None if could_become_a_control_line(line) => reading.held = line.len(),
            None => reading.echo.extend_from_slice(line),
        }
    }
    reading
}

/// `text` is the line without its end.
fn read_line(line: &[u8], text: &[u8], reading: &mut Reading) {
    let is = |word: &[u8]| {
        let argument = text.strip_prefix(word);
        line.len() <= CONTROL_LINE_MAX && argument.is_some_and(|rest| rest.is_empty() || rest[0] == b' ')
    };
    if is(b"PONG") {
        reading.answers.push(named_probe(text));
    } else if is(b"PING") {
        reading.echo.extend_from_slice(b"PONG");
        reading.echo.extend_from_slice(&line[b"PING".len()..]);
    } else {
        reading.echo.extend_from_slice(line);
    }
}

/// The `<n>` of `PONG <n>` or `PONG :<n>`.
fn named_probe(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let number = text.strip_prefix("PONG :").or_else(|| text.strip_prefix("PONG "))?;
    let only_digits = number.chars().all(|character| character.is_ascii_digit());
    number.parse().ok().filter(|_| only_digits)
}

fn could_become_a_control_line(beginning: &[u8]) -> bool {
    let one_more_fits = beginning.len() < CONTROL_LINE_MAX;
    one_more_fits
        && [&b"PING"[..], b"PONG"].into_iter().any(|word| {
            let alternatives = [&[word, b" "].concat()[..], &[word, b"\r\n"].concat()];
            beginning.starts_with(alternatives[0])
                || alternatives.iter().any(|line| line.starts_with(beginning))
        })
}

/// Feeds the pieces one by one and compares after each; at the end what is held must come out.
fn compare_with_the_rules(stream: &Bytes, cuts: &[usize]) -> Result<(), TestCaseError> {
    let mut decoder = Decoder::new(Protocol::Line);
    let mut found = Reading::default();
    let mut arrived = 0;
    for piece in pieces(stream, cuts) {
        arrived += piece.len();
        let mut buffer = [&[0; HEADROOM], piece].concat();
        let echo = decoder.decode(&mut buffer, |answer| found.answers.push(answer));
        found.echo.extend_from_slice(&buffer[echo]);
        found.held = decoder.held_bytes();
        prop_assert!(found.held < CONTROL_LINE_MAX);
        let expected = read_by_the_rules(&stream.0[..arrived]);
        prop_assert_eq!(Bytes(found.echo.clone()), Bytes(expected.echo), "after {} bytes", arrived);
        prop_assert_eq!(&found.answers, &expected.answers, "after {} bytes", arrived);
        prop_assert_eq!(found.held, expected.held, "after {} bytes", arrived);
        let at_line_end = found.echo.last().is_none_or(|byte| *byte == b'\n');
        prop_assert_eq!(decoder.may_probe(), at_line_end, "a probe may go where a line of ours begins");
    }
    let mut buffer = [0; HEADROOM];
    let last = decoder.finish(&mut buffer);
    prop_assert_eq!(&buffer[last], &stream.0[stream.0.len() - found.held..]);
    prop_assert_eq!(decoder.held_bytes(), 0);
    let at_line_end = stream.0.last().is_none_or(|byte| *byte == b'\n');
    prop_assert_eq!(decoder.may_probe(), at_line_end, "what was held is half a line now");
    Ok(())
}

proptest! {
    #![proptest_config(crate::config())]

    #[test]
    fn any_split_of_a_stream_is_read_by_the_rules(stream in stream(), cuts in cuts()) {
        compare_with_the_rules(&stream, &cuts)?;
    }

    #[test]
    fn a_stream_with_one_flipped_bit_is_read_by_the_rules(stream in damaged_stream(), cuts in cuts()) {
        compare_with_the_rules(&stream, &cuts)?;
    }

    #[test]
    fn the_echo_is_never_longer_than_what_was_received(stream in stream(), cuts in cuts()) {
        let mut decoder = Decoder::new(Protocol::Line);
        let (mut received, mut echoed) = (0, 0);
        for piece in pieces(&stream, &cuts) {
            let mut buffer = [&[0; HEADROOM], piece].concat();
            received += piece.len();
            echoed += decoder.decode(&mut buffer, |_| ()).len();
            prop_assert!(echoed <= received);
        }
        let last = decoder.finish(&mut [0; HEADROOM]);
        prop_assert!(echoed + last.len() <= received);
    }

    #[test]
    fn raw_is_the_identity(stream in stream(), cuts in cuts()) {
        let mut decoder = Decoder::new(Protocol::Raw);
        for piece in pieces(&stream, &cuts) {
            let mut buffer = [&[0; HEADROOM], piece].concat();
            let echo = decoder.decode(&mut buffer, |_| unreachable!("raw knows no answers"));
            prop_assert_eq!(&buffer[echo], piece);
            prop_assert_eq!(decoder.held_bytes(), 0);
            prop_assert!(!decoder.may_probe());
        }
        prop_assert!(decoder.finish(&mut [0; HEADROOM]).is_empty());
    }

    #[test]
    fn a_session_counts_the_same_however_its_input_is_cut(stream in stream(), cuts in cuts(), probes in 0..4u64) {
        let (mut session, now) = probed_session(probes);
        let mut buffer = Vec::new();
        for piece in pieces(&stream, &cuts) {
            buffer.resize(HEADROOM, 0);
            buffer.extend_from_slice(piece);
            let echo = session.receive(now, &mut buffer);
            if !echo.is_empty() {
                session.sent(now, echo.len());
            }
            buffer.clear();
        }
        let expected = read_by_the_rules(&stream.0);
        let report = session.report(now, &Evidence::default());
        prop_assert_eq!(report.received_bytes, stream.0.len() as u64);
        prop_assert_eq!(report.sent_bytes, (probes * PROBE_LENGTH) + expected.echo.len() as u64);
        prop_assert_eq!(report.unechoed_bytes, expected.held as u64);
        let answered = report.probes.map(|probes| probes.answered);
        prop_assert_eq!(answered, Some(answered_by_the_rules(probes, &expected.answers)));

        let held = session.end_of_input(&mut [0; HEADROOM]);
        prop_assert_eq!(session.report(now, &Evidence::default()).unechoed_bytes, expected.held as u64);
        session.sent(now, held.len());
        prop_assert_eq!(session.report(now, &Evidence::default()).unechoed_bytes, 0);
        prop_assert_eq!(session.report(now, &Evidence::default()).sent_bytes, report.sent_bytes + expected.held as u64);
    }
}

/// `PING 1` and a line feed.
const PROBE_LENGTH: u64 = 7;

/// A session that has sent so many probes, fewer than ten.
fn probed_session(probes: u64) -> (Session, Moment) {
    let second = Duration::from_secs(1);
    let timing = Timing {
        deadlines: Deadlines { read: None, write: None, lifetime: None },
        heartbeat: Some(Heartbeat { interval: second, timeout: second, max_missed: 100 }),
    };
    let mut now = Moment::START;
    let mut session = Session::new(Protocol::Line, now, 0);
    for _ in 0..probes {
        now = now + second;
        let Some(Step::Send(probe)) = session.handle_timeout(&timing, now, None) else {
            panic!("no probe was due");
        };
        session.sent(now, probe.as_bytes().len());
    }
    (session, now)
}

/// An answer is for the probe it names, or else for the newest. No probe is answered twice.
fn answered_by_the_rules(sent: u64, answers: &[Option<u64>]) -> u64 {
    let was_sent = |number: &u64| (1..=sent).contains(number);
    let meant = answers.iter().map(|number| number.filter(was_sent).unwrap_or(sent));
    let answered: BTreeSet<u64> = meant.filter(was_sent).collect();
    answered.len() as u64
}
