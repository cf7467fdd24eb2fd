//! Signals: stopping in good order, and stopping at once.

mod support;

use std::io::Write as _;
use std::time::Duration;

use nix::sys::signal::Signal;
use support::client::Client;
use support::daemon::Daemon;
use support::record::{Record, number};
use support::{PROTOCOLS, eventually_true, now};

#[track_caller]
fn assert_all_were_shut_down(daemon: &Daemon, count: usize) {
    let closes = daemon.records("close");
    assert_eq!(closes.len(), count);
    assert!(closes.iter().all(|close| close["reason"] == "server_shutdown"), "{closes:?}");
    assert_eq!(daemon.final_summary()["server_shutdown"], count);
}

/// What had been received is echoed, a held beginning of a line included, then the peers get FIN.
#[test]
fn sigterm_and_sigint_let_every_peer_finish() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut daemon = Daemon::start("");
        let mut idle = PROTOCOLS.map(|protocol| Client::connect(daemon.address(protocol)));
        let mut half_written = Client::connect(daemon.address("line"));
        half_written.echo("half a line");
        let mut undecided = Client::connect(daemon.address("line"));
        undecided.echo("\n");
        undecided.send("PING 1");
        let mut busy = PROTOCOLS.map(|protocol| {
            let mut client = Client::with_small_buffer(daemon.address(protocol));
            let sent = client.send_until_blocked(&daemon);
            (client, sent)
        });
        undecided.wait_until_delivered();

        daemon.signal(signal);
        let drain = daemon.wait_for_event("drain");
        assert_eq!((number(&drain, "open"), number(&drain, "grace_ms")), (6, 10_000));
        idle.iter_mut().for_each(Client::expect_end);
        half_written.expect_end();
        assert_eq!(undecided.rest(), b"PING 1");
        for (client, sent) in &mut busy {
            assert!(client.rest() == *sent, "all that had been received is echoed");
        }
        drop((idle, half_written, undecided, busy));
        assert_eq!(daemon.wait_exit().code(), Some(0), "{signal}");
        assert_all_were_shut_down(&daemon, 6);
        let unechoed = |close: &Record| number(close, "unechoed_bytes") == 0;
        assert!(daemon.records("close").iter().all(unechoed));
    }
}

#[test]
fn a_stop_without_connections_is_immediate() {
    let mut daemon = Daemon::start("server.shutdown_grace = '1h'");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_exit().code(), Some(0));
    assert_eq!(daemon.final_summary()["accepted"], 0);
}

#[test]
fn no_new_connections_are_accepted_while_the_old_ones_finish() {
    let mut daemon = Daemon::start("");
    let addresses = PROTOCOLS.map(|protocol| daemon.address(protocol));
    let mut client = Client::connect(addresses[0]);
    client.echo("hello\n");
    daemon.signal(Signal::SIGTERM);
    client.expect_end();
    for address in addresses {
        eventually_true("new connections are turned away", || std::net::TcpStream::connect(address).is_err());
    }
    drop(client);
    assert_eq!(daemon.wait_exit().code(), Some(0));
}

#[test]
fn a_peer_that_never_closes_is_cut_at_the_end_of_the_grace() {
    let mut daemon = Daemon::start("server.shutdown_grace = '700ms'");
    let clients = PROTOCOLS.map(|protocol| {
        let mut client = Client::connect(daemon.address(protocol));
        client.echo("hello\n");
        client
    });
    let began = now();
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_exit().code(), Some(0));
    let took = began.elapsed();
    assert!((Duration::from_millis(700)..Duration::from_secs(10)).contains(&took), "{took:?}");
    assert_all_were_shut_down(&daemon, clients.len());
}

#[test]
fn a_peer_that_does_not_read_is_cut_at_the_end_of_the_grace() {
    let mut daemon = Daemon::start("server.shutdown_grace = '500ms'\ndeadlines.write = '1h'");
    let clients = PROTOCOLS.map(|protocol| {
        let mut client = Client::with_small_buffer(daemon.address(protocol));
        client.send_until_blocked(&daemon);
        client
    });
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_exit().code(), Some(0));
    assert_all_were_shut_down(&daemon, clients.len());
    for client in clients {
        let close = daemon.wait_for_close(client.address);
        assert!(number(&close, "unechoed_bytes") > 0, "what it did not take is owned up to: {close}");
    }
}

/// Neither the end of the stop nor the memory may depend on a peer's manners.
#[test]
fn a_peer_that_never_stops_sending_is_cut_at_the_end_of_the_grace() {
    let mut daemon = Daemon::start("server.shutdown_grace = '500ms'");
    let mut clients = PROTOCOLS.map(|protocol| Client::connect(daemon.address(protocol)));
    clients.iter_mut().for_each(|client| client.echo("hello\n"));
    std::thread::scope(|scope| {
        for client in &clients {
            let mut receiver = client.try_clone();
            let mut sender = client.try_clone();
            scope.spawn(move || receiver.wait_until_over());
            scope.spawn(move || while sender.stream.write_all(&[b'x'; 1000]).is_ok() {});
        }
        daemon.signal(Signal::SIGTERM);
        assert_eq!(daemon.wait_exit().code(), Some(0));
    });
    assert_all_were_shut_down(&daemon, clients.len());
}

#[test]
fn a_second_signal_ends_at_once() {
    for (first, second) in [(Signal::SIGTERM, Signal::SIGTERM), (Signal::SIGINT, Signal::SIGTERM)] {
        let mut daemon = Daemon::start("server.shutdown_grace = '1h'\ndeadlines.write = '1h'");
        let mut client = Client::connect(daemon.address("line"));
        client.echo("hello\n");
        let mut stuck = Client::with_small_buffer(daemon.address("raw"));
        stuck.send_until_blocked(&daemon);
        daemon.signal(first);
        client.expect_end();
        daemon.signal(second);
        assert_eq!(daemon.wait_exit().code(), Some(0), "{first}, {second}");
        assert_all_were_shut_down(&daemon, 2);
    }
}

/// The first cause wins: it is we who ended it, whatever the peer does about it.
#[test]
fn a_peer_that_resets_during_the_stop_was_shut_down_all_the_same() {
    for protocol in PROTOCOLS {
        // In one event loop, what one peer sees of the stop holds for the other.
        let mut daemon = Daemon::start("server.workers = 1");
        let mut blocked = Client::with_small_buffer(daemon.address(protocol));
        blocked.send_until_blocked(&daemon);
        let mut idle = Client::connect(daemon.address(protocol));
        idle.echo("hello\n");
        daemon.signal(Signal::SIGTERM);
        idle.expect_end();
        idle.reset();
        blocked.reset();
        assert_eq!(daemon.wait_exit().code(), Some(0));
        assert_all_were_shut_down(&daemon, 2);
    }
}
