//! Two behind one HAProxy, and one of them taken out for maintenance.

use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::haproxy::{COMMANDS, Haproxy};
use crate::page::section;
use crate::stage::{BALANCER, client, configuration, on_stage, pulse_echo, shell};
use crate::support::client::Client;
use crate::support::daemon::Daemon;
use crate::support::eventually_true;
use crate::support::process::{TempFile, pulse_echo as command};
use crate::support::record::{Record, text};

const CLIENTS: usize = 10;

fn clients() -> Vec<Client> {
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| client("192.0.2.7", BALANCER)).collect();
    clients.iter_mut().for_each(|client| client.echo("hello\n"));
    clients
}

/// Its closes of clients; checks are the proxy's own.
fn closes(daemon: &Daemon) -> Vec<Record> {
    daemon.records("close").into_iter().filter(|close| close["proxy"].is_string()).collect()
}

fn stop(daemon: &mut Daemon) {
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_exit().code(), Some(0), "a clean stop");
}

/// All it wrote, as a file.
fn log(daemon: &Daemon) -> TempFile {
    let events = ["starting", "listening", "reload", "close", "summary", "drain", "stopped"];
    let records = events.map(|event| daemon.records(event)).concat();
    TempFile::new(records.iter().map(|record| format!("{record}\n")).collect::<String>())
}

#[test]
fn one_is_drained_for_maintenance_and_the_other_takes_over() {
    on_stage(&["haproxy", "socat"], || {
        let [mut first, mut second] = ["10.0.0.11", "10.0.0.12"].map(|host| pulse_echo(host, ""));
        let commands = TempFile::with_name("commands", "");
        let haproxy = Haproxy::of_the_page(&commands);
        let [drain, lifetime, report] = section("Two behind one HAProxy").snippets();
        let mut before = clients();

        let (done, said) = shell(&drain.replace(COMMANDS, commands.path()));
        assert!(done && said.trim().is_empty(), "{said}");
        // Faster than the page has it.
        let short = lifetime.replace("1h", "1s");
        assert_ne!(short, lifetime);
        first.config().write(format!("{short}\n{}", configuration("10.0.0.11")));
        first.signal(Signal::SIGHUP);
        first.wait_for_event("reload");
        eventually_true("all of its connections end", || closes(&first).len() == CLIENTS / 2);
        for close in closes(&first) {
            assert_eq!(close["reason"], "lifetime_over", "{close}");
            section("Two behind one HAProxy").shows(&close);
        }
        assert_eq!(closes(&second).len(), 0, "leastconn gave each the half of them, and these stay");
        let after = clients();
        stop(&mut first);
        assert_eq!(closes(&first).len(), CLIENTS / 2, "nobody came any more");
        before.retain(|client| {
            let gone = closes(&first).iter().any(|close| text(close, "peer") == client.address.to_string());
            !gone
        });
        before.iter_mut().for_each(|client| client.echo("still here\n"));
        drop((before, after, haproxy));
        stop(&mut second);

        let logs = [log(&first), log(&second)];
        let named = report.replace("echo1.log", logs[0].path()).replace("echo2.log", logs[1].path());
        let mut words = named.split_whitespace();
        assert_eq!(words.next(), Some("pulse-echo"));
        let output = command(words).stdout(Stdio::piped()).output().expect("it runs");
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        let drained = table.lines().find(|line| line.trim_start().starts_with("lifetime_over"));
        let count =
            drained.and_then(|line| line.split_whitespace().nth(1)).and_then(|count| count.parse().ok());
        assert_eq!(count, Some(CLIENTS / 2), "{table}");
    });
}
