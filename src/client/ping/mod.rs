//! `ping`: numbered messages to an echo server, how long each takes there and back, and why it ended.

mod connection;
mod figures;
mod told;

use std::pin::pin;
use std::time::Duration;

use tokio::time::sleep;

use super::arguments::Ping;
use super::connect::{Unreachable, connect};
use super::interrupt::interrupted;
use super::runtime::run;
use crate::tcp::canonical;
use connection::Connection;
use figures::Figures;
use told::{End, Told};

const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Runs `ping` to its end, and says whether everything came back.
///
/// # Errors
/// Nobody could be reached; or there is no runtime.
pub fn ping(arguments: &Ping) -> anyhow::Result<bool> {
    Ok(run(until_interrupted(arguments))??)
}

async fn until_interrupted(arguments: &Ping) -> Result<bool, Unreachable> {
    let mut round = Round {
        arguments,
        figures: Figures::new(),
        told: Told::new(arguments.format),
        last: 0,
        is_cut_short: false,
    };
    let mut interrupted = pin!(interrupted());
    let mut pause = SHORTEST_PAUSE;
    loop {
        let stream = tokio::select! {
            stream = connect(&arguments.target, arguments.timeout) => stream,
            () = &mut interrupted => return Ok(round.conclude()),
        };
        match stream {
            Ok(stream) => {
                pause = SHORTEST_PAUSE;
                let is_over = round.serve(stream, &mut interrupted).await;
                if is_over || !arguments.reconnect {
                    return Ok(round.conclude());
                }
            }
            Err(error) if !arguments.reconnect || round.told.is_over() => return Err(error),
            Err(error) => round.told.unreachable(&error, pause),
        }
        tokio::select! {
            () = sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)) => {} // all who were cut off together come apart
            () = &mut interrupted => return Ok(round.conclude()),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// What outlives a connection.
struct Round<'a> {
    arguments: &'a Ping,
    figures: Figures,
    told: Told,
    /// The number of the newest message.
    last: u64,
    /// The newest connection ended before its time.
    is_cut_short: bool,
}

impl Round<'_> {
    /// Runs one connection to its end, and says whether it is the last.
    async fn serve(&mut self, stream: tokio::net::TcpStream, interrupted: impl Future<Output = ()>) -> bool {
        let Ok(peer) = stream.peer_addr().map(canonical) else { return false };
        self.figures.connections += 1;
        self.told.connected(peer, stream.local_addr().ok());
        let mut connection = Connection::new(self.arguments, stream, peer, self.last);
        let end = tokio::select! {
            end = connection.run(&mut self.figures, &mut self.told) => end,
            () = interrupted => End::Interrupted,
        };
        if matches!(end, End::Interrupted) {
            self.figures.in_flight = connection.in_flight(self.figures.longest());
        }
        self.told.end(&end, connection.lifetime());
        self.last = self.figures.sent;
        self.is_cut_short = matches!(end, End::Closed(_) | End::NoEcho);
        !matches!(end, End::Closed(_))
    }

    fn conclude(&mut self) -> bool {
        self.told.figures(&self.figures);
        self.figures.is_complete() && !self.is_cut_short
    }
}
