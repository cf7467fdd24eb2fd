//! A listener that requires a PROXY header: what comes before the stream, and what becomes of a connection without it.

use pulse_echo::core::CloseReason;
use pulse_echo::net::Phase;

use crate::outcome::Outcome;
use crate::scripted::{DEFAULTS, Link, UNLIMITED};

const HEADER: &str = "PROXY TCP4 192.0.2.7 198.51.100.1 8080 7\r\n";

#[track_caller]
fn cause(outcome: &Outcome) -> &str {
    outcome.close.cause.as_deref().expect("it says what was wrong")
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn the_stream_begins_behind_the_header_in_whatever_pieces_it_comes() {
    for size in [1, 7, 40, 43, 44, 1_000] {
        let mut link = Link::behind_proxy(UNLIMITED);
        let stream = format!("{HEADER}PING 7\nhello\n");
        for piece in stream.as_bytes().chunks(size) {
            link.peer.sends(piece);
            link.settle().await;
        }
        link.peer.sends_fin();
        let report = link.ended().await.expect(0, CloseReason::PeerClosed);
        assert_eq!(link.peer.heard_text(), "PONG 7\nhello\n", "in pieces of {size}");
        assert_eq!((report.received_bytes, report.sent_bytes, report.unechoed_bytes), (13, 13, 0));
    }
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn silence_is_counted_and_probed_from_the_end_of_the_header() {
    let mut link = Link::behind_proxy(DEFAULTS);
    link.reach(4_000).await;
    link.peer.sends(HEADER);
    link.ended().await.expect(34_000, CloseReason::HeartbeatTimeout);
    link.peer.heard(&[(19_000, "PING 1\n"), (24_000, "PING 2\n"), (29_000, "PING 3\n")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn no_header_within_five_seconds_is_the_end() {
    let mut silent = Link::behind_proxy(UNLIMITED);
    let outcome = silent.ended().await;
    outcome.expect(5_000, CloseReason::ProxyHeader);
    assert_eq!(cause(&outcome), "nothing came within 5 s");

    let mut half = Link::behind_proxy(UNLIMITED);
    half.peer.sends("PROXY TCP4 ");
    half.reach(4_900).await;
    half.peer.sends("192");
    let outcome = half.ended().await;
    let report = outcome.expect(5_000, CloseReason::ProxyHeader);
    assert_eq!(cause(&outcome), "only a piece of it came within 5 s (it begins with \"PROXY TCP4 192\")");
    assert_eq!(report.received_bytes, 0);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_header_that_came_while_we_slept_is_found() {
    let link = Link::behind_proxy(UNLIMITED);
    link.reach(1_000).await;
    link.peer.sends_unnoticed(HEADER);
    link.sleep_until(60_000).await;
    link.reach(61_000).await;
    assert!(!link.has_ended());

    let mut slow = Link::behind_proxy(UNLIMITED);
    slow.reach(1_000).await;
    slow.sleep_until(60_000).await;
    slow.ended().await.expect(65_000, CloseReason::ProxyHeader);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn what_is_no_header_ends_it_at_once_and_is_shown_as_far_as_32_bytes() {
    let mut link = Link::behind_proxy(UNLIMITED);
    link.peer.sends(format!("GET / HTTP/1.1\r\n{}", "x".repeat(2_000)));
    let outcome = link.ended().await;
    let report = outcome.expect(0, CloseReason::ProxyHeader);
    let shown = r#"no PROXY header begins like that (it begins with "GET / HTTP/1.1\r\nxxxxxxxxxxxxxxxx")"#;
    assert_eq!(cause(&outcome), shown);
    assert_eq!((report.received_bytes, report.sent_bytes, report.unechoed_bytes), (0, 0, 0));
    link.peer.heard(&[]);
}

/// What came instead stands in the message, and in the text format the fields follow that.
#[tokio::test(flavor = "local", start_paused = true)]
async fn what_is_shown_is_no_field_of_the_log() {
    let mut link = Link::behind_proxy(UNLIMITED);
    link.peer.sends("x event=starting \"\n");
    let outcome = link.ended().await;
    let shown = r#"no PROXY header begins like that (it begins with "x event\x3dstarting \"\n")"#;
    assert_eq!(cause(&outcome), shown);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn an_end_inside_the_header_is_not_orderly_and_one_before_it_is_a_null_connection() {
    for cut_off in [None, Some(libc::ECONNRESET)] {
        let mut link = Link::behind_proxy(UNLIMITED);
        link.peer.sends("PROX");
        cut_off.map_or_else(|| link.peer.sends_fin(), |errno| link.peer.fails(errno));
        let outcome = link.ended().await;
        assert_eq!(outcome.close.reason, CloseReason::ProxyHeader);
        assert_eq!(outcome.close.failure.map(|failure| failure.errno), cut_off);
        assert!(!outcome.report.is_null(outcome.close.reason));
    }
    let mut link = Link::behind_proxy(UNLIMITED);
    link.peer.sends_fin();
    let outcome = link.ended().await;
    let report = outcome.expect(0, CloseReason::PeerClosed);
    assert!(report.is_null(outcome.close.reason));
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_stop_echoes_what_had_arrived_behind_the_header() {
    let mut link = Link::behind_proxy(UNLIMITED);
    link.peer.sends(&HEADER[..9]);
    link.settle().await;
    link.peer.sends_unnoticed(format!("{}hello\n", &HEADER[9..]));
    link.event_loop.enter(Phase::Draining);
    link.settle().await;
    link.peer.sends_fin();
    let report = link.ended().await.expect(0, CloseReason::ServerShutdown);
    assert_eq!((report.received_bytes, report.unechoed_bytes), (6, 0));
    link.peer.heard(&[(0, "hello\n<FIN>")]);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_stop_does_not_wait_for_the_header() {
    let mut link = Link::behind_proxy(UNLIMITED);
    link.peer.sends("PROXY ");
    link.settle().await;
    link.event_loop.enter(Phase::Draining);
    link.settle().await;
    link.peer.sends("UNKNOWN\r\n");
    link.peer.sends_fin();
    let report = link.ended().await.expect(0, CloseReason::ServerShutdown);
    assert_eq!((report.received_bytes, report.unechoed_bytes), (0, 0));
    link.peer.heard(&[(0, "<FIN>")]);
}
