//! What others wrote (a path, a file, a variable, an argument) is quoted so that it harms neither terminal nor log.

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use support::daemon::{LISTENERS, serve_with_socket};
use support::process::{Process, TempFile, pulse_echo};

/// Red, a bell, red in one byte less, back to the start of the line, from right to left.
const EVIL: &str = "\u{1b}[31m\u{7}\u{9b}31m\r\u{202e}";

/// journald breaks longer lines: `LineMax=` in journald.conf(5).
const LONGEST_LINE: usize = 48 * 1024;

fn assert_harmless(text: &str) {
    let harmful = |character: char| (character.is_control() && character != '\n') || character == '\u{202e}';
    assert!(!text.is_empty() && !text.contains(harmful), "{text:?}");
}

/// What the command says on standard error, as on a terminal that likes colours.
#[track_caller]
fn said(command: &mut Command, status: i32) -> String {
    let output = command.env("CLICOLOR_FORCE", "1").stderr(Stdio::piped()).output().expect("it runs");
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(status), "{text:?}");
    text
}

#[test]
fn arguments_are_quoted_without_what_cannot_be_seen() {
    let option = format!("--{EVIL}");
    let table: [(&[&str], i32); 9] = [
        (&[EVIL], 2),
        (&[&option], 2),
        (&["serve", EVIL], 2),
        (&["serve", &option], 2),
        (&["serve", "--log-level", EVIL], 2),
        (&["serve", "--log-format", EVIL], 2),
        (&["explain", EVIL], 2),
        (&["serve", "--config", EVIL], 78),
        (&["check", "--config", EVIL], 78),
    ];
    for (arguments, status) in table {
        assert_harmless(&said(&mut pulse_echo(arguments.iter().copied()), status));
    }
}

#[test]
fn a_file_is_quoted_without_what_cannot_be_seen() {
    for text in [
        EVIL.to_owned(),
        format!("{EVIL} = 1"),
        format!("'{EVIL}' = 1"),
        "\"\\u001b[31m\" = 1".to_owned(),
        format!("[{EVIL}]"),
        format!("server.workers = '{EVIL}'"),
        "server.workers = \"\\u001b[31m\\u009b\\r\\u202e\"".to_owned(),
        "[[listener]]\nname = \"\\u001b[31m\\u009b\"\naddress = \"\\u001b[31m\\u202e\"".to_owned(),
    ] {
        let file = TempFile::with_name(EVIL, text);
        for command in ["serve", "check"] {
            assert_harmless(&said(&mut pulse_echo([command, "--config", file.path()]), 78));
        }
    }
}

/// A start that names its file, cannot tell the service manager, and ends for want of an address.
#[test]
fn records_quote_paths_and_variables_without_what_cannot_be_seen() {
    let busy = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = busy.local_addr().expect("it is bound");
    let text = format!("[[listener]]\nname = 'raw'\nprotocol = 'raw'\naddress = '{address}'\n");
    let config = TempFile::with_name(EVIL, text);
    for format in ["text", "json"] {
        let mut command = pulse_echo(["serve", "--log-format", format, "--config", config.path()]);
        let text = said(command.env("NOTIFY_SOCKET", format!("/nowhere/{EVIL}")).env("NO_COLOR", "1"), 69);
        assert!(text.contains("service_manager_unreachable") && text.contains("starting"), "{text}");
        assert_harmless(&text);
    }
    let mut command = serve_with_socket(&config, EVIL, busy);
    assert_harmless(&said(&mut command, 78));
}

/// A path as long as there can be one, and twenty problems in its file.
#[test]
fn records_are_short_enough_for_a_line_of_the_journal() {
    let base = std::env::temp_dir().join(format!("pulse-echo-deep-{}", std::process::id()));
    let names = std::iter::repeat_n("\u{1b}".repeat(240), 16);
    let directory: PathBuf = names.fold(base.clone(), |path, name| path.join(name));
    fs::create_dir_all(&directory).expect("a directory of ours");
    let file = directory.join("file");
    for format in ["text", "json"] {
        fs::write(&file, LISTENERS).expect("a file of ours");
        let mut command = pulse_echo(["serve", "--log-format", format, "--config"]);
        let mut daemon = Process::spawn(command.arg(&file).stderr(Stdio::piped()));
        let mut lines = BufReader::new(daemon.stderr.take().expect("it is piped")).lines();
        let mut until = |word: &str| {
            let line = |line: std::io::Result<String>| {
                let line = line.expect("text");
                assert!(line.len() < LONGEST_LINE, "{} bytes", line.len());
                line.contains(word)
            };
            assert!(lines.by_ref().any(line), "it ended without {word}");
        };
        until("starting");
        (0..2).for_each(|_| until("127.0.0.1:"));
        fs::write(&file, format!("{} = \"\"\n", "\\".repeat(300)).repeat(30)).expect("a file of ours");
        daemon.signal(Signal::SIGHUP);
        until("… (shortened)");
        daemon.signal(Signal::SIGTERM);
        until("stopped");
        assert_eq!(daemon.wait_exit().code(), Some(0));
    }
    fs::remove_dir_all(base).expect("it is ours");
}
