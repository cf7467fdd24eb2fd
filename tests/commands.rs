//! The commands and their exit statuses: 0, 2 wrong usage, 69 an address could not be bound, 78 bad configuration.

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Output, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;
use support::process::{Process, TempFile, pulse_echo, run};

const DEFAULT_FILE: &str = include_str!("../config/pulse-echo.toml");

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("plain text")
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("plain text")
}

#[track_caller]
fn assert_status(output: &Output, status: i32) {
    assert_eq!(output.status.code(), Some(status), "{output:?}");
}

fn listener(name: &str, address: &str) -> String {
    format!("[[listener]]\nname = '{name}'\naddress = '{address}'\nprotocol = 'raw'\n")
}

#[test]
fn wrong_usage_is_2() {
    let wrong: [&[&str]; 6] = [
        &[],
        &["dance"],
        &["serve", "--loud"],
        &["serve", "--log-format", "xml"],
        &["serve", "--log-level", "loud"],
        &["check", "--config"],
    ];
    for arguments in wrong {
        let output = run(arguments.iter().copied());
        assert_status(&output, 2);
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{arguments:?}: {output:?}");
    }
}

#[test]
fn help_and_version_are_no_mistakes() {
    for argument in ["--help", "--version", "help"] {
        let output = run([argument]);
        assert_status(&output, 0);
        assert!(stdout(&output).contains("pulse-echo"), "{output:?}");
    }
}

#[test]
fn a_bad_configuration_is_78_with_every_problem_at_once() {
    let busy = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = busy.local_addr().expect("it is bound");
    let bad = TempFile::new(format!(
        "[server]\nworker = 2\nshutdown_grace = 5\n[deadlines]\nread = '1s'\n{}",
        listener("good but busy", &address.to_string())
    ));
    for command in ["serve", "check"] {
        let output = run([command, "--config", bad.path()]);
        // Not 69: nothing is listened on before all of the file is known to be right.
        assert_status(&output, 78);
        let said = stderr(&output);
        let problems = [":2:1: server.worker: ", ":3:18: server.shutdown_grace: ", ":5:8: deadlines.read: "];
        for problem in problems.iter().chain(&["did you mean \"workers\"?", ":7:8: listener.name: "]) {
            assert!(said.contains(problem), "no {problem} in {said}");
        }
        assert!(said.contains(bad.path()), "{said}");
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_78() {
    for command in ["serve", "check"] {
        let output = run([command, "--config", "/nowhere/pulse-echo.toml"]);
        assert_status(&output, 78);
        assert!(stderr(&output).contains("/nowhere/pulse-echo.toml"), "{output:?}");
    }
}

#[test]
fn a_busy_address_is_69_and_none_is_served() {
    let busy = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = busy.local_addr().expect("it is bound").to_string();
    let config = TempFile::new(listener("free", "127.0.0.1:0") + &listener("busy", &address));
    let output = run(["serve", "--log-format", "json", "--config", config.path()]);
    assert_status(&output, 69);
    let records: Vec<Value> =
        stderr(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let last = records.last().expect("a last word");
    assert_eq!(last["level"], "ERROR", "{last}");
    let message = last["message"].as_str().expect("a message");
    assert!(message.contains(&address) && message.contains("in use"), "address and cause: {message}");
    assert!(records.iter().all(|record| record["event"] != "listening"), "{records:?}");
    // Whether an address is free is no question of the configuration.
    assert_status(&run(["check", "--config", config.path()]), 0);
}

#[test]
fn default_config_prints_the_file_that_ships_and_check_accepts_it() {
    let output = run(["default-config"]);
    assert_status(&output, 0);
    assert_eq!(stdout(&output), DEFAULT_FILE);
    let file = TempFile::new(DEFAULT_FILE);
    let checked = run(["check", "--config", file.path()]);
    assert_status(&checked, 0);
    assert_eq!(stdout(&checked), stdout(&run(["check"])), "the built-in default is that file");
}

#[test]
fn what_check_prints_means_the_same() {
    let given = TempFile::new(format!(
        "server.workers = 3\nlog.summary_interval = 'off'\ndeadlines.write = '1m 30s'\nheartbeat.interval = 'off'\n{}{}",
        listener("one", "[::1]:0"),
        "deadlines.read = '250ms'\nheartbeat = { interval = '100ms', timeout = '50ms', max_missed = 3 }"
    ));
    let first = run(["check", "--config", given.path()]);
    assert_status(&first, 0);
    let printed = TempFile::new(stdout(&first));
    let second = run(["check", "--config", printed.path()]);
    assert_status(&second, 0);
    assert_eq!(stdout(&first), stdout(&second));
    assert!(stdout(&first).contains("read = \"250ms\""), "{}", stdout(&first));
}

/// As in `pulse-echo default-config | head -1`.
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    for command in ["default-config", "check"] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut process = Process::spawn(pulse_echo([command]).stdout(writer));
        assert_eq!(process.wait_exit().code(), Some(0));
    }
}

/// As in `pulse-echo default-config | pulse-echo check --config /dev/stdin`.
#[test]
fn check_reads_a_pipe_and_says_what_is_wrong_with_it() {
    for (text, status) in [(DEFAULT_FILE, 0), ("[server", 78)] {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        writer.write_all(text.as_bytes()).expect("room for a small file");
        drop(writer);
        let mut process = Process::spawn(pulse_echo(["check", "--config", "/dev/stdin"]).stdin(reader));
        assert_eq!(process.wait_exit().code(), Some(status), "{text}");
    }
}

/// The default ports are fixed, so somebody else may have them. It says what it does in any case.
#[test]
fn serve_without_a_file_says_that_it_runs_on_the_default() {
    let mut command = pulse_echo(["serve", "--log-format", "json"]);
    let mut process = Process::spawn(command.stderr(Stdio::piped()));
    let mut records = BufReader::new(process.stderr.take().expect("it is piped")).lines();
    let starting: Value = records
        .next()
        .and_then(|line| serde_json::from_str(&line.expect("text")).ok())
        .expect("a record, and it is JSON");
    assert_eq!(starting["event"], "starting", "{starting}");
    assert!(starting["message"].as_str().is_some_and(|text| text.contains("built-in default")), "{starting}");
    let second: Value =
        serde_json::from_str(&records.next().expect("a second record").expect("text")).expect("JSON");
    match second["event"].as_str() {
        Some("listening") => {
            assert_eq!(second["address"], "127.0.0.1:7007", "loopback only");
            // Once all are listening, a signal stops it in good order.
            records.next();
            process.signal(Signal::SIGTERM);
            assert_eq!(process.wait_exit().code(), Some(0));
        }
        _ => assert_eq!(process.wait_exit().code(), Some(69), "{second}"),
    }
}
