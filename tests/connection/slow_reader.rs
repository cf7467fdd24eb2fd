//! A peer that does not take its bytes: bounded memory, the write deadline, and what rests meanwhile.

use std::time::Duration;

use pulse_echo::core::{CloseReason, Deadlines, Timing};
use pulse_echo::net::READ_BYTES;

use crate::scripted::{DEFAULTS, Link};

const PATIENT: Timing = Timing { deadlines: Deadlines { write: None, ..DEFAULTS.deadlines }, ..DEFAULTS };

/// A line connection whose peer took nothing of a line of six bytes at 1,000 ms.
async fn blocked(timing: Timing) -> Link {
    let link = Link::line(timing);
    link.peer.stops_reading();
    link.reach(1_000).await;
    link.peer.sends("hello\n");
    link
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_peer_that_takes_nothing_is_closed_at_the_write_deadline() {
    let mut link = blocked(DEFAULTS).await;
    let outcome = link.ended().await;
    let report = outcome.expect(11_000, CloseReason::WriteTimeout);
    assert_eq!((report.received_bytes, report.sent_bytes, report.unechoed_bytes), (6, 0, 6));
    assert_eq!(report.idle, Duration::from_secs(10));
    assert!(link.peer.was_aborted(), "what it does not take must not linger in the kernel");
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn one_byte_taken_starts_the_write_deadline_again() {
    let mut link = blocked(DEFAULTS).await;
    link.reach(10_999).await;
    link.peer.takes(1);
    link.reach(20_998).await;
    link.peer.takes(2);
    let report = link.ended().await.expect(30_998, CloseReason::WriteTimeout);
    link.peer.heard(&[(10_999, "h"), (20_998, "el")]);
    assert_eq!((report.sent_bytes, report.unechoed_bytes), (3, 3));
}

/// The send buffer is full, so no write succeeds, and yet the peer's TCP takes bytes out of it. That is looked at
/// four times per deadline, so the end comes up to a quarter later than after the last acknowledgement.
#[tokio::test(flavor = "local", start_paused = true)]
async fn an_acknowledgement_starts_the_write_deadline_again_even_if_no_write_succeeds() {
    let mut link = blocked(DEFAULTS).await;
    link.peer.has_acknowledged(0);
    link.reach(9_400).await;
    link.peer.has_acknowledged(1);
    link.reach(18_000).await;
    link.peer.has_acknowledged(2);
    let outcome = link.ended().await;
    assert_eq!(outcome.close.reason, CloseReason::WriteTimeout);
    assert!((28_000..=30_500).contains(&outcome.at), "at {} ms", outcome.at);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn old_acknowledgements_are_no_progress() {
    let link = Link::line(DEFAULTS);
    link.peer.has_acknowledged(1_000);
    link.peer.stops_reading();
    link.peer.sends("hello\n");
    let mut link = link;
    link.ended().await.expect(10_000, CloseReason::WriteTimeout);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_trickling_reader_is_never_given_up() {
    let mut link = blocked(DEFAULTS).await;
    link.peer.sends("x".repeat(100));
    for tick in 1..=100 {
        link.reach(1_000 + tick * 9_999).await;
        link.peer.takes(1);
    }
    assert!(!link.has_ended());
    link.ended().await.expect(1_000 + 100 * 9_999 + 10_000, CloseReason::WriteTimeout);
    assert_eq!(link.peer.heard_text().len(), 100);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn read_deadline_and_heartbeat_rest_while_nothing_is_read() {
    let link = blocked(PATIENT).await;
    link.reach(600_000).await;
    link.peer.heard(&[]);
    assert!(!link.has_ended());
    link.peer.takes_everything();
    link.reach(615_001).await;
    link.peer.heard(&[(600_000, "hello\n"), (615_000, "PING 1\n")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn silence_is_counted_from_when_the_rest_was_taken() {
    let mut link = blocked(Timing { heartbeat: None, ..PATIENT }).await;
    link.reach(600_000).await;
    link.peer.takes_everything();
    let report = link.ended().await.expect(660_000, CloseReason::ReadTimeout);
    assert_eq!(report.idle, Duration::from_secs(659), "since the last received byte, all the same");
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_peer_that_sends_without_reading_is_read_one_buffer_ahead() {
    let lines: String = (0..20_000).map(|number| format!("line {number}\n")).collect();
    let link = Link::line(PATIENT);
    link.peer.stops_reading();
    link.peer.sends(&lines);
    link.reach(1_000).await;
    assert!(link.peer.unread_bytes() >= lines.len() - READ_BYTES);
    link.peer.takes(100);
    link.reach(2_000).await;
    assert!(link.peer.unread_bytes() >= lines.len() - READ_BYTES, "the rest must be taken first");
    link.peer.takes_everything();
    link.reach(3_000).await;
    assert_eq!(link.peer.unread_bytes(), 0);
    assert!(link.peer.heard_text() == lines, "everything, in order");
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_probe_that_is_taken_in_part_goes_on_where_it_stopped_and_waits_from_then() {
    let link = Link::line(DEFAULTS);
    link.peer.stops_reading();
    link.peer.takes(3);
    link.reach(17_000).await;
    link.peer.takes(1);
    link.reach(19_000).await;
    link.peer.takes_everything();
    link.reach(24_001).await;
    link.peer.heard(&[(15_000, "PIN"), (17_000, "G"), (19_000, " 1\n"), (24_000, "PING 2\n")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn nothing_is_echoed_into_a_probe() {
    let link = Link::line(DEFAULTS);
    link.peer.stops_reading();
    link.peer.takes(3);
    link.reach(16_000).await;
    link.peer.sends("x\n");
    link.reach(17_000).await;
    link.peer.takes_everything();
    link.reach(32_001).await;
    link.peer.heard(&[(15_000, "PIN"), (17_000, "G 1\nx\n"), (32_000, "PING 2\n")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn an_answer_that_is_taken_in_part_goes_on_where_it_stopped() {
    let link = Link::line(DEFAULTS);
    link.peer.stops_reading();
    link.peer.takes(2);
    link.peer.sends("PING abc\nrest\n");
    link.reach(5_000).await;
    link.peer.takes(4);
    link.reach(9_000).await;
    link.peer.takes_everything();
    link.reach(9_001).await;
    link.peer.heard(&[(0, "PO"), (5_000, "NG a"), (9_000, "bc\nrest\n")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_probe_that_is_not_taken_is_a_write_timeout_and_no_missed_heartbeat() {
    let mut link = Link::line(DEFAULTS);
    link.peer.stops_reading();
    let outcome = link.ended().await;
    let report = outcome.expect(25_000, CloseReason::WriteTimeout);
    assert_eq!((report.sent_bytes, report.unechoed_bytes), (0, 0), "a probe is no echo");
    assert_eq!((outcome.probes().sent, outcome.probes().missed), (1, 0));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_half_closed_slow_reader_gets_everything_before_the_close() {
    let mut link = blocked(DEFAULTS).await;
    link.peer.sends("more\nPONG 1");
    link.peer.sends_fin();
    for second in [10, 19, 28] {
        link.reach(second * 1_000).await;
        link.peer.takes(5);
    }
    link.reach(37_000).await;
    assert!(!link.has_ended());
    link.peer.takes_everything();
    let report = link.ended().await.expect(37_000, CloseReason::PeerClosed);
    assert_eq!(link.peer.heard_text(), "hello\nmore\nPONG 1");
    assert_eq!((report.received_bytes, report.sent_bytes, report.unechoed_bytes), (17, 17, 0));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_half_closed_peer_that_takes_nothing_is_held_to_the_write_deadline() {
    let mut link = blocked(DEFAULTS).await;
    link.peer.sends_fin();
    link.ended().await.expect(11_000, CloseReason::WriteTimeout);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn room_that_shows_only_at_the_last_look_saves_from_the_write_deadline() {
    let mut link = blocked(DEFAULTS).await;
    link.reach(10_900).await;
    link.peer.takes_unnoticed(1);
    link.ended().await.expect(21_000, CloseReason::WriteTimeout);
    link.peer.heard(&[(11_000, "h")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn reading_goes_on_at_once_when_only_the_last_look_found_room_for_the_rest() {
    let link = blocked(DEFAULTS).await;
    link.peer.sends("more\n");
    link.reach(2_000).await;
    link.peer.takes_unnoticed(1_000);
    link.reach(11_500).await;
    let text = link.peer.heard_text();
    assert_eq!(text, "hello\nmore\n", "what waits in the queue must not wait for another timer");
    link.peer.sends("and more\n");
    link.reach(11_501).await;
    assert!(link.peer.heard_text().ends_with("and more\n"));
}
