//! Clients that do as clients do: answer for a while, then stop, die, or read no more.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

use crate::support::client::Client;
use crate::support::dawdle;
use crate::support::process::Process;

/// An honest client in three lines. It also says what it answered.
const ANSWER: &str = r#"while read -r word number; do
    echo "PONG $number"; echo "$word $number" >&2
done"#;

/// A process that has a connection to the daemon, and nobody else has it.
#[derive(Debug)]
pub struct ClientProcess {
    pub process: Process,
    pub peer: SocketAddr,
}

impl ClientProcess {
    /// One that answers probes.
    #[track_caller]
    pub fn answering(client: Client) -> ClientProcess {
        ClientProcess::running(Command::new("sh").args(["-c", ANSWER]), client)
    }

    /// One that does nothing.
    #[track_caller]
    pub fn sleeping(client: Client) -> ClientProcess {
        ClientProcess::running(Command::new("sleep").arg("60"), client)
    }

    #[track_caller]
    fn running(command: &mut Command, client: Client) -> ClientProcess {
        let peer = client.address;
        client.stream.set_read_timeout(None).expect("an option of sockets");
        let output = client.stream.try_clone().expect("a descriptor more");
        command.stdin(OwnedFd::from(client.stream)).stdout(OwnedFd::from(output)).stderr(Stdio::piped());
        ClientProcess { process: Process::spawn(command), peer }
        // `command` keeps copies of the connection. It goes with the caller's statement.
    }

    /// Waits until it has answered a probe.
    #[track_caller]
    pub fn wait_for_answer(&mut self) {
        let said = self.process.stderr.as_mut().expect("it is piped");
        let mut line = String::new();
        BufReader::with_capacity(1, said).read_line(&mut line).expect("it says something");
        assert!(line.starts_with("PING "), "it answered {line:?}");
    }
}

/// A client that sends all the time, whatever becomes of it, and reads nothing by itself.
#[derive(Debug)]
pub struct Flood {
    pub client: Client,
    sender: Option<JoinHandle<()>>,
}

impl Flood {
    #[track_caller]
    pub fn begin(client: Client) -> Flood {
        // Less to keep in memory for every one of them.
        SockRef::from(&client.stream).set_send_buffer_size(16 * 1024).expect("an option of sockets");
        client.stream.set_write_timeout(None).expect("an option of sockets");
        let mut theirs = client.stream.try_clone().expect("a descriptor more");
        let lines = "a line of thirty-two characters\n".repeat(128);
        let sender = thread::spawn(move || while theirs.write_all(lines.as_bytes()).is_ok() {});
        Flood { client, sender: Some(sender) }
    }

    /// Reads so many bytes a second, as long as `goes_on` says so.
    #[track_caller]
    pub fn read_slowly(&mut self, bytes_per_second: usize, goes_on: impl Fn() -> bool) {
        const READS_PER_SECOND: usize = 10;
        let mut buffer = vec![0; bytes_per_second / READS_PER_SECOND];
        while goes_on() {
            self.client.stream.read_exact(&mut buffer).expect("the daemon serves it");
            dawdle(Duration::from_secs(1) / READS_PER_SECOND as u32);
        }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        let _ = self.client.stream.shutdown(Shutdown::Both);
        let _ = self.sender.take().map(JoinHandle::join);
    }
}
