//! SIGHUP: the file is taken up wholly or not at all, and nobody's connection is lost for it.

mod support;

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use nix::sys::signal::Signal;
use support::client::Client;
use support::daemon::{Daemon, LISTENERS};
use support::record::number;
use support::{PROTOCOLS, dawdle, eventually_true};

/// Gives the daemon another file, and waits until it has taken it up.
#[track_caller]
fn reload(daemon: &Daemon, text: &str) {
    let before = daemon.records("reload").len();
    daemon.config().write(text);
    daemon.signal(Signal::SIGHUP);
    eventually_true("the file is taken up", || {
        assert!(daemon.records("reload_failed").is_empty());
        daemon.records("reload").len() > before
    });
}

fn with_listeners(settings: &str) -> String {
    format!("{settings}\n{LISTENERS}")
}

fn is_served(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

#[test]
fn a_wrong_file_changes_nothing_and_every_problem_is_told() {
    let daemon = Daemon::start("");
    let mut client = Client::connect(daemon.address("line"));
    client.echo("before\n");
    daemon.config().write(with_listeners("server.worker = 2\nlog.level = 'loud'"));
    daemon.signal(Signal::SIGHUP);
    let failed = daemon.wait_for_event("reload_failed");
    assert_eq!(failed["level"], "ERROR", "{failed}");
    for key in ["server.worker", "log.level"] {
        assert!(failed["message"].as_str().is_some_and(|message| message.contains(key)), "{key}: {failed}");
    }
    client.echo("after\n");
    for protocol in PROTOCOLS {
        Client::connect(daemon.address(protocol)).echo("a new connection\n");
    }
    drop(client);
    assert_eq!(daemon.stop()["accepted"], 3);
}

/// One of two new addresses is taken: the other is not served either, and the old ones still are.
#[test]
fn an_address_that_cannot_be_had_changes_nothing() {
    let daemon = Daemon::start("");
    let busy = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let busy = busy.local_addr().map(|address| (busy, address)).expect("it is bound");
    let listener = |name: &str, address: &str| {
        format!("[[listener]]\nname = '{name}'\naddress = '{address}'\nprotocol = 'raw'\n")
    };
    daemon.config().write(listener("new", "127.0.0.1:0") + &listener("busy", &busy.1.to_string()));
    daemon.signal(Signal::SIGHUP);
    let failed = daemon.wait_for_event("reload_failed");
    assert!(
        failed["message"].as_str().is_some_and(|message| message.contains(&busy.1.to_string())),
        "{failed}"
    );
    assert_eq!(daemon.records("listening").len(), 2, "those of the start");
    for protocol in PROTOCOLS {
        Client::connect(daemon.address(protocol)).echo("still served\n");
    }
}

#[test]
fn new_deadlines_hold_for_open_connections_too() {
    let daemon = Daemon::start("heartbeat.interval = 'off'\ndeadlines.read = '1h'");
    let mut clients = PROTOCOLS.map(|protocol| Client::connect(daemon.address(protocol)));
    clients.iter_mut().for_each(|client| client.echo("hello\n"));
    reload(&daemon, &with_listeners("heartbeat.interval = 'off'\ndeadlines.read = '300ms'"));
    for mut client in clients {
        client.expect_end();
        let close = daemon.wait_for_close(client.address);
        assert_eq!(close["reason"], "read_timeout", "{close}");
    }
}

/// A silence that was allowed until now is not our own sleep.
#[test]
fn a_shorter_deadline_is_no_stall_of_ours() {
    let daemon = Daemon::start("heartbeat.interval = 'off'\ndeadlines.read = '1h'");
    let mut client = Client::connect(daemon.address("raw"));
    client.echo("hello");
    dawdle(Duration::from_millis(1500));
    reload(&daemon, &with_listeners("heartbeat.interval = 'off'\ndeadlines.read = '500ms'"));
    client.expect_end();
    assert_eq!(daemon.wait_for_close(client.address)["reason"], "read_timeout");
    drop(client);
    daemon.signal(Signal::SIGTERM);
    daemon.wait_for_event("stopped");
    let blamed = daemon.records("stall").iter().map(|stall| number(stall, "forgiven")).sum::<u64>();
    assert_eq!(blamed, 0, "{:?}", daemon.records("stall"));
}

/// Open connections of a listener that is gone are served on.
#[test]
fn listeners_come_and_go_without_harm_to_connections() {
    let daemon = Daemon::start("");
    let [line, raw] = PROTOCOLS.map(|protocol| daemon.address(protocol));
    let mut client = Client::connect(raw);
    client.echo("before");
    let without_raw = LISTENERS.replace("name = \"raw\"", "name = \"new\"");
    reload(&daemon, &without_raw);
    let new = daemon.address("new");
    Client::connect(new).echo("a new address");
    Client::connect(line).echo("an old address\n");
    eventually_true("nobody listens there any more", || !is_served(raw));
    client.echo("after");
    client.finish();
    client.expect_end();
    let close = daemon.wait_for_close(client.address);
    assert_eq!((close["reason"].as_str(), close["listener"].as_str()), (Some("peer_closed"), Some("raw")));
    daemon.stop();
}

#[test]
fn a_new_limit_holds_for_new_connections_only() {
    let daemon = Daemon::start("server.max_connections = 2");
    let mut clients = [(); 2].map(|()| Client::connect(daemon.address("line")));
    clients.iter_mut().for_each(|client| client.echo("hello\n"));
    reload(&daemon, &with_listeners("server.max_connections = 1"));
    clients.iter_mut().for_each(|client| client.echo("still here\n"));
    drop(Client::try_connect(daemon.address("line")));
    daemon.wait_for_event("refuse");
    reload(&daemon, &with_listeners("server.max_connections = 3"));
    Client::connect(daemon.address("line")).echo("welcome\n");
}

#[test]
fn a_new_log_level_holds_at_once() {
    let daemon = Daemon::start("");
    reload(&daemon, &with_listeners("log.level = 'debug'"));
    Client::connect(daemon.address("line")).echo("hello\n");
    daemon.wait_for_event("open");
}

#[test]
fn a_stop_goes_on_whatever_is_reloaded() {
    let mut daemon = Daemon::start("server.shutdown_grace = '1h'");
    let mut client = Client::connect(daemon.address("line"));
    client.echo("hello\n");
    daemon.signal(Signal::SIGTERM);
    client.expect_end();
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_event("reload_failed");
    drop(client);
    assert_eq!(daemon.wait_exit().code(), Some(0));
}
