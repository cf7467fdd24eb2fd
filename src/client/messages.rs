//! Numbered messages, and the stream of their echoes.

use std::collections::VecDeque;

use crate::core::{Decoder, HEADROOM, Moment, Protocol};

/// More than these are not sent while none comes back.
const MOST_PENDING: usize = 4096;

/// A message that has not come back.
#[derive(Debug, Clone, Copy)]
pub struct Pending {
    /// 1, 2, …
    pub number: u64,
    /// When it was given to the kernel.
    pub sent_at: Moment,
    /// Bytes that were sent before it.
    pub before: u64,
}

/// What came is not what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoEcho;

/// What was sent and not come back. Each message is a line that begins with its number, so it is no control line.
#[derive(Debug)]
pub struct Messages {
    decoder: Decoder,
    pending: VecDeque<Pending>,
    /// The message that comes back now, and how much of it has.
    expected: Vec<u8>,
    matched: usize,
    size: usize,
    last: u64,
}

impl Messages {
    /// Messages of `size` bytes, at least 22, numbered from after `last`.
    pub fn new(size: usize, last: u64) -> Messages {
        Messages {
            decoder: Decoder::new(Protocol::Line),
            pending: VecDeque::new(),
            expected: Vec::new(),
            matched: 0,
            size,
            last,
        }
    }

    /// The number of the newest message.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Those that have not come back, oldest first.
    pub fn pending(&self) -> &VecDeque<Pending> {
        &self.pending
    }

    /// Whether another message may be sent.
    pub fn may_send(&self) -> bool {
        self.pending.len() < MOST_PENDING
    }

    /// The next message; `before`: bytes that were sent before it.
    pub fn send(&mut self, now: Moment, before: u64) -> Vec<u8> {
        self.last += 1;
        self.pending.push_back(Pending { number: self.last, sent_at: now, before });
        message(self.last, self.size)
    }

    /// Takes what was received, which stands in `buffer` from [`HEADROOM`] to its end. Answers to probes go to `answers`,
    /// and `echoed` hears of each message that is back.
    pub fn receive(
        &mut self,
        buffer: &mut [u8],
        answers: &mut Vec<u8>,
        mut echoed: impl FnMut(Pending),
    ) -> Result<(), NoEcho> {
        debug_assert!(buffer.len() >= HEADROOM);
        let range = self.decoder.decode(buffer, |_| {});
        let mut rest = buffer.get(range).unwrap_or_default();
        while !rest.is_empty() {
            if self.matched == 0 && rest.starts_with(b"PONG") {
                let length = rest.iter().position(|byte| *byte == b'\n').ok_or(NoEcho)? + 1;
                let (answer, others) = rest.split_at(length);
                answers.extend_from_slice(answer);
                rest = others;
                continue;
            }
            rest = self.compare(rest, &mut echoed)?;
        }
        Ok(())
    }

    fn compare<'a>(&mut self, bytes: &'a [u8], echoed: &mut impl FnMut(Pending)) -> Result<&'a [u8], NoEcho> {
        let oldest = *self.pending.front().ok_or(NoEcho)?;
        if self.matched == 0 {
            self.expected = message(oldest.number, self.size);
        }
        let missing = self.expected.get(self.matched..).unwrap_or_default();
        let (come, others) = bytes.split_at(bytes.len().min(missing.len()));
        if !missing.starts_with(come) {
            return Err(NoEcho);
        }
        self.matched += come.len();
        if self.matched == self.size {
            self.matched = 0;
            self.pending.pop_front();
            echoed(oldest);
        }
        Ok(others)
    }
}

fn message(number: u64, size: usize) -> Vec<u8> {
    let mut message = format!("{number} ").into_bytes();
    message.extend((b'a'..=b'z').cycle().take(size.saturating_sub(message.len() + 1)));
    message.push(b'\n');
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(messages: &mut Messages, bytes: &[u8]) -> (Result<(), NoEcho>, Vec<u64>, String) {
        let mut buffer = [vec![0; HEADROOM], bytes.to_vec()].concat();
        let (mut numbers, mut answers) = (Vec::new(), Vec::new());
        let result = messages.receive(&mut buffer, &mut answers, |echo| numbers.push(echo.number));
        (result, numbers, String::from_utf8(answers).unwrap())
    }

    #[test]
    fn echoes_and_probes_are_told_apart_however_they_are_split() {
        let stream = |messages: &mut Messages| {
            let sent = [messages.send(Moment::START, 0), messages.send(Moment::START, 30)];
            [b"PING 1\n", &sent[0][..], b"PING 2\n", &sent[1][..]].concat()
        };
        for split in 1..70 {
            let mut messages = Messages::new(30, 0);
            let bytes = stream(&mut messages);
            let (mut numbers, mut answers) = (Vec::new(), String::new());
            for piece in bytes.chunks(split) {
                let (result, more, answer) = receive(&mut messages, piece);
                assert_eq!(result, Ok(()));
                numbers.extend(more);
                answers.push_str(&answer);
            }
            assert_eq!((numbers, answers.as_str()), (vec![1, 2], "PONG 1\nPONG 2\n"), "pieces of {split}");
            assert!(messages.pending().is_empty());
        }
    }

    #[test]
    fn what_nobody_sent_is_no_echo() {
        let mut messages = Messages::new(30, 0);
        assert_eq!(receive(&mut messages, b"220 welcome\r\n").0, Err(NoEcho));
        messages.send(Moment::START, 0);
        assert_eq!(receive(&mut messages, b"220 welcome\r\n").0, Err(NoEcho));
    }

    #[test]
    fn messages_are_lines_of_the_wanted_size() {
        for number in [1, u64::MAX] {
            for size in [22, 64, 65_536] {
                let bytes = message(number, size);
                assert_eq!((bytes.len(), bytes.last()), (size, Some(&b'\n')));
            }
        }
    }
}
