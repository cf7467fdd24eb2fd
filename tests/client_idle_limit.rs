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

/// What happens on a path to those who speak on a connection that it has forgotten, and to those who are spoken to.
struct Fate {
    to_server: &'static str,
    from_server: &'static str,
}

/// From now on a connection to `port` on which nothing was said for 4 seconds is forgotten.
fn forget_idle_connections(port: u16, fate: &Fate) {
    let Fate { to_server, from_server } = fate;
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
        format!("add rule ip test input tcp dport {port} tcp flags & rst == 0 {to_server}"),
        format!("add rule ip test input tcp sport {port} tcp flags & rst == 0 {from_server}"),
    ];
    for rule in rules {
        run_tool("nft", &[&rule]).expect("a rule");
    }
}

fn finds_four_seconds(
    settings: &str,
    listener: &str,
    fate: &Fate,
    outcome: &str,
    check: impl Fn(&Daemon) + Sync,
) {
    in_own_network(|| {
        let daemon = Daemon::start(settings);
        forget_idle_connections(daemon.address(listener).port(), fate);
        let (told, status) = told(&daemon, listener, &SHORT);
        let result = told.last().expect("a result");
        let [lived, died] = ["lived_ms", "died_ms"].map(|name| result[name].as_u64().expect("it is known"));
        assert_eq!((status, &result["how"]), (Some(0), &outcome.into()), "{told:#?}");
        assert!((3000..=4000).contains(&lived) && (4000..=5000).contains(&died), "{told:#?}");
        assert_eq!(died - lived, 1000, "{result}");
        check(&daemon);
    });
}

#[test]
fn a_path_that_forgets_silently_is_found_out() {
    finds_four_seconds(QUIET, "raw", &Fate { to_server: "drop", from_server: "drop" }, "dropped", |_| {});
}

#[test]
fn a_path_that_forgets_one_way_is_found_out() {
    let fate = Fate { to_server: "accept", from_server: "drop" };
    finds_four_seconds(QUIET, "raw", &fate, "dropped", |daemon| {
        // What we asked for arrived, and its echo did not.
        let echoed_twice = |record: &Value| record["event"] == "close" && record["tx_bytes"] == 44;
        daemon.signal(Signal::SIGTERM);
        daemon.wait_for_record("its end of a lost connection", echoed_twice);
    });
}

#[test]
fn a_path_that_forgets_by_reset_to_us_is_found_out() {
    let fate = Fate { to_server: "reject with tcp reset", from_server: "drop" };
    finds_four_seconds(QUIET, "raw", &fate, "reset", |daemon| {
        assert!(
            daemon.records("close").iter().all(|close| close["reason"] != "peer_reset"),
            "it is not told"
        );
    });
}

#[test]
fn a_path_that_forgets_by_reset_to_whoever_speaks_is_found_out() {
    let reset = "reject with tcp reset";
    let fate = Fate { to_server: reset, from_server: reset };
    let speaks_late = "heartbeat.interval = '6s'\nheartbeat.timeout = '30s'\ndeadlines.read = 'off'";
    finds_four_seconds(speaks_late, "line", &fate, "reset", |daemon| {
        daemon.wait_for_record("the server is told, too", |record| record["reason"] == "peer_reset");
    });
}

#[test]
fn several_paths_are_shown_and_not_averaged() {
    in_own_network(|| {
        let daemon = Daemon::start(QUIET);
        let port = daemon.address("raw").port();
        for rule in ["sport {} tcp dport", "dport {} tcp sport"] {
            let rule = rule.replace("{}", &port.to_string());
            run_tool("nft", &[&format!("add rule ip test input tcp {rule} & 2 == 2 accept")])
                .expect("a rule");
        }
        forget_idle_connections(port, &Fate { to_server: "drop", from_server: "drop" });
        let (told, _) = told(&daemon, "raw", &[&SHORT[..], &["--samples", "6"]].concat());
        let result = told.last().expect("a result");
        assert!(result["lived_beyond_ms"].as_u64() >= result["died_ms"].as_u64(), "{result}");
        assert!(result["message"].as_str().expect("text").contains("The steps disagree"), "{result}");
    });
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
fn the_way_in_is_asked_by_the_server() {
    let daemon =
        Daemon::start("heartbeat.interval = '1s'\nheartbeat.timeout = '30s'\ndeadlines.read = 'off'");
    for (listener, by) in [("line", "ping"), ("raw", "keepalive")] {
        let (told, status) = told(&daemon, listener, &["--max", "9s", "--direction", "in"]);
        assert_eq!((status, &told[0]["by"], told.len()), (Some(0), &by.into(), 2), "{told:?}");
        assert!((700..4000).contains(&told[1]["heard_ms"].as_u64().expect("a time")), "{told:?}");
    }
    let quiet = Daemon::start(QUIET);
    let (told, status) = told(&quiet, "line", &["--max", "500ms", "--direction", "in"]);
    assert_eq!((status, &told[0]["outcome"]), (Some(1), &"alive".into()), "{told:?}");
}

#[test]
fn the_timeout_of_the_server_is_a_limit_of_its_own() {
    let daemon = Daemon::start("heartbeat.interval = 'off'\ndeadlines.read = '2s'");
    let (told, status) = told(&daemon, "line", &["--max", "4s", "--resolution", "500ms"]);
    let result = told.last().expect("a result");
    assert_eq!((status, &result["how"]), (Some(0), &"closed".into()), "{told:?}");
    assert!((1000..=2000).contains(&result["lived_ms"].as_u64().expect("a time")), "{told:?}");
    assert!(result["interval_ms"].as_u64() <= Some(1000), "{told:?}");
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
