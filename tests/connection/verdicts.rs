//! With each silence goes a verdict, from what the kernel says at that moment.

use std::time::Duration;

use pulse_echo::core::{CloseReason, Deadlines, Evidence, Timing, Verdict};

use crate::scripted::{DEFAULTS, Link};

/// Everything is acknowledged, and a moment ago.
const LIVING_HOST: Evidence = Evidence {
    acknowledged_bytes: None,
    unacked: Some(0),
    retransmits: Some(0),
    unsent_bytes: Some(0),
    send_window: Some(65_536),
    segment: Some(1_448),
    kernel_probes: Some(0),
    patience: Some(Duration::from_millis(200)),
    total_retransmits: Some(0),
    data_segments: Some(4),
    retransmission_timeout: Some(Duration::from_millis(200)),
    last_data_sent: Some(Duration::from_secs(5)),
    receive_memory: None,
    last_ack: Some(Duration::from_secs(5)),
    round_trip: Some(Duration::from_millis(1)),
};

/// A kernel does not acknowledge more than it was sent; this is more than any test sends.
const EVERYTHING: u64 = 1_000_000;

const LOST_PATH: Evidence =
    Evidence { unacked: Some(2), retransmits: Some(3), total_retransmits: Some(3), ..LIVING_HOST };

const CLOSED_WINDOW: Evidence = Evidence { send_window: Some(0), unsent_bytes: Some(6), ..LIVING_HOST };

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_heartbeat_that_a_living_host_leaves_unanswered_is_its_applications_silence() {
    let mut link = Link::line(DEFAULTS);
    link.peer.looks_like(LIVING_HOST);
    link.peer.has_acknowledged(EVERYTHING);
    let outcome = link.ended().await;
    outcome.expect(30_000, CloseReason::HeartbeatTimeout);
    assert_eq!(outcome.verdict(), Some(Verdict::PeerHung));
    let silence = outcome.close.silence.unwrap();
    assert_eq!(silence.evidence, Evidence { acknowledged_bytes: Some(EVERYTHING), ..LIVING_HOST });
    assert_eq!(silence.asked, Some(Duration::from_secs(15)), "by the last acknowledgement at the first miss");
}

/// The proxy that speaks for itself is the peer.
#[tokio::test(flavor = "local", start_paused = true)]
async fn a_silence_behind_a_proxy_is_not_said_to_be_the_peers() {
    let table = [
        ("PROXY TCP4 192.0.2.7 198.51.100.1 8080 7\r\n", Verdict::BeyondProxy),
        ("PROXY UNKNOWN\r\n", Verdict::PeerHung),
    ];
    for (header, verdict) in table {
        let mut link = Link::behind_proxy(DEFAULTS);
        link.peer.sends(header);
        link.peer.looks_like(LIVING_HOST);
        link.peer.has_acknowledged(EVERYTHING);
        let outcome = link.ended().await;
        outcome.expect(30_000, CloseReason::HeartbeatTimeout);
        assert_eq!(outcome.verdict(), Some(verdict), "{header}");
    }
}

/// What is asked several times may be answered several times in vain as well.
#[tokio::test(flavor = "local", start_paused = true)]
async fn an_application_is_not_blamed_for_a_path_that_loses_packets() {
    for (lost, verdict) in [(1, Verdict::PeerHung), (5, Verdict::Unknown)] {
        let mut link = Link::line(DEFAULTS);
        link.peer.looks_like(LIVING_HOST);
        link.peer.has_acknowledged(EVERYTHING);
        link.reach(25_500).await;
        link.peer.looks_like(Evidence { total_retransmits: Some(lost), ..LIVING_HOST });
        assert_eq!(link.ended().await.verdict(), Some(verdict), "{lost} lost");
    }
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn the_evidence_is_that_of_the_end() {
    let mut link = Link::line(DEFAULTS);
    link.peer.looks_like(LIVING_HOST);
    link.reach(29_999).await;
    link.peer.looks_like(LOST_PATH);
    let outcome = link.ended().await;
    assert_eq!((outcome.at, outcome.verdict()), (30_000, Some(Verdict::PathLost)));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_living_host_that_was_asked_nothing_is_idle() {
    let mut link = Link::line(DEFAULTS);
    link.peer.looks_like(LIVING_HOST);
    link.peer.sends("half a line");
    let outcome = link.ended().await;
    outcome.expect(60_000, CloseReason::ReadTimeout);
    assert_eq!(outcome.verdict(), Some(Verdict::PeerIdle));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_closed_window_is_a_peer_that_does_not_read() {
    let mut link = Link::line(DEFAULTS);
    link.peer.looks_like(CLOSED_WINDOW);
    link.peer.stops_reading();
    link.peer.sends("hello\n");
    let outcome = link.ended().await;
    outcome.expect(10_000, CloseReason::WriteTimeout);
    assert_eq!(outcome.verdict(), Some(Verdict::PeerNotReading));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn without_evidence_there_is_a_verdict_all_the_same() {
    let mut link = Link::raw(DEFAULTS);
    let outcome = link.ended().await;
    outcome.expect(60_000, CloseReason::ReadTimeout);
    assert_eq!(outcome.verdict(), Some(Verdict::Unknown));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn where_nobody_was_silent_nobody_is_judged() {
    let timing = Timing { heartbeat: None, ..DEFAULTS };
    let mut closed = Link::line(timing);
    closed.peer.looks_like(LOST_PATH);
    closed.peer.sends_fin();
    assert_eq!(closed.ended().await.verdict(), None);

    let deadlines = Deadlines { lifetime: Some(Duration::from_secs(1)), ..timing.deadlines };
    let mut over_age = Link::line(Timing { deadlines, ..timing });
    over_age.peer.looks_like(LOST_PATH);
    let outcome = over_age.ended().await;
    outcome.expect(6_000, CloseReason::LifetimeOver);
    assert_eq!(outcome.verdict(), None);

    let mut reset = Link::line(timing);
    reset.peer.looks_like(LOST_PATH);
    reset.peer.fails(libc::ECONNRESET);
    assert_eq!(reset.ended().await.verdict(), None);
}
