//! A peer that sends without pause: it holds up neither the others nor its own clock, nor a stop.

use std::rc::Rc;
use std::time::Duration;

use pulse_echo::core::close::CloseReason;
use pulse_echo::core::liveness::{Deadlines, Timing};
use pulse_echo::core::protocol::Protocol;
use pulse_echo::net::event_loop::{EventLoop, Phase};

use crate::scripted::{Link, UNLIMITED};

#[tokio::test(flavor = "local", start_paused = true)]
async fn others_get_their_turn() {
    let event_loop = Rc::<EventLoop>::default();
    let flood = Link::open(&event_loop, Protocol::Raw, UNLIMITED, 0);
    let other = Link::open(&event_loop, Protocol::Raw, UNLIMITED, 0);
    flood.settle().await;
    flood.peer.floods();
    flood.settle().await;
    other.peer.sends("hello\n");
    other.settle().await;
    other.peer.heard(&[(0, "hello\n")]);
    assert!(flood.peer.still_floods());
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn the_clock_is_looked_at_and_the_last_words_are_bounded() {
    let deadlines = Deadlines { lifetime: Some(Duration::from_secs(10)), ..UNLIMITED.deadlines };
    let mut link = Link::raw(Timing { deadlines, ..UNLIMITED });
    link.peer.floods();
    link.settle().await;
    tokio::time::advance(Duration::from_secs(10)).await;
    link.settle().await;
    assert!(link.peer.heard_text().ends_with("flood\n<FIN>"));
    assert!(link.peer.still_floods());
    tokio::time::advance(Duration::from_secs(5)).await;
    let report = link.ended().await.expect(15_000, CloseReason::LifetimeOver);
    assert_eq!(report.received_bytes, report.sent_bytes + report.unechoed_bytes);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_stop_is_seen() {
    let mut link = Link::raw(UNLIMITED);
    link.peer.floods();
    link.settle().await;
    link.event_loop.enter(Phase::Draining);
    link.settle().await;
    assert!(link.peer.heard_text().ends_with("flood\n<FIN>"));
    assert!(link.peer.still_floods());
    link.event_loop.enter(Phase::Ending);
    link.ended().await.expect(0, CloseReason::ServerShutdown);
}
