//! What is in the middle of something when another program takes over.

use nix::sys::signal::Signal;

use crate::hand_over;
use crate::support::client::Client;
use crate::support::daemon::Daemon;
use crate::support::for_both_protocols;
use crate::support::record::{number, text};

#[test]
fn who_has_finished_sending_gets_the_rest() {
    for_both_protocols(|protocol| {
        let daemon = Daemon::start("");
        let mut client = Client::with_small_buffer(daemon.address(protocol));
        let sent = client.send_until_blocked(&daemon);
        client.finish();
        for _ in 0..3 {
            assert_eq!(number(&hand_over(&daemon), "lost"), 0);
        }
        assert!(client.rest() == sent, "all that was received before comes back after");
        let close = daemon.wait_for_close(client.address);
        assert_eq!((text(&close, "reason"), number(&close, "rx_bytes")), ("peer_closed", sent.len() as u64));
        daemon.stop();
    });
}

/// The next program does not begin to count anew. However often there is one, the peer's time is over once it was served for that
/// long.
#[test]
fn a_blocked_write_keeps_its_progress() {
    for_both_protocols(|protocol| {
        let daemon = Daemon::start("deadlines.write = '700ms'\nheartbeat.interval = 'off'");
        let mut client = Client::with_small_buffer(daemon.address(protocol));
        client.send_until_blocked(&daemon);
        let mut programs = 0;
        while daemon.records("close").is_empty() {
            hand_over(&daemon);
            programs += 1;
        }
        let close = daemon.wait_for_close(client.address);
        assert_eq!(text(&close, "reason"), "write_timeout", "{close}");
        assert_eq!(text(&close, "verdict"), "peer_not_reading", "after {programs} programs: {close}");
    });
}

#[test]
fn an_end_for_age_that_has_begun_goes_on() {
    let daemon = Daemon::start("deadlines.lifetime = '1s'");
    let mut client = Client::connect(daemon.address("line"));
    client.echo("hello\n");
    client.expect_end(); // our FIN: the peer has five seconds to finish
    let adopted = hand_over(&daemon);
    assert_eq!((number(&adopted, "connections"), number(&adopted, "lost")), (1, 0), "{adopted}");
    client.send("too late\n");
    client.wait_until_delivered();
    client.finish();
    let close = daemon.wait_for_close(client.address);
    assert_eq!((text(&close, "reason"), number(&close, "unechoed_bytes")), ("lifetime_over", 9), "{close}");
}

#[test]
fn a_stop_that_has_begun_is_not_handed_over() {
    let mut daemon = Daemon::start("server.shutdown_grace = '1h'");
    let mut client = Client::connect(daemon.address("line"));
    client.echo("hello\n");
    daemon.signal(Signal::SIGTERM);
    client.expect_end();
    daemon.signal(Signal::SIGUSR2);
    let failed = daemon.wait_for_event("handover_failed");
    assert!(text(&failed, "message").ends_with("the server is stopping; they end"), "{failed}");
    client.finish();
    assert_eq!(daemon.wait_exit().code(), Some(0));
    assert_eq!(daemon.final_summary()["server_shutdown"], 1);
}
