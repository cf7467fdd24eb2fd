//! More connections than there may be, or than the descriptors allow.

mod support;

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use support::client::Client;
use support::daemon::{Daemon, LISTENERS, serve};
use support::kernel::{descriptor_table_size, open_descriptors, set_descriptor_limit};
use support::process::TempFile;
use support::record::number;
use support::{dawdle, eventually};

/// A client that gets an echo, or was refused.
fn try_echo(server: SocketAddr) -> Option<Client> {
    // A reset may come at any step.
    let mut client = Client::try_connect(server).ok()?;
    client.stream.write_all(b"\n").ok()?;
    client.stream.read_exact(&mut [0]).ok()?;
    Some(client)
}

#[test]
fn connections_beyond_the_limit_are_refused_and_counted() {
    let daemon = Daemon::start("server.max_connections = 5");
    let addresses = support::PROTOCOLS.map(|protocol| daemon.address(protocol));
    let mut served: Vec<Client> =
        (0..5).map(|index| try_echo(addresses[index % 2]).expect("there is room")).collect();
    for index in 0..200 {
        assert!(try_echo(addresses[index % 2]).is_none(), "the limit is for all listeners together");
    }
    let refuse = daemon.wait_for_event("refuse");
    assert_eq!(refuse["reason"], "connection_limit", "{refuse}");
    assert_eq!(refuse["level"], "WARN", "{refuse}");

    served.iter_mut().for_each(|client| client.echo("not disturbed\n"));
    let leaving = served.pop().expect("five of them");
    let peer = leaving.address;
    drop(leaving);
    daemon.wait_for_close(peer);
    assert!(daemon.records("refuse").len() <= 5, "not a record for each of 200");
    let mut late = 0;
    let newcomer = eventually("there is room again", || {
        late += 1;
        try_echo(addresses[0])
    });
    drop((served, newcomer));
    let summary = daemon.stop();
    assert_eq!(number(&summary, "refused"), 200 + late - 1, "{summary}");
    assert_eq!(summary["accepted"], 6, "refused is not accepted: {summary}");
}

/// Serves with at most so many descriptors.
fn serve_within(descriptors: u64, config: &TempFile) -> Command {
    let direct = serve(config);
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"")]);
    limited.arg(direct.get_program()).args(direct.get_args());
    limited
}

#[test]
fn too_few_descriptors_are_told_with_how_many_it_takes() {
    let config = || TempFile::new(format!("server.workers = 2\n{LISTENERS}"));
    let needed = 16 + 2 * 4 + 2 + 1;
    for descriptors in [6, 8, 20, needed - 1] {
        let config = config();
        let ended = serve_within(descriptors, &config).output().expect("it runs");
        let log = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{log}");
        assert!(log.contains(&format!("a limit of {descriptors} open descriptors is too low")), "{log}");
        assert!(log.contains(&format!("need {needed} or more")), "{log}");
    }
    let config = config();
    let daemon = Daemon::start_command(serve_within(needed, &config), config);
    Client::connect(daemon.address("line")).echo("as promised\n");
    daemon.stop();
}

#[test]
fn a_limit_above_the_descriptors_is_clamped_with_a_warning() {
    let config = TempFile::new(format!("server = {{ max_connections = 5000, workers = 1 }}\n{LISTENERS}"));
    let daemon = Daemon::start_command(serve_within(200, &config), config);
    let warning = daemon.wait_for_record("a warning", |record| {
        record["level"] == "WARN" && record["max_connections"].is_u64()
    });
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_event("reload");
    assert_eq!(daemon.records("connections_clamped").len(), 1, "told once");
    let clamped = number(&warning, "max_connections");
    assert!((50..200).contains(&clamped), "{warning}");
    let clients: Vec<Client> =
        (0..clamped).map(|_| try_echo(daemon.address("line")).expect("what it promised")).collect();
    assert!(try_echo(daemon.address("line")).is_none());
    assert!(daemon.records("accept_error").is_empty(), "the limit is one that the descriptors allow");
    drop(clients);
}

/// Descriptors for two more connections, and ten come.
fn exhausted(daemon: &Daemon) -> (Vec<Client>, Vec<Client>) {
    let mut served = vec![Client::connect(daemon.address("line"))];
    served[0].echo("the first\n");
    set_descriptor_limit(daemon.pid(), open_descriptors(daemon.pid()) + 2);
    // The kernel completes all these connections. Two are accepted, the others wait.
    let mut waiting: Vec<Client> = (0..10).map(|_| Client::connect(daemon.address("line"))).collect();
    waiting.iter_mut().for_each(|client| client.send("hello\n"));
    served.extend(waiting.drain(..2));
    served[1..].iter_mut().for_each(|client| client.expect("hello\n"));
    let error = daemon.wait_for_event("accept_error");
    assert_eq!(error["level"], "WARN", "{error}");
    assert_eq!(error["errno"], "EMFILE", "{error}");
    assert_eq!(error["listener"], "line", "{error}");
    (served, waiting)
}

#[test]
fn without_descriptors_those_connected_are_served_on_until_there_are_some_again() {
    let daemon = Daemon::start("");
    let (mut served, mut waiting) = exhausted(&daemon);
    for round in 0..20 {
        dawdle(Duration::from_millis(20));
        served.iter_mut().for_each(|client| client.echo(format!("round {round}\n")));
    }
    assert_eq!(daemon.records("accept_error").len(), 1, "one record per episode");
    assert!(daemon.records("accept_resumed").is_empty());

    set_descriptor_limit(daemon.pid(), 1000);
    waiting.iter_mut().for_each(|client| client.expect("hello\n"));
    let resumed = daemon.wait_for_event("accept_resumed");
    assert_eq!(resumed["listener"], "line", "{resumed}");
    assert_eq!(daemon.records("accept_error").len(), 1, "one record per episode");
    drop((served, waiting));
    assert_eq!(daemon.stop()["accepted"], 11);
}

/// Each that leaves makes room for one that waits.
#[test]
fn without_descriptors_closing_makes_room() {
    let daemon = Daemon::start("");
    let (served, mut waiting) = exhausted(&daemon);
    drop(served);
    waiting[..3].iter_mut().for_each(|client| client.expect("hello\n"));
    waiting.drain(..3).for_each(drop);
    waiting[..3].iter_mut().for_each(|client| client.expect("hello\n"));
    drop(waiting);
    daemon.wait_for_event("accept_resumed");
    assert_eq!(daemon.records("accept_error").len(), 1, "successes in between do not make it two outages");
}

/// The kernel's table of descriptors grows while accept(2) waits: not later, when connections come.
#[test]
fn there_is_room_for_the_descriptors_of_all_connections_from_the_start() {
    for (wanted, room) in [(5000, 5000..8200), (10, 10..300)] {
        let daemon = Daemon::start(&format!("server.max_connections = {wanted}"));
        let room_made = descriptor_table_size(daemon.pid());
        assert!(room.contains(&room_made), "{wanted} connections, a table of {room_made}");
    }
}
