//! A peer that sends without pause: it holds up neither the others nor its own clock, nor a stop.

use std::sync::Arc;
use std::time::Duration;

use pulse_echo::core::{CloseReason, Deadlines, Protocol, Timing};
use pulse_echo::net::{EventLoop, Phase};

use crate::scripted::{DEFAULTS, Link, UNLIMITED};

#[tokio::test(flavor = "local", start_paused = true)]
async fn others_get_to_run() {
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
    assert_eq!(served(), 100, "each has its run");
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn who_ends_while_queued_keeps_nobody_from_running() {
    let event_loop = EventLoop::start(Arc::default());
    let raw = || Link::open(&event_loop, Protocol::Raw, UNLIMITED, 0);
    let mut floods: Vec<Link> = (0..10).map(|_| raw()).collect();
    floods.iter().for_each(|flood| flood.peer.floods());
    floods[0].settle().await;
    let stayed = floods.split_off(9);
    floods.iter().for_each(|flood| flood.stop_serving());
    stayed[0].settle().await;
    let newcomers: Vec<Link> = (0..9).map(|_| raw()).collect(); // in the slots of those
    newcomers.iter().for_each(|newcomer| newcomer.peer.sends("hello\n"));
    let before = stayed[0].peer.heard_text().len();
    stayed[0].settle().await;
    newcomers.iter().for_each(|newcomer| newcomer.peer.heard(&[(0, "hello\n")]));
    assert!(stayed[0].peer.heard_text().len() > before);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn who_finishes_while_queued_is_closed_even_where_the_clock_says_so_first() {
    let event_loop = EventLoop::start(Arc::default());
    let floods: Vec<Link> = (0..100).map(|_| Link::open(&event_loop, Protocol::Raw, DEFAULTS, 0)).collect();
    floods.iter().for_each(|flood| flood.peer.floods());
    let mut link = Link::open(&event_loop, Protocol::Raw, DEFAULTS, 0);
    link.peer.sends([b'x'; 16 * 1024]);
    for _ in 0..10 {
        tokio::task::yield_now().await; // it has read all that, and is queued
    }
    link.peer.sends_fin_unnoticed();
    link.sleep_until(70_000).await;
    link.ended().await.expect(70_000, CloseReason::PeerClosed);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_slot_gives_no_more_runs_than_another_whoever_had_it_before() {
    let event_loop = EventLoop::start(Arc::default());
    let raw = || Link::open(&event_loop, Protocol::Raw, UNLIMITED, 0);
    let floods: Vec<Link> = (0..100).map(|_| raw()).collect();
    floods.iter().for_each(|flood| flood.peer.floods());
    floods[0].settle().await;
    for _ in 0..20 {
        let passing = raw();
        passing.peer.floods();
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        passing.stop_serving();
        tokio::task::yield_now().await;
    }
    let last = raw(); // in the slot of all those
    last.peer.floods();
    last.settle().await;
    let served = |link: &Link| link.peer.heard_text().len();
    let before = (served(&last), served(&floods[50]));
    for _ in 0..4 {
        last.settle().await;
    }
    let (own, another) = (served(&last) - before.0, served(&floods[50]) - before.1);
    assert!(own <= 2 * another, "{own} bytes against {another}");
}

/// Once it has filled the scratch buffer; and if it did so in its last run as well, from the beginning.
#[tokio::test(flavor = "local", start_paused = true)]
async fn who_sends_much_is_queued() {
    const FULL: usize = 16 * 1024;
    let event_loop = EventLoop::start(Arc::default());
    let raw = || Link::open(&event_loop, Protocol::Raw, UNLIMITED, 0);
    let senders: Vec<Link> = (0..100).map(|_| raw()).collect();
    let other = raw();
    other.settle().await;
    let served = || senders.iter().map(|sender| sender.peer.heard_text().len()).sum::<usize>();

    senders.iter().for_each(|sender| sender.peer.sends([b'x'; 4 * FULL]));
    greet(&other, 1).await;
    assert!(served() <= (100 + 2 * 4) * FULL, "{}", served());
    other.settle().await;
    assert_eq!(served(), 400 * FULL);

    senders.iter().for_each(|sender| sender.peer.sends([b'x'; FULL]));
    greet(&other, 2).await;
    assert!(served() <= (400 + 2) * FULL, "{}", served());
    other.settle().await;
    assert_eq!(served(), 500 * FULL);
}

async fn greet(link: &Link, times: usize) {
    link.peer.sends("hello\n");
    while link.peer.heard_text() != "hello\n".repeat(times) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn who_has_ended_leaves_no_timer() {
    let mut link = Link::line(DEFAULTS);
    link.reach(20_500).await;
    assert!(!link.event_loop.timers.is_empty());
    link.peer.sends_fin();
    link.ended().await.expect(20_500, CloseReason::PeerClosed);
    assert!(link.event_loop.timers.is_empty());
}
