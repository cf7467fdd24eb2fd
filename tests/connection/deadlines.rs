//! The read deadline, the last look before a verdict, and connections without limits.

use std::time::Duration;

use pulse_echo::core::{CloseReason, Deadlines, Failure, Operation, Timing};
use pulse_echo::net::Phase;

use crate::scripted::{DEFAULTS, Link, UNLIMITED};

const ONLY_READ: Timing = Timing { heartbeat: None, ..DEFAULTS };

#[tokio::test(flavor = "local", start_paused = true)]
async fn the_read_deadline_counts_from_the_last_byte() {
    let mut link = Link::line(ONLY_READ);
    for at in [59_999, 119_998, 120_000] {
        link.reach(at).await;
        link.peer.sends("x\n");
    }
    let report = link.ended().await.expect(180_000, CloseReason::ReadTimeout);
    assert_eq!((report.received_bytes, report.sent_bytes, report.unechoed_bytes), (6, 6, 0));
    assert_eq!((report.lifetime, report.idle), (Duration::from_secs(180), Duration::from_secs(60)));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn an_answer_to_a_probe_is_received_too() {
    let mut link = Link::raw(ONLY_READ);
    link.reach(30_000).await;
    link.peer.sends("PONG 1\n");
    link.ended().await.expect(90_000, CloseReason::ReadTimeout);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn bytes_that_show_only_at_the_last_look_save_from_the_read_deadline() {
    let mut link = Link::line(ONLY_READ);
    link.reach(59_000).await;
    link.peer.sends_unnoticed("just in time\n");
    let report = link.ended().await.expect(120_000, CloseReason::ReadTimeout);
    link.peer.heard(&[(60_000, "just in time\n")]);
    assert_eq!(report.idle, Duration::from_secs(60));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn bytes_that_show_only_at_the_last_look_save_from_the_heartbeat() {
    let mut link = Link::line(DEFAULTS);
    link.reach(29_000).await;
    link.peer.sends_unnoticed("PONG 3\n");
    let outcome = link.ended().await;
    outcome.expect(60_000, CloseReason::HeartbeatTimeout);
    assert_eq!((outcome.probes().sent, outcome.probes().answered), (6, 1));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn bytes_that_show_only_at_the_last_look_make_a_probe_needless() {
    let link = Link::line(DEFAULTS);
    link.reach(14_000).await;
    link.peer.sends_unnoticed("x\n");
    link.reach(30_001).await;
    link.peer.heard(&[(15_000, "x\n"), (30_000, "PING 1\n")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn half_a_line_that_shows_only_at_the_last_look_is_not_cut_by_the_probe() {
    let link = Link::line(DEFAULTS);
    link.reach(14_000).await;
    link.peer.sends_unnoticed("half");
    link.reach(70_000).await;
    link.peer.heard(&[(15_000, "half")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn an_end_that_shows_only_at_the_last_look_came_before_the_deadline() {
    for (timing, at) in [(DEFAULTS, 15_000), (ONLY_READ, 60_000)] {
        let mut link = Link::line(timing);
        link.reach(14_000).await;
        link.peer.sends_unnoticed("PON");
        link.peer.sends_fin_unnoticed();
        let at_first_look = link.ended().await;
        let report = at_first_look.expect(at, CloseReason::PeerClosed);
        assert_eq!((report.received_bytes, report.sent_bytes, report.unechoed_bytes), (3, 3, 0));
        link.peer.heard(&[(at, "PON")]);
    }
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_reset_that_shows_only_at_the_last_look_is_no_timeout() {
    let mut link = Link::line(ONLY_READ);
    link.reach(59_000).await;
    link.peer.fails_unnoticed(libc::ECONNRESET);
    let failure = Failure { errno: libc::ECONNRESET, operation: Some(Operation::Read) };
    link.ended().await.expect_failure(60_000, CloseReason::PeerReset, failure);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn reading_goes_on_after_the_last_look() {
    let link = Link::line(ONLY_READ);
    link.reach(59_000).await;
    link.peer.sends_unnoticed("one\n");
    link.reach(60_500).await;
    link.peer.sends("two\n");
    link.reach(60_501).await;
    link.peer.heard(&[(60_000, "one\n"), (60_500, "two\n")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn where_both_are_due_at_once_the_read_deadline_comes_before_the_heartbeat() {
    let deadlines = Deadlines { read: Some(Duration::from_secs(30)), ..DEFAULTS.deadlines };
    let mut link = Link::line(Timing { deadlines, ..DEFAULTS });
    link.ended().await.expect(30_000, CloseReason::ReadTimeout);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn without_limits_a_connection_outlives_any_silence() {
    let four_hundred_days = 400 * 24 * 60 * 60 * 1_000;
    let mut link = Link::line(UNLIMITED);
    link.reach(four_hundred_days).await;
    link.peer.sends("still there?\n");
    link.reach(four_hundred_days + 1).await;
    link.peer.heard(&[(four_hundred_days, "still there?\n")]);
    link.event_loop.enter(Phase::Ending);
    link.ended().await.expect(four_hundred_days + 1, CloseReason::ServerShutdown);
}
