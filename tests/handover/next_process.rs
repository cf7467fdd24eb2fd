//! A restart by the service manager, for which a stand-in keeps the descriptors; the real one is in tests/systemd/.

use std::fs;

use nix::sys::signal::Signal;

use crate::hand_over;
use crate::support::PROTOCOLS;
use crate::support::client::Client;
use crate::support::daemon::{Daemon, LISTENERS, serve};
use crate::support::fd_store::FdStore;
use crate::support::process::TempFile;
use crate::support::record::{Record, number, text};

/// More than is needed.
const ROOM: usize = 8;

#[track_caller]
fn start(store: &FdStore, settings: &str) -> Daemon {
    let config = TempFile::new(format!("{settings}\n{LISTENERS}"));
    let command = store.pass_to(&serve(&config));
    Daemon::start_command(command, config)
}

/// What the unit sends for `systemctl restart`.
#[expect(unsafe_code, reason = "no safe crate has real-time signals")]
fn ask_to_leave(daemon: &Daemon) {
    let process = i32::try_from(daemon.pid()).expect("a process id");
    // SAFETY: sending a signal to our child.
    assert_eq!(unsafe { libc::kill(process, libc::SIGRTMIN() + 1) }, 0);
}

/// Its process ends, having left everything, and another begins.
#[track_caller]
fn restart(daemon: Daemon, store: &mut FdStore) -> (Daemon, Record) {
    leave(daemon, store);
    assert_eq!(store.len(), 3, "two ends of a pair, and what it means");
    let next = start(store, "");
    let adopted = next.wait_for_event("adopted");
    store.serve_until(|| true);
    (next, adopted)
}

#[track_caller]
fn leave(mut daemon: Daemon, store: &mut FdStore) {
    ask_to_leave(&daemon);
    store.serve_until(|| has_ended(&daemon));
    assert_eq!(daemon.wait_exit().code(), Some(0));
    assert!(text(&daemon.wait_for_event("handover"), "message").starts_with("leaving"));
    assert!(daemon.records("close").is_empty(), "nobody was cut off");
}

/// A zombie has no descriptors.
fn has_ended(daemon: &Daemon) -> bool {
    fs::read_dir(format!("/proc/{}/fd", daemon.pid())).map_or(0, Iterator::count) == 0
}

#[test]
fn connections_go_on_in_process_after_process() {
    let mut store = FdStore::new(ROOM);
    let mut daemon = start(&store, "");
    let addresses = PROTOCOLS.map(|protocol| daemon.address(protocol));
    let mut clients: Vec<Client> = (0..300).map(|number| Client::connect(addresses[number % 2])).collect();
    clients.iter_mut().enumerate().for_each(|(number, client)| client.echo(format!("{number}\n")));
    for turn in 1..=3 {
        let adopted;
        (daemon, adopted) = restart(daemon, &mut store);
        assert_eq!((number(&adopted, "connections"), number(&adopted, "lost")), (300, 0), "{adopted}");
        assert_eq!(PROTOCOLS.map(|protocol| daemon.address(protocol)), addresses);
        assert_eq!(store.len(), 0, "nothing is left in the store");
        let echo = |(number, client): (usize, &mut Client)| client.echo(format!("{number} in turn {turn}\n"));
        clients.iter_mut().enumerate().for_each(echo);
    }
    hand_over(&daemon);
    clients.iter_mut().for_each(|client| client.echo("and in place\n"));
    drop(clients);
    daemon.wait_for_closes(300);
    daemon.stop();
}

/// It closes what it is offered, and says nothing.
#[test]
fn a_store_without_room_is_noticed() {
    for room in [0, 2] {
        let mut store = FdStore::new(room);
        let mut daemon = start(&store, "");
        let mut client = Client::connect(daemon.address("line"));
        client.echo("hello\n");
        ask_to_leave(&daemon);
        store.serve_until(|| !daemon.records("handover_failed").is_empty());
        let failed = text(&daemon.wait_for_event("handover_failed"), "message").to_owned();
        assert!(failed.contains("FileDescriptorStoreMax=") && failed.ends_with("they end"), "{failed}");
        client.expect_end();
        drop(client);
        store.serve_until(|| has_ended(&daemon));
        assert_eq!(daemon.wait_exit().code(), Some(0));
        assert_eq!(daemon.final_summary()["server_shutdown"], 1);
        assert_eq!(store.len(), 0, "what it kept is taken back");
    }
}

#[test]
fn a_manager_that_does_not_read_is_not_waited_for() {
    let store = FdStore::new(ROOM);
    let mut daemon = start(&store, "");
    let mut client = Client::connect(daemon.address("line"));
    client.echo("hello\n");
    ask_to_leave(&daemon);
    let failed = text(&daemon.wait_for_event("handover_failed"), "message").to_owned();
    assert!(failed.contains("does not read"), "{failed}");
    client.expect_end();
    drop(client);
    assert_eq!(daemon.wait_exit().code(), Some(0));
    daemon.final_summary();
}

#[test]
fn a_stop_comes_before_a_restart() {
    let store = FdStore::new(ROOM);
    let mut daemon = start(&store, "");
    let mut client = Client::connect(daemon.address("line"));
    client.echo("hello\n");
    ask_to_leave(&daemon);
    daemon.signal(Signal::SIGTERM);
    client.expect_end();
    drop(client);
    assert_eq!(daemon.wait_exit().code(), Some(0));
    assert_eq!(daemon.final_summary()["server_shutdown"], 1);
}

/// As where a program was killed before it could take them out.
#[test]
fn of_what_several_programs_left_the_newest_counts() {
    let mut store = FdStore::new(ROOM);
    store.is_stubborn = true;
    let daemon = start(&store, "");
    let mut client = Client::connect(daemon.address("line"));
    client.echo("hello\n");
    let (daemon, adopted) = restart(daemon, &mut store);
    assert_eq!(number(&adopted, "connections"), 1);
    client.echo("again\n");
    leave(daemon, &mut store);
    assert_eq!(store.len(), 6);
    store.is_stubborn = false;
    let daemon = start(&store, "");
    let adopted = daemon.wait_for_event("adopted");
    assert_eq!((number(&adopted, "connections"), number(&adopted, "lost")), (1, 0), "{adopted}");
    let failed = daemon.wait_for_event("handover_failed");
    assert!(text(&failed, "message").ends_with("they are closed"), "{failed}");
    client.echo("and again\n");
    store.serve_until(|| true);
    assert_eq!(store.len(), 0);
}

/// The configuration is looked at first, and what cannot be served with is left for the next attempt.
#[test]
fn what_cannot_start_takes_nothing_out_of_the_store() {
    let mut store = FdStore::new(ROOM);
    let daemon = start(&store, "");
    let mut client = Client::connect(daemon.address("line"));
    client.echo("hello\n");
    leave(daemon, &mut store);
    let broken = store.pass_to(&serve(&TempFile::new("nonsense"))).status().expect("it runs");
    assert_eq!(broken.code(), Some(78));
    store.serve_until(|| true);
    let daemon = start(&store, "");
    assert_eq!(daemon.wait_for_event("adopted")["connections"], 1);
    client.echo("still here\n");
}
