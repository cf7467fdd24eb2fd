//! The server was stopped, starved or suspended itself: what it slept through is not held against the peer.

use std::time::Duration;

use pulse_echo::core::{CloseReason, Deadlines, Timing};

use crate::scripted::{DEFAULTS, Link};

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_late_probe_goes_out_at_once_and_gets_its_full_time() {
    let mut link = Link::line(DEFAULTS);
    link.reach(1_000).await;
    link.sleep_until(3_600_000).await;
    let outcome = link.ended().await;
    outcome.expect(3_615_000, CloseReason::HeartbeatTimeout);
    link.peer.heard(&[(3_600_000, "PING 1\n"), (3_605_000, "PING 2\n"), (3_610_000, "PING 3\n")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn an_answer_that_was_slept_through_is_not_missed() {
    let mut link = Link::line(DEFAULTS);
    link.reach(16_000).await;
    link.sleep_until(100_000).await;
    link.reach(105_001).await;
    link.peer.heard(&[(15_000, "PING 1\n"), (105_000, "PING 2\n")]);
    let outcome = link.ended().await;
    outcome.expect(115_000, CloseReason::HeartbeatTimeout);
    assert_eq!((outcome.probes().sent, outcome.probes().missed), (3, 3));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn the_last_miss_is_not_counted_if_we_slept_through_it() {
    let mut link = Link::line(DEFAULTS);
    link.reach(29_000).await;
    link.sleep_until(59_000).await;
    link.reach(60_000).await;
    link.peer.sends("PONG 3\n");
    link.reach(61_000).await;
    link.peer.sends_fin();
    let outcome = link.ended().await;
    outcome.expect(61_000, CloseReason::PeerClosed);
    assert_eq!((outcome.probes().answered, outcome.probes().missed), (1, 0));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_read_deadline_that_was_slept_through_starts_again() {
    let mut link = Link::line(DEFAULTS);
    link.peer.sends("half a line");
    link.reach(59_000).await;
    link.sleep_until(200_000).await;
    link.ended().await.expect(260_000, CloseReason::ReadTimeout);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_read_deadline_leaves_a_late_probe_the_same_time_for_its_answer() {
    let deadlines = Deadlines { read: Some(Duration::from_secs(31)), ..DEFAULTS.deadlines };
    let mut link = Link::line(Timing { deadlines, ..DEFAULTS });
    link.reach(1_000).await;
    link.sleep_until(30_900).await;
    link.ended().await.expect(45_900, CloseReason::HeartbeatTimeout);
    link.peer.heard(&[(30_900, "PING 1\n"), (35_900, "PING 2\n"), (40_900, "PING 3\n")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_write_deadline_that_was_slept_through_starts_again() {
    let mut link = Link::line(DEFAULTS);
    link.peer.stops_reading();
    link.peer.sends("hello\n");
    link.reach(9_000).await;
    link.sleep_until(100_000).await;
    link.ended().await.expect(110_000, CloseReason::WriteTimeout);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn what_arrived_while_we_slept_is_read_before_anything_is_judged() {
    let mut link = Link::line(DEFAULTS);
    link.reach(29_000).await;
    link.peer.sends_unnoticed("PONG 3\n");
    link.sleep_until(59_000).await;
    let outcome = link.ended().await;
    outcome.expect(89_000, CloseReason::HeartbeatTimeout);
    assert_eq!((outcome.probes().sent, outcome.probes().answered), (6, 1));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn to_be_a_little_late_is_no_sleep() {
    for (woken_at, ended_at) in [(60_200, 60_200), (60_201, 120_201)] {
        let mut link = Link::line(DEFAULTS);
        link.peer.sends("half a line");
        link.reach(59_900).await;
        link.sleep_until(woken_at).await;
        link.ended().await.expect(ended_at, CloseReason::ReadTimeout);
    }
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn an_age_is_not_forgiven() {
    let deadlines = Deadlines { lifetime: Some(Duration::from_secs(40)), ..DEFAULTS.deadlines };
    let mut link = Link::line(Timing { deadlines, heartbeat: None });
    link.reach(39_000).await;
    link.sleep_until(50_000).await;
    link.ended().await.expect(55_000, CloseReason::LifetimeOver);
    link.peer.heard(&[(50_000, "<FIN>")]);
}

/// Where the machine stays busy every run comes late: what waited for another one would wait for ever.
#[tokio::test(flavor = "local", start_paused = true)]
async fn a_late_probe_does_not_wait_for_another_run() {
    let link = Link::line(DEFAULTS);
    link.reach(1_000).await;
    for run in 1..=5 {
        link.sleep_until(20_000 + 300 * run).await;
    }
    link.peer.heard(&[(20_600, "PING 1\n")]); // in the first run that its timer began
}
