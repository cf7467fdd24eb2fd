//! When probes go out, what counts as an answer, when a peer is given up.

use std::sync::Arc;
use std::time::Duration;

use pulse_echo::core::{CloseReason, Deadlines, Heartbeat, Protocol, Timing};
use pulse_echo::net::EventLoop;

use crate::scripted::{DEFAULTS, Link, UNLIMITED};

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_silent_peer_is_probed_three_times_and_then_given_up() {
    let mut link = Link::line(DEFAULTS);
    let outcome = link.ended().await;
    let report = outcome.expect(30_000, CloseReason::HeartbeatTimeout);
    link.peer.heard(&[(15_000, "PING 1\n"), (20_000, "PING 2\n"), (25_000, "PING 3\n")]);
    assert_eq!(report.lifetime, Duration::from_secs(30));
    assert_eq!(report.idle, Duration::from_secs(30), "from its opening, as nothing ever came");
    assert_eq!((report.received_bytes, report.sent_bytes, report.unechoed_bytes), (0, 21, 0));
    let probes = outcome.probes();
    assert_eq!((probes.sent, probes.answered, probes.missed, probes.round_trip), (3, 0, 3, None));
    assert!(!link.peer.was_aborted(), "nothing was left that the peer did not take");
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn one_miss_is_enough_if_the_settings_say_so() {
    let heartbeat =
        Heartbeat { interval: Duration::from_millis(700), timeout: Duration::from_millis(30), max_missed: 1 };
    let mut link = Link::line(Timing { heartbeat: Some(heartbeat), ..DEFAULTS });
    link.ended().await.expect(730, CloseReason::HeartbeatTimeout);
    link.peer.heard(&[(700, "PING 1\n")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn only_the_first_probe_is_early_and_by_a_fifth_at_most() {
    let mut link = Link::open(&EventLoop::start(Arc::default()), Protocol::Line, DEFAULTS, u8::MAX);
    link.reach(12_100).await;
    link.peer.sends("PONG 1\n");
    let outcome = link.ended().await;
    outcome.expect(42_100, CloseReason::HeartbeatTimeout);
    link.peer.heard(&[
        (12_012, "PING 1\n"),
        (27_100, "PING 2\n"),
        (32_100, "PING 3\n"),
        (37_100, "PING 4\n"),
    ]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn what_was_received_before_the_first_probe_does_not_spend_its_jitter() {
    let link = Link::open(&EventLoop::start(Arc::default()), Protocol::Line, DEFAULTS, u8::MAX);
    link.reach(10_000).await;
    link.peer.sends("x\n");
    link.reach(22_100).await;
    link.peer.heard(&[(10_000, "x\n"), (22_012, "PING 1\n")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_peer_that_talks_is_not_probed() {
    let link = Link::line(DEFAULTS);
    for second in (14..=140).step_by(14) {
        link.reach(second * 1_000).await;
        link.peer.sends("x\n");
    }
    link.reach(154_999).await;
    assert_eq!(link.peer.heard_text(), "x\n".repeat(10));
    link.reach(155_001).await;
    assert!(link.peer.heard_text().ends_with("x\nPING 1\n"), "fifteen seconds after the last byte");
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn any_byte_clears_what_was_missed() {
    let mut link = Link::line(DEFAULTS);
    link.reach(29_999).await; // one millisecond before the third miss
    link.peer.sends("\n");
    let outcome = link.ended().await;
    let report = outcome.expect(59_999, CloseReason::HeartbeatTimeout);
    assert_eq!(report.idle, Duration::from_secs(30));
    assert_eq!((report.received_bytes, report.sent_bytes), (1, 1 + 6 * 7));
    let probes = outcome.probes();
    assert_eq!((probes.sent, probes.answered, probes.missed), (6, 0, 3));
    link.peer.heard(&[
        (15_000, "PING 1\n"),
        (20_000, "PING 2\n"),
        (25_000, "PING 3\n"),
        (29_999, "\n"),
        (44_999, "PING 4\n"),
        (49_999, "PING 5\n"),
        (54_999, "PING 6\n"),
    ]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn misses_in_a_row_are_counted_up_to_the_close() {
    let link = Link::line(DEFAULTS);
    link.reach(20_001).await;
    link.peer.sends_fin();
    let mut link = link;
    let outcome = link.ended().await;
    outcome.expect(20_001, CloseReason::PeerClosed);
    assert_eq!(outcome.probes().missed, 1);
}

/// Two probes are out, the second for 40 ms.
#[tokio::test(flavor = "local", start_paused = true)]
async fn an_answer_finds_its_probe() {
    let newest = Some(Duration::from_millis(40));
    let table = [
        ("PONG 2\n", 1, newest),
        ("PONG :2\n", 1, newest),
        ("PONG 2\r\n", 1, newest),
        ("PONG 1\n", 1, None), // late: a sign of life, but it says nothing about the last round trip
        ("PONG\n", 1, newest),
        ("PONG\r\n", 1, newest),
        ("PONG server.example\n", 1, newest),
        ("PONG 99\n", 1, newest), // never sent, so it cannot be meant
        ("PONG 2\nPONG 2\n", 1, newest),
        ("PONG 2\nPONG\n", 1, newest),
        ("PONG 2\nPONG 1\n", 2, newest),
        ("PONG 1\nPONG\n", 2, newest),
    ];
    for (answer, answered, round_trip) in table {
        let mut link = Link::line(DEFAULTS);
        link.reach(20_040).await;
        link.peer.sends(answer);
        link.reach(20_100).await;
        link.peer.sends_fin();
        let outcome = link.ended().await;
        outcome.expect(20_100, CloseReason::PeerClosed);
        let probes = outcome.probes();
        let found = (probes.sent, probes.answered, probes.missed, probes.round_trip);
        assert_eq!(found, (2, answered, 0, round_trip), "{answer:?}");
        link.peer.heard(&[(15_000, "PING 1\n"), (20_000, "PING 2\n")]); // an answer is not echoed
    }
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn an_answer_to_nothing_is_no_echo_and_no_answer_but_a_sign_of_life() {
    let link = Link::line(DEFAULTS);
    link.reach(10_000).await;
    link.peer.sends("PONG 1\nPONG\n");
    link.reach(24_999).await;
    link.peer.heard(&[]);
    link.peer.sends_fin();
    let mut link = link;
    let outcome = link.ended().await;
    let report = outcome.expect(24_999, CloseReason::PeerClosed);
    assert_eq!((report.received_bytes, report.sent_bytes, report.unechoed_bytes), (12, 0, 0));
    assert_eq!((outcome.probes().sent, outcome.probes().answered), (0, 0));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_late_answer_clears_what_was_missed() {
    let mut link = Link::line(DEFAULTS);
    link.reach(28_000).await;
    link.peer.sends("PONG 1\n");
    let outcome = link.ended().await;
    outcome.expect(58_000, CloseReason::HeartbeatTimeout);
    assert_eq!((outcome.probes().sent, outcome.probes().answered), (6, 1));
    assert_eq!(outcome.probes().round_trip, None);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn half_an_answer_is_a_sign_of_life_and_its_rest_completes_it() {
    let link = Link::line(DEFAULTS);
    link.reach(16_000).await;
    link.peer.sends("PO");
    // What is held back was not sent: of what we send this is a line boundary, so probes go on.
    link.reach(31_500).await;
    link.peer.sends("NG 2\n");
    link.reach(31_600).await;
    link.peer.sends_fin();
    let mut link = link;
    let outcome = link.ended().await;
    link.peer.heard(&[(15_000, "PING 1\n"), (31_000, "PING 2\n")]);
    assert_eq!(outcome.probes().answered, 1);
    assert_eq!(outcome.probes().round_trip, Some(Duration::from_millis(500)));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn no_probe_goes_inside_a_line_and_so_the_read_deadline_rules() {
    let mut link = Link::line(DEFAULTS);
    link.reach(1_000).await;
    link.peer.sends("half a line");
    let outcome = link.ended().await;
    let report = outcome.expect(61_000, CloseReason::ReadTimeout);
    assert_eq!(report.idle, Duration::from_secs(60));
    link.peer.heard(&[(1_000, "half a line")]);
    let probes = outcome.probes();
    assert_eq!((probes.sent, probes.missed), (0, 0));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn probes_go_on_once_the_line_is_whole() {
    let link = Link::line(DEFAULTS);
    link.peer.sends("half a");
    link.reach(50_000).await;
    link.peer.sends(" line\n");
    link.reach(65_001).await;
    link.peer.heard(&[(0, "half a"), (50_000, " line\n"), (65_000, "PING 1\n")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_peers_own_probe_is_answered_with_its_text_and_line_end() {
    let link = Link::line(DEFAULTS);
    link.peer.sends("PING\nPING :a b\r\nx\nPING");
    link.reach(1).await;
    link.peer.sends(" c\n");
    link.reach(2).await;
    link.peer.heard(&[(0, "PONG\nPONG :a b\r\nx\n"), (1, "PONG c\n")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_raw_connection_is_not_probed_by_us_and_everything_is_data() {
    let mut link = Link::raw(DEFAULTS);
    link.reach(100).await;
    link.peer.sends("PING 1\nPONG 1\n");
    let outcome = link.ended().await;
    let report = outcome.expect(60_100, CloseReason::ReadTimeout);
    link.peer.heard(&[(100, "PING 1\nPONG 1\n")]);
    assert_eq!(report.probes, None, "the kernel's are not ours to count");
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn without_a_heartbeat_nobody_is_probed() {
    let mut link = Link::line(Timing { heartbeat: None, ..DEFAULTS });
    link.ended().await.expect(60_000, CloseReason::ReadTimeout);
    link.peer.heard(&[]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn the_heartbeat_works_without_a_read_deadline() {
    let timing = Timing { deadlines: Deadlines { read: None, ..UNLIMITED.deadlines }, ..DEFAULTS };
    let mut link = Link::line(timing);
    link.ended().await.expect(30_000, CloseReason::HeartbeatTimeout);
}
