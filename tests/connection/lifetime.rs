//! `lifetime_over`: the connection is ended in good order, and not later than five seconds after.

use std::time::Duration;

use pulse_echo::core::{CloseReason, Deadlines, Timing};
use pulse_echo::net::Phase;

use crate::scripted::{DEFAULTS, Link};

/// Forty seconds.
const SHORT_LIVED: Timing = Timing {
    deadlines: Deadlines { lifetime: Some(Duration::from_secs(40)), ..DEFAULTS.deadlines },
    heartbeat: None,
};

#[tokio::test(flavor = "local", start_paused = true)]
async fn the_peer_gets_its_bytes_and_our_fin_and_may_finish() {
    let mut link = Link::line(SHORT_LIVED);
    link.reach(39_999).await;
    link.peer.sends("last line\nPON");
    link.reach(42_000).await;
    link.peer.sends_fin();
    let report = link.ended().await.expect(42_000, CloseReason::LifetimeOver);
    link.peer.heard(&[(39_999, "last line\n"), (40_000, "PON<FIN>")]);
    assert_eq!((report.received_bytes, report.sent_bytes, report.unechoed_bytes), (13, 13, 0));
    assert_eq!(report.lifetime, Duration::from_secs(42));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_peer_that_does_not_finish_is_closed_after_five_seconds() {
    let mut link = Link::line(SHORT_LIVED);
    link.ended().await.expect(45_000, CloseReason::LifetimeOver);
    link.peer.heard(&[(40_000, "<FIN>")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn what_had_arrived_by_then_goes_back_what_comes_after_our_fin_is_counted() {
    let mut link = Link::line(SHORT_LIVED);
    link.reach(39_000).await;
    link.peer.sends_unnoticed("had arrived\n");
    link.reach(41_000).await;
    link.peer.sends("too late\n");
    let report = link.ended().await.expect(45_000, CloseReason::LifetimeOver);
    link.peer.heard(&[(40_000, "had arrived\n<FIN>")]);
    assert_eq!((report.received_bytes, report.sent_bytes, report.unechoed_bytes), (21, 12, 9));
    assert_eq!(report.idle, Duration::from_secs(4), "a byte that does not go back is received all the same");
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn nothing_goes_back_after_our_fin_not_even_at_the_last_moment() {
    let mut link = Link::line(SHORT_LIVED);
    link.reach(44_000).await;
    link.peer.sends_unnoticed("too late\n");
    link.ended().await.expect(45_000, CloseReason::LifetimeOver);
    link.peer.heard(&[(40_000, "<FIN>")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_slow_reader_gets_its_rest_and_then_our_fin_if_it_reads_in_time() {
    let mut link = Link::line(SHORT_LIVED);
    link.reach(39_000).await;
    link.peer.stops_reading();
    link.peer.sends("last line\n");
    link.reach(44_000).await;
    link.peer.takes_everything();
    link.ended().await.expect(45_000, CloseReason::LifetimeOver);
    link.peer.heard(&[(44_000, "last line\n<FIN>")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_peer_that_reads_nothing_does_not_delay_the_end() {
    let mut link = Link::line(SHORT_LIVED);
    link.reach(39_000).await;
    link.peer.stops_reading();
    link.peer.sends("last line\n");
    let report = link.ended().await.expect(45_000, CloseReason::LifetimeOver);
    link.peer.heard(&[]);
    assert_eq!((report.received_bytes, report.sent_bytes, report.unechoed_bytes), (10, 0, 10));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn it_is_the_cause_whatever_goes_wrong_afterwards() {
    let mut link = Link::line(SHORT_LIVED);
    link.reach(41_000).await;
    link.peer.fails(libc::ECONNRESET);
    link.ended().await.expect(41_000, CloseReason::LifetimeOver);

    let mut link = Link::line(SHORT_LIVED);
    link.reach(39_000).await;
    link.peer.refuses(libc::EPIPE); // only our FIN meets it
    link.ended().await.expect(40_000, CloseReason::LifetimeOver);

    let mut link = Link::line(SHORT_LIVED);
    link.reach(41_000).await;
    link.event_loop.enter(Phase::Draining);
    link.ended().await.expect(45_000, CloseReason::LifetimeOver);

    let mut link = Link::line(SHORT_LIVED);
    link.reach(41_000).await;
    link.event_loop.enter(Phase::Ending);
    link.ended().await.expect(41_000, CloseReason::LifetimeOver);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn an_end_of_the_peer_that_came_first_stands() {
    let mut link = Link::line(SHORT_LIVED);
    link.reach(39_999).await;
    link.peer.sends_fin_unnoticed();
    let outcome = link.ended().await;
    assert_eq!(outcome.at, 40_000);
    assert_eq!(outcome.close.reason, CloseReason::PeerClosed, "it had ended when its time was over");
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn no_probe_is_sent_in_the_last_five_seconds() {
    let timing = Timing { heartbeat: DEFAULTS.heartbeat, ..SHORT_LIVED };
    let mut link = Link::line(timing);
    link.reach(26_000).await;
    link.peer.sends("x\n");
    link.ended().await.expect(45_000, CloseReason::LifetimeOver);
    link.peer.heard(&[
        (15_000, "PING 1\n"),
        (20_000, "PING 2\n"),
        (25_000, "PING 3\n"),
        (26_000, "x\n"),
        (40_000, "<FIN>"),
    ]);
}
