//! A client that stays connected to a `line` listener.
//!
//! ```sh
//! cargo run --example reconnecting_client -- 127.0.0.1:7007
//! ```
//!
//! It answers the server's probes, `PING <n>`, with `PONG <n>`, and checks every few seconds that a line comes back.
//! When the connection ends or an echo is missing, it connects again: after a pause that doubles with each failure, and
//! of which half is random, so that a thousand clients do not return in the same instant. Ctrl-C ends it.

use std::io::{Error, ErrorKind, Result};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Between two echoes. One that has not come back by the next is missing.
const ECHO_INTERVAL: Duration = Duration::from_secs(5);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let server = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7007".to_owned());
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        never = stay_connected(&server) => match never {},
    }
}

async fn stay_connected(server: &str) -> std::convert::Infallible {
    let mut backoff = Backoff { pause: FIRST_PAUSE };
    loop {
        if let Err(error) = talk(server, &mut backoff).await {
            println!("disconnected: {error}");
        }
        sleep(backoff.next()).await;
    }
}

/// Talks to the server until the connection ends.
async fn talk(server: &str, backoff: &mut Backoff) -> Result<()> {
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(server)).await??;
    println!("connected: {}", stream.local_addr()?);
    let (receiver, mut sender) = stream.into_split();
    let mut lines = BufReader::new(receiver).lines();

    let mut echoes = 0_u64;
    let mut expected: Option<String> = None;
    let mut next_echo = Instant::now();
    loop {
        let line = tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => line,
                None => return Err(Error::new(ErrorKind::UnexpectedEof, "the server closed the connection")),
            },
            () = sleep_until(next_echo) => {
                if expected.is_some() {
                    return Err(Error::new(ErrorKind::TimedOut, "an echo is missing"));
                }
                echoes += 1;
                let text = format!("echo {echoes}");
                sender.write_all(format!("{text}\n").as_bytes()).await?;
                expected = Some(text);
                next_echo = Instant::now() + ECHO_INTERVAL;
                continue;
            }
        };
        if let Some(number) = line.strip_prefix("PING ") {
            sender.write_all(format!("PONG {number}\n").as_bytes()).await?;
            println!("answered: {line}");
        } else if expected.as_ref() == Some(&line) {
            println!("echoed: {line}");
            expected = None;
            backoff.pause = FIRST_PAUSE; // only a server that works earns a quick return
        } else {
            return Err(Error::new(ErrorKind::InvalidData, format!("not what was sent: {line:?}")));
        }
    }
}

/// How long to wait before the next attempt.
struct Backoff {
    pause: Duration,
}

impl Backoff {
    fn next(&mut self) -> Duration {
        let half = self.pause / 2;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        half + half.mul_f64(fastrand::f64())
    }
}
