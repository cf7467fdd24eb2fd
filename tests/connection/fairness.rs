//! A peer that sends without pause: it holds up neither the others nor its own clock, nor a stop.

use std::sync::Arc;
use std::time::Duration;

use pulse_echo::core::close::CloseReason;
use pulse_echo::core::liveness::{Deadlines, Timing};
use pulse_echo::core::protocol::Protocol;
use pulse_echo::net::event_loop::{EventLoop, Phase};

use crate::scripted::{Link, UNLIMITED};

#[tokio::test(flavor = "local", start_paused = true)]
async fn others_get_their_turn() {
    let event_loop = EventLoop::start(Arc::default());
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

#[tokio::test(flavor = "local", start_paused = true)]
async fn however_many_flood_the_others_wait_for_one_of_them() {
    let event_loop = EventLoop::start(Arc::default());
    let raw = || Link::open(&event_loop, Protocol::Raw, UNLIMITED, 0);
    let floods: Vec<Link> = (0..100).map(|_| raw()).collect();
    let other = raw();
    floods.iter().for_each(|flood| flood.peer.floods());
    other.settle().await;

    let lengths = || floods.iter().map(|flood| flood.peer.heard_text().len());
    let before: Vec<usize> = lengths().collect();
    let served = || lengths().zip(&before).filter(|(now, before)| now > before).count();
    other.peer.sends("hello\n");
    while other.peer.heard_text().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(served() <= 2, "{} of 100 were served first", served());
    other.settle().await;
    assert_eq!(served(), 100, "each has its turn");
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn who_ends_while_waiting_for_its_turn_keeps_nobody_from_theirs() {
    let event_loop = EventLoop::start(Arc::default());
    let raw = || Link::open(&event_loop, Protocol::Raw, UNLIMITED, 0);
    let mut floods: Vec<Link> = (0..10).map(|_| raw()).collect();
    floods.iter().for_each(|flood| flood.peer.floods());
    floods[0].settle().await;
    let stayed = floods.split_off(9);
    floods.iter().for_each(|flood| flood.stop_serving());
    stayed[0].settle().await;
    let newcomers: Vec<Link> = (0..9).map(|_| raw()).collect(); // in the seats of those
    newcomers.iter().for_each(|newcomer| newcomer.peer.sends("hello\n"));
    let before = stayed[0].peer.heard_text().len();
    stayed[0].settle().await;
    newcomers.iter().for_each(|newcomer| newcomer.peer.heard(&[(0, "hello\n")]));
    assert!(stayed[0].peer.heard_text().len() > before);
}
