//! What examples/ shows works.

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use nix::sys::signal::Signal;
use support::daemon::Daemon;
use support::process::Process;
use support::record::number;
use support::{PATIENCE, example};

/// An example as it runs, and what it prints.
struct Example {
    process: Process,
    lines: Receiver<String>,
}

impl Example {
    #[track_caller]
    fn start(name: &str, argument: &str) -> Example {
        let program = example::build(name);
        let mut process = Process::spawn(Command::new(program).arg(argument).stdout(Stdio::piped()));
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Example { process, lines }
    }

    /// Waits for the next line that begins with `beginning`.
    #[track_caller]
    fn wait_for(&self, beginning: &str) {
        while !self.lines.recv_timeout(PATIENCE).expect(beginning).starts_with(beginning) {}
    }
}

fn listener(address: &str) -> String {
    format!(
        "heartbeat.interval = \"1s\"\n[[listener]]\nname = \"line\"\naddress = \"{address}\"\nprotocol = \"line\"\n"
    )
}

#[test]
fn the_reconnecting_client_answers_probes_and_survives_a_restart_of_the_server() {
    let mut daemon = Daemon::start_with_file(&listener("127.0.0.1:0"));
    let address = daemon.address("line").to_string();
    let mut client = Example::start("reconnecting_client", &address);
    client.wait_for("echoed: echo 1");
    client.wait_for("answered: PING 1");
    client.wait_for("answered: PING 2");

    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_exit().code(), Some(0));
    assert_eq!(number(&daemon.final_summary(), "server_shutdown"), 1);
    assert!(number(&daemon.wait_for_event("close"), "probes_answered") > 0);
    client.wait_for("disconnected: ");

    let daemon = Daemon::start_with_file(&listener(&address));
    client.wait_for("connected: ");
    client.wait_for("echoed: echo 1");
    client.process.signal(Signal::SIGINT);
    assert_eq!(client.process.wait_exit().code(), Some(0), "Ctrl-C is a clean end");
    let close = daemon.wait_for_event("close");
    assert_eq!(close["reason"], "peer_closed");
    daemon.stop();
}
