//! A session's rules, each by an example.

use super::*;
use crate::core::{Deadlines, Heartbeat};

const TOLD_NOTHING: Evidence = Evidence {
    acknowledged_bytes: None,
    unacked: None,
    retransmits: None,
    total_retransmits: None,
    data_segments: None,
    unsent_bytes: None,
    send_window: None,
    segment: None,
    kernel_probes: None,
    retransmission_timeout: None,
    patience: None,
    last_data_sent: None,
    last_ack: None,
    round_trip: None,
    receive_memory: None,
};

const SECOND: Duration = Duration::from_secs(1);

const TIMING: Timing = Timing {
    deadlines: Deadlines {
        read: Some(Duration::from_secs(60)),
        write: Some(Duration::from_secs(8)),
        lifetime: None,
    },
    heartbeat: Some(Heartbeat {
        interval: Duration::from_secs(15),
        timeout: Duration::from_secs(5),
        max_missed: 3,
    }),
};

fn session() -> (Session, Moment) {
    let start = Moment::START;
    (Session::new(Protocol::Line, start, 0), start)
}

/// Receives a text; returns how many bytes go back.
fn receive(session: &mut Session, now: Moment, text: &str) -> usize {
    let mut buffer = [&[0; HEADROOM], text.as_bytes()].concat();
    session.receive(now, &mut buffer).len()
}

fn bytes(report: Report) -> (u64, u64, u64) {
    (report.received_bytes, report.sent_bytes, report.unechoed_bytes)
}

#[test]
fn what_goes_back_is_unechoed_until_it_was_sent() {
    let (mut session, now) = session();
    assert_eq!(receive(&mut session, now, "hello\n"), 6);
    assert!(!session.is_flushed());
    session.sent(now, 2);
    assert_eq!(bytes(session.report(now, &TOLD_NOTHING)), (6, 2, 4));
    session.sent(now, 4);
    assert!(session.is_flushed());
    assert_eq!(bytes(session.report(now, &TOLD_NOTHING)), (6, 6, 0));
}

#[test]
fn what_is_held_back_is_unechoed_and_goes_back_at_the_end_of_input() {
    let (mut session, now) = session();
    assert_eq!(receive(&mut session, now, "PONG 1"), 0);
    assert!(session.is_flushed());
    assert_eq!(bytes(session.report(now, &TOLD_NOTHING)), (6, 0, 6));
    let mut buffer = [0; HEADROOM];
    let last = session.end_of_input(&mut buffer);
    assert_eq!(&buffer[last], b"PONG 1");
    assert_eq!(bytes(session.report(now, &TOLD_NOTHING)), (6, 0, 6));
    session.sent(now, 6);
    assert_eq!(bytes(session.report(now, &TOLD_NOTHING)), (6, 6, 0));
}

#[test]
fn an_answer_is_received_but_neither_echoed_nor_missing() {
    let (mut session, now) = session();
    assert_eq!(receive(&mut session, now, "PONG 1\n"), 0);
    assert_eq!(bytes(session.report(now, &TOLD_NOTHING)), (7, 0, 0));
}

#[test]
fn what_comes_after_the_end_is_received_and_unechoed() {
    let (mut session, start) = session();
    session.discard(start + SECOND, 5);
    let report = session.report(start + SECOND * 3, &TOLD_NOTHING);
    assert_eq!(bytes(report), (5, 0, 5));
    assert_eq!((report.lifetime, report.idle), (SECOND * 3, SECOND * 2));
}

#[test]
fn a_probe_is_sent_but_never_unechoed() {
    let (mut session, start) = session();
    let now = start + SECOND * 15;
    let Some(Step::Send(probe)) = session.handle_timeout(&TIMING, now, None) else {
        panic!("a probe is due");
    };
    assert_eq!(probe.as_bytes(), b"PING 1\n");
    assert!(!session.is_flushed());
    session.sent(now, 3);
    session.blocked(now, &TOLD_NOTHING);
    assert_eq!(bytes(session.report(now, &TOLD_NOTHING)), (0, 3, 0));
    session.sent(now + SECOND, 4);
    assert!(session.is_flushed());
    let look_at = now + SECOND * 3;
    assert_eq!(session.next_timeout(&TIMING), Some(look_at), "whether it has arrived");
    assert_eq!(session.handle_timeout(&TIMING, look_at, Some(&TOLD_NOTHING)), None);
    assert_eq!(session.next_timeout(&TIMING), Some(now + SECOND * 6), "it waits from when it was taken");
}

#[test]
fn an_answer_is_counted_with_its_round_trip() {
    let (mut session, start) = session();
    let now = start + SECOND * 15;
    session.handle_timeout(&TIMING, now, None);
    session.sent(now, 7);
    receive(&mut session, now + SECOND, "PONG 1\n");
    let probes = session.report(now, &TOLD_NOTHING).probes;
    let round_trip = Some(SECOND);
    assert_eq!(probes, Some(ProbeReport { sent: 1, answered: 1, missed: 0, round_trip }));
}

#[test]
fn a_raw_connection_counts_no_probes_and_sends_none() {
    let start = Moment::START;
    let mut session = Session::new(Protocol::Raw, start, 0);
    assert_eq!(session.report(start, &TOLD_NOTHING).probes, None);
    assert_eq!(session.next_timeout(&TIMING), Some(start + SECOND * 60));
    let step = session.handle_timeout(&TIMING, start + SECOND * 60, None);
    assert_eq!(step, Some(Step::Close(CloseReason::ReadTimeout)));
}

#[test]
fn within_a_line_of_ours_no_probe_is_due() {
    let (mut session, start) = session();
    receive(&mut session, start, "half");
    session.sent(start, 4);
    assert_eq!(session.next_timeout(&TIMING), Some(start + SECOND * 2), "to see whether it has arrived");
    session.handle_timeout(&TIMING, start + SECOND * 2, Some(&TOLD_NOTHING));
    assert_eq!(session.next_timeout(&TIMING), Some(start + SECOND * 60));
    let now = start + SECOND * 3;
    receive(&mut session, now, " a line\n");
    session.sent(now, 8);
    session.handle_timeout(&TIMING, now + SECOND * 2, Some(&TOLD_NOTHING));
    assert_eq!(session.next_timeout(&TIMING), Some(now + SECOND * 15));
}

#[test]
fn over_age_leaves_the_peer_five_seconds() {
    let (mut session, start) = session();
    let deadlines = Deadlines { lifetime: Some(SECOND), ..TIMING.deadlines };
    let timing = Timing { deadlines, ..TIMING };
    assert_eq!(session.handle_timeout(&timing, start + SECOND, None), Some(Step::Finish));
    assert_eq!(session.next_timeout(&timing), Some(start + SECOND * 6));
    assert_eq!(session.handle_timeout(&timing, start + SECOND * 5, None), None);
    let over = Some(Step::Close(CloseReason::LifetimeOver));
    assert_eq!(session.handle_timeout(&timing, start + SECOND * 6, None), over);
}

#[test]
fn an_orderly_end_of_ours_stops_every_other_clock() {
    let (mut session, start) = session();
    session.finish(CloseReason::ServerShutdown, None);
    assert_eq!(session.next_timeout(&TIMING), None);
    assert_eq!(session.handle_timeout(&TIMING, start + SECOND * 1_000, None), None);
}

#[test]
fn the_first_cause_wins() {
    let failure = Some(crate::core::Failure { errno: 104, operation: None });
    let reset = Close { failure, ..CloseReason::PeerReset.into() };
    let (mut session, _) = session();
    assert_eq!(session.conclude(reset.clone()), reset);
    session.finish(CloseReason::LifetimeOver, None);
    session.finish(CloseReason::ServerShutdown, None);
    assert_eq!(
        session.conclude(reset.clone()),
        CloseReason::LifetimeOver.into(),
        "and its error is not ours"
    );
    let bug: Close = CloseReason::InternalError.into();
    assert_eq!(session.conclude(bug.clone()), bug, "a bug is always told");
}

/// Lets everything become due, and answers with what the kernel says: all was acknowledged. Returns how often it was asked.
fn pass_time(session: &mut Session, now: Moment) -> usize {
    let mut asked = 0;
    while session.next_timeout(&TIMING).is_some_and(|at| at <= now) {
        let judging = session.is_judging(&TIMING, now);
        asked += usize::from(judging);
        let evidence = judging.then_some(TOLD_NOTHING);
        if let Some(Step::Send(probe)) = session.handle_timeout(&TIMING, now, evidence.as_ref()) {
            session.sent(now, probe.as_bytes().len());
        }
    }
    asked
}

#[test]
fn of_a_peer_that_only_answers_probes_the_kernel_is_asked_nothing() {
    for answer in ["PONG 1\n", "PONG\n"] {
        let (mut session, mut now) = session();
        assert_eq!(receive(&mut session, now, "hello\n"), 6);
        session.sent(now, 6);
        now = now + SECOND * 15;
        let asked = pass_time(&mut session, now);
        assert!(asked > 0, "what was echoed is looked for");
        for number in 1..10 {
            receive(&mut session, now + SECOND / 10, &answer.replace('1', &number.to_string()));
            now = now + SECOND / 10 + SECOND * 15;
            assert_eq!(pass_time(&mut session, now), 0, "{answer:?}, probe {number}");
        }
    }
}

#[test]
fn an_answer_without_a_number_does_not_speak_for_an_echo() {
    let (mut session, now) = session();
    let now = now + SECOND * 15;
    pass_time(&mut session, now);
    assert_eq!(receive(&mut session, now + SECOND, "hello\n"), 6);
    session.sent(now + SECOND, 6);
    receive(&mut session, now + SECOND, "PONG\n");
    assert!(pass_time(&mut session, now + SECOND * 16) > 0);
}
