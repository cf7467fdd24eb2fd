//! A connection on which little is said: messages that come back, and probes that are answered.

use std::io::{self, ErrorKind};

use tokio::net::TcpStream;

use crate::client::messages::Messages;
use crate::core::{HEADROOM, Moment};

/// The shortest that [`Messages`] has.
const MESSAGE_BYTES: usize = 22;

/// Who is asked for one short message sends no more at once.
const READ_BYTES: usize = 512;

/// What the other side said of its own accord.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// `PING`, which was answered.
    Probe,
    /// Whatever else.
    Other,
}

/// A connection, and what is said on it.
#[derive(Debug)]
pub struct Conversation {
    stream: TcpStream,
    messages: Messages,
    /// The first that the other side said of its own accord since the last [`Conversation::take_word`].
    word: Option<Word>,
}

impl Conversation {
    /// On a new stream.
    pub fn new(stream: TcpStream) -> Conversation {
        Conversation { stream, messages: Messages::new(MESSAGE_BYTES, 0), word: None }
    }

    /// For what the kernel knows of it.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// What the other side said of its own accord, told once.
    pub fn take_word(&mut self) -> Option<Word> {
        self.word.take()
    }

    /// Says something and waits until it has come back. What the other side says meanwhile does no harm.
    ///
    /// # Errors
    /// The connection broke; [`ErrorKind::UnexpectedEof`]: it was closed; [`ErrorKind::InvalidData`]: what came is no echo.
    pub async fn echo(&mut self) -> io::Result<()> {
        let message = self.messages.send(Moment::START, 0);
        self.send(&message).await?;
        while !self.messages.pending().is_empty() {
            self.hear().await?;
        }
        Ok(())
    }

    /// Waits until something comes.
    ///
    /// # Errors
    /// As [`Conversation::echo`].
    pub async fn hear(&mut self) -> io::Result<()> {
        let answers = loop {
            self.stream.readable().await?;
            if let Some(answers) = until_ready(self.read())? {
                break answers;
            }
        };
        self.send(&answers).await
    }

    /// Takes what has come, and returns the answers to probes in it.
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut buffer = [0; HEADROOM + READ_BYTES];
        let length = match self.stream.try_read(buffer.get_mut(HEADROOM..).unwrap_or_default())? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            length => length,
        };
        let received = buffer.get_mut(..HEADROOM + length).unwrap_or_default();
        let mut answers = Vec::new();
        let received = self.messages.receive(received, &mut answers, |_| {});
        if !answers.is_empty() {
            self.word.get_or_insert(Word::Probe);
        }
        received.map_err(|_| {
            self.word.get_or_insert(Word::Other);
            io::Error::new(ErrorKind::InvalidData, "this is no echo server: what came is not what was sent")
        })?;
        Ok(answers)
    }

    async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            self.stream.writable().await?;
            let taken = until_ready(self.stream.try_write(rest))?.unwrap_or_default();
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(())
    }
}

/// Readiness is a hint.
fn until_ready<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        other => other.map(Some),
    }
}
