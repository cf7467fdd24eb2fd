//! New settings hold for open connections too, from the moment of the reload.

use std::time::Duration;

use pulse_echo::core::{CloseReason, Deadlines, Heartbeat, Protocol, Timing};
use pulse_echo::net::StallTracker;

use crate::scripted::{DEFAULTS, Link, UNLIMITED};

const ONLY_READ: Timing = Timing { heartbeat: None, ..DEFAULTS };

fn with_read(seconds: u64) -> Timing {
    let deadlines = Deadlines { read: Some(Duration::from_secs(seconds)), ..DEFAULTS.deadlines };
    Timing { deadlines, ..ONLY_READ }
}

fn with_interval(seconds: u64) -> Timing {
    let heartbeat = DEFAULTS.heartbeat;
    let interval = Duration::from_secs(seconds);
    Timing { heartbeat: heartbeat.map(|heartbeat| Heartbeat { interval, ..heartbeat }), ..DEFAULTS }
}

/// No sleep of ours was noted.
#[track_caller]
fn expect_no_stall(link: &Link) {
    let (found, none) = (format!("{:?}", link.event_loop.stalls), format!("{:?}", StallTracker::default()));
    assert_eq!(found, none);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_shorter_deadline_counts_from_the_last_byte_too() {
    let mut link = Link::line(ONLY_READ);
    link.peer.sends("x\n");
    link.reach(10_000).await;
    link.reload(with_read(20));
    link.ended().await.expect(20_000, CloseReason::ReadTimeout);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_longer_deadline_counts_from_the_last_byte_too() {
    let mut link = Link::line(ONLY_READ);
    link.reach(59_999).await;
    link.reload(with_read(90));
    link.ended().await.expect(90_000, CloseReason::ReadTimeout);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_peer_has_the_whole_of_a_deadline_that_it_could_not_know_and_nobody_slept() {
    for reload_at in [5_001, 30_000] {
        let mut link = Link::line(ONLY_READ);
        link.reach(reload_at).await;
        link.reload(with_read(5));
        link.ended().await.expect(reload_at + 5_000, CloseReason::ReadTimeout);
        expect_no_stall(&link);
    }
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_probe_that_is_overdue_by_the_new_settings_goes_out_at_once_and_nobody_slept() {
    let mut link = Link::line(DEFAULTS);
    link.reach(10_000).await;
    link.reload(with_interval(2));
    link.ended().await.expect(25_000, CloseReason::HeartbeatTimeout);
    link.peer.heard(&[(10_000, "PING 1\n"), (15_000, "PING 2\n"), (20_000, "PING 3\n")]);
    expect_no_stall(&link);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn deadlines_that_were_off_begin() {
    let mut link = Link::line(UNLIMITED);
    link.reach(1_000_000).await;
    link.reload(ONLY_READ);
    link.ended().await.expect(1_060_000, CloseReason::ReadTimeout);
    expect_no_stall(&link);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_write_deadline_that_was_off_begins() {
    let mut link = Link::line(UNLIMITED);
    link.peer.stops_reading();
    link.peer.sends("hello\n");
    link.reach(1_000_000).await;
    link.reload(ONLY_READ);
    link.ended().await.expect(1_010_000, CloseReason::WriteTimeout);
    expect_no_stall(&link);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn what_is_switched_off_ends() {
    let link = Link::line(DEFAULTS);
    link.reach(16_000).await;
    link.reload(UNLIMITED);
    link.reach(1_000_000).await;
    assert!(!link.has_ended());
    link.peer.heard(&[(15_000, "PING 1\n")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_connection_over_the_new_age_ends_in_good_order() {
    let mut link = Link::line(ONLY_READ);
    link.reach(30_000).await;
    let deadlines = Deadlines { lifetime: Some(Duration::from_secs(10)), ..DEFAULTS.deadlines };
    link.reload(Timing { deadlines, ..ONLY_READ });
    link.ended().await.expect(35_000, CloseReason::LifetimeOver);
    link.peer.heard(&[(30_000, "<FIN>")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn the_kernel_is_told_of_a_new_heartbeat_once() {
    let link = Link::raw(DEFAULTS);
    link.reach(1).await;
    link.reload(DEFAULTS);
    link.reach(2).await;
    assert_eq!(link.peer.new_keepalives(), [], "nothing is new");
    link.reload(with_interval(7));
    link.reach(3).await;
    link.peer.sends("x\n");
    link.reach(4).await;
    assert_eq!(link.peer.new_keepalives(), [with_interval(7).heartbeat]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_connection_accepted_before_the_reload_but_opened_after_it_does_not_take_it_back() {
    let mut link = Link::raw(UNLIMITED);
    link.reach(1_000).await;
    let deadlines = Deadlines { read: Some(Duration::from_secs(10)), ..UNLIMITED.deadlines };
    link.reload(Timing { deadlines, ..UNLIMITED });
    let mut late = Link::open(&link.event_loop, Protocol::Raw, UNLIMITED, 0);
    assert_eq!(late.ended().await.close.reason, CloseReason::ReadTimeout);
    assert_eq!(link.ended().await.close.reason, CloseReason::ReadTimeout);
}
