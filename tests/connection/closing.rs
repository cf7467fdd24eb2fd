//! Orderly ends: the peer's FIN, and the two phases of a stop.

use std::rc::Rc;
use std::sync::Arc;

use pulse_echo::core::{CloseReason, Protocol};
use pulse_echo::net::{EventLoop, Phase};

use crate::scripted::{DEFAULTS, Link, UNLIMITED};

#[tokio::test(flavor = "local", start_paused = true)]
async fn at_the_peers_fin_what_was_held_back_is_echoed_and_the_connection_closed() {
    let mut link = Link::line(DEFAULTS);
    link.reach(5).await;
    link.peer.sends("a\nPING 1");
    link.reach(7).await;
    link.peer.heard(&[(5, "a\n")]);
    link.peer.sends_fin();
    let report = link.ended().await.expect(7, CloseReason::PeerClosed);
    link.peer.heard(&[(5, "a\n"), (7, "PING 1")]);
    assert_eq!((report.received_bytes, report.sent_bytes, report.unechoed_bytes), (8, 8, 0));
    assert!(!link.peer.was_aborted());
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn held_bytes_count_as_unechoed_when_the_end_leaves_no_time_for_them() {
    let mut link = Link::line(DEFAULTS);
    link.peer.sends("a\nPONG 1");
    link.reach(7).await;
    link.event_loop.enter(Phase::Ending);
    let report = link.ended().await.expect(7, CloseReason::ServerShutdown);
    assert_eq!((report.received_bytes, report.sent_bytes, report.unechoed_bytes), (8, 2, 6));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn draining_echoes_what_had_arrived_sends_fin_and_waits_for_the_peer() {
    let mut link = Link::line(DEFAULTS);
    link.reach(1_000).await;
    link.peer.sends_unnoticed("last line\nPON");
    link.event_loop.enter(Phase::Draining);
    link.reach(2_000).await;
    link.peer.heard(&[(1_000, "last line\nPON<FIN>")]);
    link.peer.sends("too late\n");
    link.reach(3_000).await;
    assert!(!link.has_ended());
    link.peer.sends_fin();
    let report = link.ended().await.expect(3_000, CloseReason::ServerShutdown);
    assert_eq!((report.received_bytes, report.sent_bytes, report.unechoed_bytes), (22, 13, 9));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_draining_connection_is_limited_by_the_end_of_the_grace_alone() {
    let mut link = Link::line(DEFAULTS);
    link.reach(1_000).await;
    link.event_loop.enter(Phase::Draining);
    link.reach(500_000).await;
    assert!(!link.has_ended());
    link.event_loop.enter(Phase::Ending);
    link.ended().await.expect(500_000, CloseReason::ServerShutdown);
    link.peer.heard(&[(1_000, "<FIN>")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_draining_slow_reader_gets_its_rest_and_then_fin() {
    let mut link = Link::line(DEFAULTS);
    link.peer.stops_reading();
    link.peer.sends("hello\n");
    link.reach(1_000).await;
    link.peer.sends("more\n");
    link.event_loop.enter(Phase::Draining);
    link.reach(50_000).await;
    link.peer.takes(3);
    link.reach(60_000).await;
    link.peer.takes_everything();
    link.reach(61_000).await;
    link.peer.heard(&[(50_000, "hel"), (60_000, "lo\nmore\n<FIN>")]);
    link.peer.sends_fin();
    link.ended().await.expect(61_000, CloseReason::ServerShutdown);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_stop_is_the_cause_whatever_goes_wrong_afterwards() {
    for errno in [libc::ECONNRESET, libc::ETIMEDOUT, libc::EIO] {
        let mut link = Link::line(DEFAULTS);
        link.reach(1_000).await;
        link.event_loop.enter(Phase::Draining);
        link.reach(2_000).await;
        link.peer.fails(errno);
        link.ended().await.expect(2_000, CloseReason::ServerShutdown);
    }
    let mut link = Link::line(DEFAULTS);
    link.reach(1_000).await;
    link.peer.refuses(libc::EPIPE);
    link.event_loop.enter(Phase::Draining);
    link.ended().await.expect(1_000, CloseReason::ServerShutdown);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn ending_closes_at_once_and_counts_what_was_left() {
    let mut link = Link::line(DEFAULTS);
    link.peer.stops_reading();
    link.peer.takes(2);
    link.peer.sends("hello\n");
    link.reach(1_000).await;
    link.event_loop.enter(Phase::Ending);
    let report = link.ended().await.expect(1_000, CloseReason::ServerShutdown);
    link.peer.heard(&[(0, "he")]);
    assert_eq!((report.received_bytes, report.sent_bytes, report.unechoed_bytes), (6, 2, 4));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_stop_comes_before_a_reset_at_the_same_instant() {
    let mut link = Link::line(DEFAULTS);
    link.reach(1_000).await;
    link.peer.fails(libc::ECONNRESET);
    link.event_loop.enter(Phase::Ending);
    link.ended().await.expect(1_000, CloseReason::ServerShutdown);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_stop_reaches_connections_that_have_not_run_yet() {
    let event_loop = EventLoop::start(Arc::default());
    let mut draining = Link::open(&event_loop, Protocol::Line, UNLIMITED, 0);
    event_loop.enter(Phase::Draining);
    let mut late = Link::open(&event_loop, Protocol::Line, UNLIMITED, 0);
    draining.reach(1).await;
    for link in [&draining, &late] {
        link.peer.heard(&[(0, "<FIN>")]);
        link.peer.sends_fin();
    }
    draining.ended().await.expect(1, CloseReason::ServerShutdown);
    late.ended().await.expect(1, CloseReason::ServerShutdown);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn an_event_loop_is_vacated_when_its_last_connection_has_ended() {
    let event_loop = EventLoop::start(Arc::default());
    let first = Link::open(&event_loop, Protocol::Line, UNLIMITED, 0);
    let second = Link::open(&event_loop, Protocol::Raw, UNLIMITED, 0);
    let waiting = Rc::clone(&event_loop);
    let vacated = tokio::task::spawn_local(async move { waiting.slots.emptied().await });
    first.reach(10).await;
    first.peer.sends_fin();
    first.reach(20).await;
    assert!(first.has_ended() && !vacated.is_finished());
    second.peer.sends_fin();
    first.reach(30).await;
    assert!(vacated.is_finished());
}
