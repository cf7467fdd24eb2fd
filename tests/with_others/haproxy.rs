//! HAProxy in front: its checks, its PROXY headers, its timeouts.

use std::process::Command;

use crate::page::section;
use crate::stage::{BALANCER, Program, client, on_stage, pulse_echo};
use crate::support::daemon::Daemon;
use crate::support::eventually_true;
use crate::support::process::TempFile;
use crate::support::record::{number, text};

/// Where the page has HAProxy's socket for commands.
pub const COMMANDS: &str = "/run/haproxy/admin.sock";

/// HAProxy, and its files, as long as it runs.
pub struct Haproxy {
    pub program: Program,
    _configuration: TempFile,
}

impl Haproxy {
    #[track_caller]
    pub fn start(configuration: &str) -> Haproxy {
        let file = TempFile::with_name("haproxy", configuration);
        let program = Program::start(Command::new("haproxy").args(["-db", "-f", file.path()]), BALANCER);
        Haproxy { program, _configuration: file }
    }

    /// As the page has it, with its socket for commands elsewhere.
    #[track_caller]
    pub fn of_the_page(commands: &TempFile) -> Haproxy {
        let [configuration] = section("HAProxy").snippets();
        assert!(configuration.contains(COMMANDS));
        Haproxy::start(&configuration.replace(COMMANDS, commands.path()))
    }
}

/// A proxy of one server, for what the page does not recommend.
fn plain(server: &str, checks: &str, timeouts: &str) -> String {
    format!(
        "defaults\n mode tcp\n timeout connect 5s\n {timeouts}\nlisten echo\n bind {BALANCER}\n {checks}\n server echo1 {server}\n"
    )
}

const LONG_TIMEOUTS: &str = "timeout client 1m\n timeout server 1m\n timeout check 5s";

fn assert_no_warning(daemon: &Daemon) {
    let warnings: Vec<_> =
        daemon.records("close").into_iter().filter(|close| close["level"] == "WARN").collect();
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn checks_ask_and_are_answered_and_clients_are_named() {
    on_stage(&["haproxy"], || {
        let daemon = pulse_echo("10.0.0.11", "");
        let other = pulse_echo("10.0.0.12", "");
        let commands = TempFile::with_name("commands", "");
        let haproxy = Haproxy::of_the_page(&commands);
        [&daemon, &other].into_iter().for_each(|daemon| daemon.wait_for_closes(2));
        let mut client = client("192.0.2.7", BALANCER);
        client.echo("hello\n");
        client.finish();
        client.expect_end();
        let is_clients = |close: &_| text(close, "peer") == client.address.to_string();
        let closes = || [&daemon, &other].map(|daemon| daemon.records("close")).concat();
        eventually_true("the client's close", || closes().iter().any(is_clients));
        let (clients, checks): (Vec<_>, Vec<_>) = closes().into_iter().partition(is_clients);
        for close in clients.iter().chain(&checks) {
            assert_eq!(close["reason"], "peer_closed", "{close}");
            section("HAProxy").shows(close);
        }
        assert_eq!(clients.len(), 1);
        assert!(text(&clients[0], "proxy").starts_with("10.0.0.1:"), "{}", clients[0]);
        assert!(checks.iter().all(|check| check["proxy"].is_null() && check["rx_bytes"] == 9), "{checks:?}");
        let said = haproxy.program.said();
        assert!(!said.contains("DOWN"), "{said}");
    });
}

/// A check without `default` takes nothing of the server's line: it brings no header.
#[test]
fn a_check_that_does_not_say_default_brings_no_header() {
    on_stage(&["haproxy"], || {
        let daemon = pulse_echo("10.0.0.11", "");
        let checks = "option tcp-check\n tcp-check connect linger\n tcp-check send \"PING hap\\n\"\n tcp-check expect string \"PONG hap\"";
        let haproxy =
            Haproxy::start(&plain("10.0.0.11:7007 check inter 200ms send-proxy-v2", checks, LONG_TIMEOUTS));
        let close = daemon.wait_for_event("close");
        assert_eq!(close["reason"], "proxy_header", "{close}");
        section("HAProxy").shows(&close);
        eventually_true("HAProxy gives the server up", || haproxy.program.said().contains("echo1 is DOWN"));
    });
}

/// By HAProxy's defaults a check says nothing and resets; whatever it does, it is no loss.
#[test]
fn default_checks_are_no_warning() {
    on_stage(&["haproxy"], || {
        let daemon = pulse_echo("10.0.0.11", "log.level = 'debug'");
        let _all: Vec<Haproxy> = ["", "option tcp-check", "option tcp-check\n tcp-check connect linger"]
            .into_iter()
            .flat_map(|checks| ["7017 check", "7007 check send-proxy-v2"].map(|server| (checks, server)))
            .map(|(checks, server)| {
                let server = format!("10.0.0.11:{server} inter 200ms");
                // One after the other on the same address: SO_REUSEPORT lets them.
                Haproxy::start(&plain(&server, checks, LONG_TIMEOUTS))
            })
            .collect();
        daemon.wait_for_closes(50);
        assert_no_warning(&daemon);
        let closes = daemon.records("close");
        let reset =
            closes.iter().find(|close| close["reason"] == "peer_reset").expect("HAProxy resets by default");
        section("HAProxy").shows(reset);
        for close in closes {
            assert_eq!(close["null_connection"], true, "{close}");
            assert!(["peer_closed", "peer_reset"].contains(&text(&close, "reason")), "{close}");
        }
    });
}

#[test]
fn checks_that_say_nothing_can_be_left_out() {
    on_stage(&["haproxy"], || {
        let mut daemon =
            pulse_echo("10.0.0.11", "log = { null_connections = 'count', summary_interval = '1s' }");
        let haproxy =
            Haproxy::start(&plain("10.0.0.11:7007 check inter 200ms send-proxy-v2", "", LONG_TIMEOUTS));
        daemon.wait_for_record("some were counted", |record| {
            record["event"] == "summary" && number(record, "null_connections") >= 3
        });
        drop(haproxy);
        assert_eq!(daemon.records("close"), Vec::<serde_json::Value>::new());
        daemon.signal(nix::sys::signal::Signal::SIGTERM);
        assert_eq!(daemon.wait_exit().code(), Some(0));
    });
}

/// How long a connection with HAProxy's timeouts of 2 s lives while its client only answers probes.
#[test]
fn heartbeats_must_be_faster_than_the_timeouts() {
    on_stage(&["haproxy"], || {
        let timeouts = "timeout client 2s\n timeout server 2s";
        let haproxy = Haproxy::start(&plain("10.0.0.11:7007 send-proxy-v2", "", timeouts));
        let silent = pulse_echo("10.0.0.11", "");
        let mut cut_off = client("192.0.2.7", BALANCER);
        cut_off.echo("hello\n");
        cut_off.wait_until_over();
        let close = silent.wait_for_close(cut_off.address);
        assert!((1900..10_000).contains(&number(&close, "idle_ms")), "{close}");
        section("HAProxy").shows(&close);
        drop(silent);
        let probing = pulse_echo("10.0.0.11", "heartbeat.interval = '1s'");
        let mut kept = client("192.0.2.7", BALANCER);
        for number in 1..=5 {
            kept.expect(format!("PING {number}\n"));
            kept.send(format!("PONG {number}\n"));
        }
        kept.echo("still here\n");
        assert_eq!(probing.records("close"), Vec::<serde_json::Value>::new());
        drop(haproxy);
        assert_eq!(number(&probing.wait_for_close(kept.address), "probes_answered"), 5);
    });
}
