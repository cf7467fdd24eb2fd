//! `idle-limit` over paths that forget connections, and over those that do not.

mod support;

use std::io::Read as _;
use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::Value;
use support::daemon::Daemon;
use support::network::{in_own_network, run as run_tool};
use support::process::{Process, pulse_echo, run};

const QUIET: &str = "heartbeat.interval = 'off'\ndeadlines.read = 'off'";

/// Silences as short as a test may last.
const SHORT: [&str; 4] = ["--max", "12s", "--resolution", "1s"];

/// What `idle-limit` told, and its status.
fn told(daemon: &Daemon, listener: &str, options: &[&str]) -> (Vec<Value>, Option<i32>) {
    let address = daemon.address(listener).to_string();
    let arguments = ["idle-limit", &address, "--format", "json"];
    let output = run(arguments.into_iter().chain(options.iter().copied()));
    let text = String::from_utf8(output.stdout).expect("plain text");
    (text.lines().map(|line| serde_json::from_str(line).expect(line)).collect(), output.status.code())
}

/// From now on a connection to `port` on which nothing was said for 4 seconds is forgotten: what comes then meets `fate`.
fn forget_idle_connections(port: u16, fate: &str) {
    let rules = [
        "add set ip test alive { type inet_service; flags dynamic,timeout; timeout 4s; }".to_owned(),
        format!(
            "add rule ip test input tcp dport {port} tcp flags & (syn|ack) == syn update @alive {{ tcp sport }} accept"
        ),
        format!(
            "add rule ip test input tcp dport {port} tcp sport @alive update @alive {{ tcp sport }} accept"
        ),
        format!(
            "add rule ip test input tcp sport {port} tcp dport @alive update @alive {{ tcp dport }} accept"
        ),
        format!("add rule ip test input tcp dport {port} {fate}"),
        format!("add rule ip test input tcp sport {port} tcp flags & rst == 0 drop"),
    ];
    for rule in rules {
        run_tool("nft", &[&rule]).expect("a rule");
    }
}

fn finds_four_seconds(fate: &str, outcome: &str, words: &str) {
    in_own_network(|| {
        let daemon = Daemon::start(QUIET);
        forget_idle_connections(daemon.address("raw").port(), fate);
        let (told, status) = told(&daemon, "raw", &SHORT);
        let result = told.last().expect("a result");
        let [lived, died] = ["lived_ms", "died_ms"].map(|name| result[name].as_u64().expect("it is known"));
        assert_eq!(status, Some(0), "{told:#?}");
        assert!((3000..4200).contains(&lived) && (4000..5200).contains(&died), "{told:#?}");
        assert!(died - lived <= 1200, "{result}");
        assert!(told.iter().any(|step| step["outcome"] == outcome), "{told:#?}");
        assert!(result["message"].as_str().expect("text").contains(words), "{result}");
    });
}

#[test]
fn a_path_that_forgets_silently_is_found_out() {
    finds_four_seconds("drop", "dropped", "die silently between");
}

#[test]
fn a_path_that_forgets_by_reset_is_found_out() {
    finds_four_seconds("reject with tcp reset", "reset", "are reset between");
}

#[test]
fn a_path_that_forgets_nothing_is_said_so() {
    let daemon = Daemon::start(QUIET);
    for protocol in support::PROTOCOLS {
        let (told, status) = told(&daemon, protocol, &["--max", "1s", "--samples", "3"]);
        let message = &told.last().expect("a result")["message"];
        assert_eq!((status, message), (Some(0), &"No idle connection died up to 1 s.".into()), "{told:?}");
        assert_eq!(told.len(), 4, "three samples and a result: {told:?}");
    }
}

#[test]
fn what_the_other_side_kept_alive_proves_nothing() {
    let settings = "heartbeat.interval = '1s'\nheartbeat.timeout = '30s'\ndeadlines.read = 'off'";
    let daemon = Daemon::start(settings);
    for protocol in support::PROTOCOLS {
        let (told, status) = told(&daemon, protocol, &["--max", "3s"]);
        assert_eq!((status, &told[0]["outcome"]), (Some(1), &"kept_alive".into()), "{protocol}: {told:?}");
        let message = told.last().expect("a result")["message"].as_str().expect("text");
        assert!(message.contains("heartbeat.interval = \"off\""), "{message}");
    }
}

#[test]
fn the_timeout_of_the_server_is_not_the_limit_of_the_path() {
    let daemon = Daemon::start("heartbeat.interval = 'off'\ndeadlines.read = '1s'");
    let (told, _) = told(&daemon, "line", &["--max", "2s", "--resolution", "500ms"]);
    let result = told.last().expect("a result");
    assert!(told.iter().any(|step| matches!(step["outcome"].as_str(), Some("closed" | "reset"))), "{told:?}");
    assert!(result["lived_ms"].as_u64() <= Some(1000), "{told:?}");
}

#[test]
fn an_interrupt_gives_what_is_known() {
    let daemon = Daemon::start(QUIET);
    let address = daemon.address("raw").to_string();
    let arguments = ["idle-limit", &address, "--max", "60s", "--resolution", "100ms", "--format", "json"];
    let mut process = Process::spawn(pulse_echo(arguments).stdout(Stdio::piped()));
    let mut stdout = process.stdout.take().expect("it is piped");
    let mut text = vec![0]; // the first step
    stdout.read_exact(&mut text).expect("steps come");
    process.signal(Signal::SIGINT);
    stdout.read_to_end(&mut text).expect("the rest");
    assert_eq!(process.wait_exit().code(), Some(0));
    let text = String::from_utf8(text).expect("plain text");
    assert!(
        text.lines().last().expect("a result").contains("No idle connection died up to 7.5 s."),
        "{text}"
    );
}
