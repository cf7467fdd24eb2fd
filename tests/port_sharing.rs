//! A port that is served is shared with nobody, also when it came by a reload.

mod support;

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use nix::sys::signal::Signal;
use socket2::{Domain, Socket, Type};
use support::client::Client;
use support::daemon::{Daemon, serve};
use support::process::TempFile;
use support::{eventually, skip};

/// A port that nobody uses.
fn free_port() -> u16 {
    let socket = TcpListener::bind("0.0.0.0:0").expect("a free port");
    socket.local_addr().expect("it is bound").port()
}

fn listener(address: SocketAddr) -> String {
    format!("[[listener]]\nname = 'raw'\nprotocol = 'raw'\naddress = '{address}'\n")
}

/// Somebody of the same user who would share.
fn share(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(1)?;
    Ok(socket)
}

fn reload(daemon: &Daemon, text: &str) {
    daemon.config().write(text);
    daemon.signal(Signal::SIGHUP);
}

#[track_caller]
fn reload_to(daemon: &Daemon, address: SocketAddr) {
    reload(daemon, &listener(address));
    daemon.wait_for_record("the new address", |record| {
        record["event"] == "listening" && record["address"] == address.to_string()
    });
    daemon
        .wait_for_record("the reload", |record| record["event"] == "reload" && !record["changes"].is_null());
    eventually("it is served", || Client::try_connect(([127, 0, 0, 1], address.port()).into()).ok());
}

#[track_caller]
fn is_refused(address: SocketAddr) {
    let error = share(address).expect_err("the port is taken");
    assert_eq!(error.kind(), ErrorKind::AddrInUse, "{address}");
}

#[test]
fn a_port_that_came_by_a_reload_is_not_shared() {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let daemon = Daemon::start("");
    reload_to(&daemon, address);
    is_refused(address);
    let second = Daemon::start("");
    reload(&second, &listener(address));
    let failed = second.wait_for_event("reload_failed");
    assert!(failed["message"].as_str().is_some_and(|message| message.contains("in use")), "{failed}");
}

#[test]
fn a_reload_does_not_join_those_who_share_a_port() {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let _others = share(address).expect("a free port");
    let daemon = Daemon::start("");
    reload(&daemon, &listener(address));
    daemon.wait_for_event("reload_failed");
}

/// For a moment both of ours hold the port; nobody can come in by that.
#[test]
fn a_port_that_was_handed_from_one_address_to_another_is_not_shared() {
    let [one, all] = [[127, 0, 0, 1], [0, 0, 0, 0]];
    for (old, new) in [(one, all), (all, one)] {
        let port = free_port();
        let [old, new] = [old, new].map(|ip| SocketAddr::from((ip, port)));
        let daemon = Daemon::start_with_file(&listener(old));
        reload_to(&daemon, new);
        is_refused(new);
        is_refused(SocketAddr::from((one, port)));
    }
}

/// As 0.0.0.0 takes over from 127.0.0.1, the port is ours to share, but not with those who hold it elsewhere.
#[test]
fn a_reload_to_all_addresses_joins_nobody_who_would_share_one_of_them() {
    let port = free_port();
    let [one, other, all] = [[127, 0, 0, 1], [127, 0, 0, 2], [0, 0, 0, 0]].map(|ip| (ip, port).into());
    let foreign = share(other).expect("a free port");
    let daemon = Daemon::start_with_file(&listener(one));
    reload(&daemon, &listener(all));
    let failed = daemon.wait_for_event("reload_failed");
    assert!(failed["message"].as_str().is_some_and(|message| message.contains("in use")), "{failed}");
    Client::connect(one).echo("hello\n");
    drop(foreign);
    reload_to(&daemon, all);
}

#[test]
fn where_nobody_can_know_who_listens_a_reload_shares_nothing() {
    let port = free_port();
    let [one, all] = [[127, 0, 0, 1], [0, 0, 0, 0]].map(|ip| (ip, port).into());
    let config = TempFile::new(listener(one));
    let direct = serve(&config);
    let hide = "mount -t tmpfs none /proc && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--", "sh", "-c", hide, "sh"]);
    if !Command::new("unshare")
        .args(["--mount", "sh", "-c", hide, "sh", "true"])
        .status()
        .is_ok_and(|s| s.success())
    {
        return skip("no mount namespace");
    }
    command.arg(direct.get_program()).args(direct.get_args());
    let daemon = Daemon::start_command(command, config);
    reload(&daemon, &listener(all));
    let failed = daemon.wait_for_event("reload_failed");
    let words = "/proc/self/net/tcp does not tell whether another process listens there too";
    assert!(failed["message"].as_str().is_some_and(|message| message.contains(words)), "{failed}");
    Client::connect(one).echo("hello\n");
}
