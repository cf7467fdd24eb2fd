//! One connection that is silent for a while, and then asked for an echo.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::findings::Outcome;
use crate::client::arguments::IdleLimit;
use crate::client::connect::connect;
use crate::tcp;

const MESSAGE: &[u8] = b"pulse-echo idle-limit\n";

/// Opens a connection, gets an echo, is silent for `idle`, and asks for another.
pub async fn silence(arguments: &IdleLimit, idle: Duration) -> Outcome {
    let stream = match connect(&arguments.target, arguments.timeout).await {
        Ok(stream) => stream,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    match timeout(arguments.timeout, echo(&stream)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Outcome::Failed(error.to_string()),
        Err(_) => return Outcome::Failed("no echo".to_owned()),
    }
    let segments_before = tcp::segments_received(&stream);
    let began = Instant::now();
    if let Ok(news) = timeout(idle, news(&stream)).await {
        return broken(&news, began.elapsed());
    }
    if tcp::segments_received(&stream) > segments_before {
        return Outcome::KeptAlive;
    }
    ask(arguments, &stream, began).await
}

/// Waits for whatever comes: in a silence nothing does.
async fn news(stream: &TcpStream) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read(&mut [0; 64]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => return other,
        }
    }
}

fn broken(news: &io::Result<usize>, after: Duration) -> Outcome {
    match news {
        Ok(0) => Outcome::Closed(after),
        Ok(_) => Outcome::KeptAlive,
        Err(error) => ended(error, after),
    }
}

async fn ask(arguments: &IdleLimit, stream: &TcpStream, began: Instant) -> Outcome {
    match timeout(arguments.timeout, echo(stream)).await {
        Ok(Ok(())) => Outcome::Alive,
        Ok(Err(error)) => ended(&error, began.elapsed()),
        Err(_) if tcp::has_unacknowledged(stream) => Outcome::Dropped,
        Err(_) => Outcome::Unanswered,
    }
}

fn ended(error: &io::Error, after: Duration) -> Outcome {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Outcome::Reset(after),
        ErrorKind::UnexpectedEof => Outcome::Closed(after),
        _ => Outcome::Failed(error.to_string()),
    }
}

/// Sends a message and waits for it to come back.
async fn echo(stream: &TcpStream) -> io::Result<()> {
    let mut sent = 0;
    while let Some(rest) = MESSAGE.get(sent..).filter(|rest| !rest.is_empty()) {
        stream.writable().await?;
        sent += until_ready(stream.try_write(rest))?;
    }
    let mut missing = MESSAGE;
    while !missing.is_empty() {
        stream.readable().await?;
        let mut buffer = [0; MESSAGE.len()];
        let room = buffer.get_mut(..missing.len()).unwrap_or_default();
        let length = match stream.try_read(room) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            result => until_ready(result)?,
        };
        let come = room.get(..length).unwrap_or_default();
        missing = missing.strip_prefix(come).ok_or_else(|| io::Error::other("this is no echo server"))?;
    }
    Ok(())
}

fn until_ready(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}
