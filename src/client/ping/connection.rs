//! One connection of `ping`: messages out, echoes in, and a judgement where they do not come.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::figures::Figures;
use super::messages::Messages;
use super::told::{End, Told};
use crate::client::arguments::Ping;
use crate::core::{
    Close, CloseReason, Evidence, HEADROOM, Inquiry, Moment, Operation, PUNCTUAL, Questions, Silence, judge,
};
use crate::tcp;

const READ_BYTES: usize = 16 * 1024;

/// With more than this to send, nothing is read: that bounds what a server can make us keep.
const MOST_UNSENT: usize = 4 * 1024;

/// A year: nothing is due.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A connection, and what is known of it.
#[derive(Debug)]
pub struct Connection<'a> {
    arguments: &'a Ping,
    stream: TcpStream,
    peer: SocketAddr,
    messages: Messages,
    unsent: Vec<u8>,
    buffer: Vec<u8>,
    /// All that was to be sent, in the kernel or not.
    queued_bytes: u64,
    /// [`Evidence::acknowledged_bytes`] before the first: an opener's SYN counts as one.
    acknowledged_before: u64,
    started: Instant,
    heard_at: Moment,
    next_at: Moment,
    /// The silence since the oldest message that is not back.
    inquiry: Option<Inquiry>,
}

impl<'a> Connection<'a> {
    /// On a new stream; messages are numbered from after `last`.
    pub fn new(arguments: &'a Ping, stream: TcpStream, peer: SocketAddr, last: u64) -> Connection<'a> {
        let acknowledged_before = tcp::evidence(&stream).acknowledged_bytes.unwrap_or(0);
        Connection {
            arguments,
            stream,
            peer,
            messages: Messages::new(arguments.size as usize, last),
            unsent: Vec::new(),
            buffer: vec![0; HEADROOM + READ_BYTES],
            queued_bytes: 0,
            acknowledged_before,
            started: Instant::now(),
            heard_at: Moment::START,
            next_at: Moment::START,
            inquiry: None,
        }
    }

    fn now(&self) -> Moment {
        Moment::START + self.started.elapsed()
    }

    /// How long it has lasted.
    pub fn lifetime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Goes on until there is an end.
    pub async fn run(&mut self, figures: &mut Figures, told: &mut Told) -> End {
        loop {
            let at = self.started + self.next_due().map_or(NEVER, Moment::since_start);
            let step = tokio::select! {
                biased;
                ready = self.stream.readable(), if self.unsent.len() < MOST_UNSENT => match ready {
                    Ok(()) => self.read(figures, told),
                    Err(error) => Err(closed(&error, Operation::Read)),
                },
                ready = self.stream.writable(), if !self.unsent.is_empty() => match ready {
                    Ok(()) => self.write(),
                    Err(error) => Err(closed(&error, Operation::Write)),
                },
                () = sleep_until(at) => self.handle_timeout(figures, told),
            };
            if let Err(end) = step {
                return end;
            }
            if told.is_over() {
                return End::Interrupted;
            }
            if self.is_sent_out() && self.messages.pending().is_empty() {
                return End::Complete;
            }
        }
    }

    fn is_sent_out(&self) -> bool {
        self.arguments.count.is_some_and(|count| self.messages.last() >= count)
    }

    fn next_due(&self) -> Option<Moment> {
        let speaks = !self.arguments.idle && !self.is_sent_out();
        [speaks.then_some(self.next_at), self.silence_ends()].into_iter().flatten().min()
    }

    fn silence_ends(&self) -> Option<Moment> {
        let oldest = self.messages.pending().front()?;
        Some(oldest.sent_at.max(self.heard_at) + self.arguments.timeout)
    }

    fn read(&mut self, figures: &mut Figures, told: &mut Told) -> Result<(), End> {
        let room = self.buffer.get_mut(HEADROOM..).unwrap_or_default();
        let length = match self.stream.try_read(room) {
            Ok(0) => return Err(End::Closed(CloseReason::PeerClosed.into())),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(closed(&error, Operation::Read)),
        };
        let now = self.now();
        self.heard_at = now;
        self.inquiry = None;
        let (peer, size) = (self.peer, self.arguments.size);
        let received = self.buffer.get_mut(..HEADROOM + length).unwrap_or_default();
        let before = self.unsent.len();
        let result = self.messages.receive(received, &mut self.unsent, |message| {
            let round_trip = now - message.sent_at;
            figures.echoed(round_trip);
            told.echo(peer, size, message.number, round_trip);
        });
        let answers = self.unsent.get(before..).unwrap_or_default();
        figures.probes += answers.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.queued_bytes += answers.len() as u64;
        self.write()?;
        result.map_err(|_| End::NoEcho)
    }

    fn write(&mut self) -> Result<(), End> {
        while !self.unsent.is_empty() {
            match self.stream.try_write(&self.unsent) {
                Ok(length) => _ = self.unsent.drain(..length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(closed(&error, Operation::Write)),
            }
        }
        Ok(())
    }

    fn handle_timeout(&mut self, figures: &mut Figures, told: &mut Told) -> Result<(), End> {
        let now = self.now();
        if let Some(ends) = self.silence_ends().filter(|ends| *ends <= now) {
            if now - ends > PUNCTUAL {
                self.heard_at = now; // it was we who slept
                return Ok(());
            }
            return Err(End::Closed(self.judge(now)));
        }
        if self.next_at > now {
            return Ok(());
        }
        self.next_at = (self.next_at + self.arguments.every).max(now);
        if let Some(oldest) = self.messages.pending().front() {
            told.late(oldest.number, now - oldest.sent_at);
            self.inquire(now, &tcp::evidence(&self.stream));
        }
        // What waits shows that nothing is taken; more of it would show nothing more.
        if self.unsent.is_empty() && self.messages.may_send() && !self.arguments.idle && !self.is_sent_out() {
            let sent_at = self.now();
            self.unsent = self.messages.send(sent_at, self.queued_bytes);
            self.queued_bytes += self.unsent.len() as u64;
            figures.sent += 1;
            return self.write();
        }
        Ok(())
    }

    fn inquire(&mut self, now: Moment, evidence: &Evidence) {
        let Some(oldest) = self.messages.pending().front() else { return };
        let begin = || Inquiry::begin(oldest.sent_at, now, evidence);
        let question = self.acknowledged_before + oldest.before;
        self.inquiry.get_or_insert_with(begin).look(now, question, evidence);
    }

    /// Whose silence it is, by the rules of the server. The oldest message is the question.
    fn judge(&mut self, now: Moment) -> Close {
        let receive_memory = tcp::receive_memory(&self.stream);
        let evidence = Evidence { receive_memory, ..tcp::evidence(&self.stream) };
        self.inquire(now, &evidence);
        let findings = self.inquiry.as_ref().map(|inquiry| inquiry.findings(now, &evidence));
        let questions = Questions {
            application: findings,
            answer_time: self.arguments.timeout,
            host_after: None,
            max_missed: u32::MAX,
            write: Some(self.arguments.timeout),
            in_line: false,
        };
        let asked = findings.and_then(|findings| findings.asked);
        let reason = if asked.is_some() { CloseReason::ReadTimeout } else { CloseReason::WriteTimeout };
        let ground = judge(&evidence, questions);
        Close {
            silence: Some(Box::new(Silence { ground, evidence, asked, behind_proxy: false })),
            ..reason.into()
        }
    }
}

fn closed(error: &io::Error, operation: Operation) -> End {
    End::Closed(tcp::close_of(error, Some(operation)))
}
