//! Ends by an error of the operating system, or by a bug of ours.

use std::sync::Arc;

use pulse_echo::core::{CloseReason, Failure, Operation, Protocol};
use pulse_echo::net::{EventLoop, Phase};

use crate::scripted::{DEFAULTS, Link};

const REASONS: [(i32, CloseReason); 9] = [
    (libc::ECONNRESET, CloseReason::PeerReset),
    (libc::EPIPE, CloseReason::BrokenPipe),
    (libc::ETIMEDOUT, CloseReason::NetworkTimeout),
    (libc::EHOSTUNREACH, CloseReason::NetworkUnreachable),
    (libc::ENETUNREACH, CloseReason::NetworkUnreachable),
    (libc::ENETDOWN, CloseReason::NetworkUnreachable),
    (libc::EHOSTDOWN, CloseReason::NetworkUnreachable),
    (libc::EIO, CloseReason::IoError),
    (libc::ENOBUFS, CloseReason::IoError),
];

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_failed_read_is_the_cause_and_not_the_fake_end_of_stream_after_it() {
    for (errno, reason) in REASONS {
        let mut link = Link::line(DEFAULTS);
        link.reach(10).await;
        link.peer.sends("a\n");
        link.reach(20).await;
        link.peer.fails(errno);
        let failure = Failure { errno, operation: Some(Operation::Read) };
        let report = link.ended().await.expect_failure(20, reason, failure);
        assert_eq!((report.received_bytes, report.sent_bytes, report.unechoed_bytes), (2, 2, 0));
    }
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_failed_write_is_the_cause_and_its_bytes_are_unechoed() {
    for (errno, reason) in REASONS {
        let mut link = Link::line(DEFAULTS);
        link.peer.refuses(errno);
        link.reach(10).await;
        link.peer.sends("a\nPON");
        let failure = Failure { errno, operation: Some(Operation::Write) };
        let report = link.ended().await.expect_failure(10, reason, failure);
        assert_eq!((report.received_bytes, report.sent_bytes, report.unechoed_bytes), (5, 0, 5));
    }
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_failure_while_the_peer_takes_nothing_is_seen_by_the_write() {
    let mut link = Link::line(DEFAULTS);
    link.peer.stops_reading();
    link.peer.sends("hello\n");
    link.reach(5_000).await;
    link.peer.refuses(libc::ETIMEDOUT);
    let failure = Failure { errno: libc::ETIMEDOUT, operation: Some(Operation::Write) };
    link.ended().await.expect_failure(5_000, CloseReason::NetworkTimeout, failure);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_probe_can_be_what_meets_the_failure() {
    let mut link = Link::line(DEFAULTS);
    link.reach(1).await;
    link.peer.refuses(libc::EPIPE);
    let outcome = link.ended().await;
    let failure = Failure { errno: libc::EPIPE, operation: Some(Operation::Write) };
    outcome.expect_failure(15_000, CloseReason::BrokenPipe, failure);
    assert_eq!(outcome.probes().sent, 1);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_half_closed_peer_that_resets_is_seen_by_the_write() {
    let mut link = Link::line(DEFAULTS);
    link.peer.stops_reading();
    link.peer.sends("hello\n");
    link.peer.sends_fin();
    link.reach(5_000).await;
    link.peer.takes(1);
    link.reach(6_000).await;
    link.peer.refuses(libc::ECONNRESET);
    let failure = Failure { errno: libc::ECONNRESET, operation: Some(Operation::Write) };
    let report = link.ended().await.expect_failure(6_000, CloseReason::PeerReset, failure);
    assert_eq!((report.received_bytes, report.sent_bytes, report.unechoed_bytes), (6, 1, 5));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_bug_ends_its_own_connection_and_no_other() {
    let event_loop = EventLoop::start(Arc::default());
    let mut broken = Link::open(&event_loop, Protocol::Line, DEFAULTS, 0);
    let mut other = Link::open(&event_loop, Protocol::Line, DEFAULTS, 0);
    broken.reach(10).await;
    broken.peer.sends("a\n");
    broken.reach(20).await;
    broken.peer.makes_the_server_panic();
    let report = broken.ended().await.expect(20, CloseReason::InternalError);
    assert_eq!((report.received_bytes, report.sent_bytes), (2, 2), "its figures survive");

    other.reach(30).await;
    other.peer.sends("b\n");
    other.ended().await.expect(30_030, CloseReason::HeartbeatTimeout);
    assert_eq!(other.peer.heard_text(), "b\nPING 1\nPING 2\nPING 3\n");
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_bug_is_not_hidden_by_a_stop() {
    let mut link = Link::line(DEFAULTS);
    link.reach(10).await;
    link.event_loop.enter(Phase::Draining);
    link.reach(20).await;
    link.peer.makes_the_server_panic();
    link.ended().await.expect(20, CloseReason::InternalError);
}
