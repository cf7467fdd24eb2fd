//! The rules of judging, each by an example.

use super::*;
use crate::core::Verdict;

const IDLE: Evidence = Evidence {
    acknowledged_bytes: Some(1_000),
    unacked: Some(0),
    retransmits: Some(0),
    total_retransmits: Some(0),
    data_segments: Some(20),
    unsent_bytes: Some(0),
    send_window: Some(65_536),
    segment: Some(1_448),
    kernel_probes: Some(0),
    retransmission_timeout: Some(Duration::from_millis(200)),
    patience: Some(Duration::from_millis(200)),
    last_data_sent: Some(Duration::from_secs(3)),
    last_ack: Some(Duration::from_secs(3)),
    round_trip: Some(Duration::from_millis(1)),
    receive_memory: Some(0),
};

const KEEPALIVE: Questions = Questions {
    application: None,
    answer_time: Duration::from_secs(5),
    host_after: Some(Duration::from_secs(15)),
    max_missed: 3,
    write: Some(Duration::from_secs(10)),
    in_line: false,
};
const NOTHING: Questions = Questions { host_after: None, ..KEEPALIVE };

/// A probe waits for its answer. Its host has had it for so many seconds, and so many segments were sent again since.
fn probed(asked: Option<f64>, retransmits: u32) -> Questions {
    let findings = Findings {
        asked: asked.map(Duration::from_secs_f64),
        retransmits: Some(retransmits),
        patience: Duration::from_millis(200),
    };
    Questions { application: Some(findings), ..KEEPALIVE }
}

#[track_caller]
fn expect(ground: Ground, evidence: Evidence, questions: Questions) {
    assert_eq!(judge(&evidence, questions), ground, "{evidence:?} {questions:?}");
}

#[test]
fn bytes_sent_again_without_an_acknowledgement_are_a_lost_path() {
    let lost = Evidence { unacked: Some(3), retransmits: Some(3), total_retransmits: Some(3), ..IDLE };
    for questions in [NOTHING, KEEPALIVE, probed(None, 3)] {
        expect(Ground::Unacknowledged, lost, questions);
    }
    // A tail loss probe counts among all that was sent again, and not as a timeout.
    let tail = Evidence { unacked: Some(2), total_retransmits: Some(1), ..IDLE };
    expect(Ground::Unacknowledged, tail, probed(None, 1));
}

#[test]
fn bytes_on_their_way_prove_nothing() {
    expect(Ground::TooLittle, Evidence { unacked: Some(1), ..IDLE }, probed(None, 0));
    expect(Ground::TooLittle, Evidence { unacked: Some(1), ..IDLE }, KEEPALIVE);
}

#[test]
fn bytes_that_nothing_keeps_from_leaving_and_that_stay_are_our_own_hosts_affair() {
    for questions in [NOTHING, KEEPALIVE, probed(None, 0)] {
        expect(Ground::NothingLeaves, Evidence { unsent_bytes: Some(7), ..IDLE }, questions);
    }
}

#[test]
fn bytes_that_arrived_and_cannot_be_read_stand_behind_a_hole() {
    let hole = Evidence { receive_memory: Some(768), ..IDLE };
    for questions in [NOTHING, KEEPALIVE, probed(Some(10.0), 0)] {
        expect(Ground::Hole, hole, questions);
    }
}

#[test]
fn an_acknowledged_probe_without_an_answer_is_a_hung_application() {
    expect(Ground::Unanswered, IDLE, probed(Some(10.0), 0));
}

/// Probes 1 and 2 arrived, and the third is being sent again.
#[test]
fn a_host_that_was_heard_long_after_the_question_has_had_time_to_answer() {
    let third = Evidence { unacked: Some(1), retransmits: Some(4), total_retransmits: Some(4), ..IDLE };
    expect(
        Ground::Unanswered,
        Evidence { last_ack: Some(Duration::from_secs(5)), ..third },
        probed(Some(10.0), 4),
    );
    expect(
        Ground::Unacknowledged,
        Evidence { last_ack: Some(Duration::from_secs(9)), ..third },
        probed(Some(10.0), 4),
    );
}

#[test]
fn the_more_a_path_loses_the_longer_its_answers_are_waited_for() {
    // Of 28 segments so many were sent again. With a patience of 0.2 s an answer is sent twice by 0.2 s, three times by 0.6 s.
    for (asked, sent_again, ground) in [
        (0.1, 0, Ground::TooLittle),
        (0.3, 0, Ground::Unanswered),
        (0.3, 3, Ground::TooLittle),
        (0.7, 3, Ground::Unanswered),
        (0.7, 6, Ground::TooLittle),
    ] {
        let evidence = Evidence { total_retransmits: Some(sent_again), ..IDLE };
        let lately = Evidence { last_ack: Some(Duration::ZERO), ..evidence };
        expect(ground, lately, probed(Some(asked), 0));
    }
    expect(Ground::TooLittle, IDLE, probed(Some(10.0), 5));
}

#[test]
fn an_application_is_not_blamed_without_knowing_what_was_lost() {
    expect(Ground::TooLittle, Evidence { total_retransmits: None, ..IDLE }, probed(Some(10.0), 0));
    expect(Ground::TooLittle, Evidence { data_segments: None, ..IDLE }, probed(Some(10.0), 0));
}

#[test]
fn as_many_unanswered_keepalives_as_may_be_missed_are_a_lost_path() {
    let unanswered = |probes, seconds| Evidence {
        kernel_probes: Some(probes),
        last_ack: Some(Duration::from_secs(seconds)),
        ..IDLE
    };
    expect(Ground::Unacknowledged, unanswered(3, 26), KEEPALIVE);
    expect(Ground::TooLittle, unanswered(2, 21), KEEPALIVE);
    expect(Ground::NothingAsked, unanswered(1, 15), KEEPALIVE);
}

#[test]
fn a_host_that_is_asked_and_answers_makes_an_idle_peer() {
    expect(Ground::NothingAsked, IDLE, KEEPALIVE);
    expect(Ground::StoppedInLine, IDLE, Questions { in_line: true, ..KEEPALIVE });
    // Nobody asked the host, so its last word proves nothing about the silence since.
    expect(Ground::TooLittle, IDLE, NOTHING);
}

/// A closed window, `last_ack` after its host was heard; `probes` went unanswered since.
fn closed(probes: u32, patience: f64, last_ack: f64) -> Evidence {
    Evidence {
        send_window: Some(0),
        unsent_bytes: Some(5_000),
        kernel_probes: Some(probes),
        patience: Some(Duration::from_secs_f64(patience)),
        last_ack: Some(Duration::from_secs_f64(last_ack)),
        ..IDLE
    }
}

#[test]
fn a_closed_window_whose_probes_are_answered_is_a_peer_that_does_not_read() {
    for questions in [NOTHING, KEEPALIVE, probed(None, 0)] {
        expect(Ground::WindowClosed, closed(0, 0.2, 0.1), questions);
        expect(Ground::WindowClosed, closed(0, 6.4, 6.3), questions);
    }
}

#[test]
fn a_window_probe_that_came_too_soon_to_be_answered_proves_nothing() {
    // Sent 0.4 seconds after the last answer, and the next one is not due yet.
    expect(Ground::WindowClosed, closed(1, 0.8, 1.1), KEEPALIVE);
}

#[test]
fn one_lost_window_probe_is_bad_luck_and_two_are_a_lost_path() {
    // Sent after 3.2 seconds.
    expect(Ground::WindowClosed, closed(1, 6.4, 4.5), KEEPALIVE);
    expect(Ground::TooLittle, closed(1, 6.4, 5.5), KEEPALIVE);
    // Sent after 0.2, 0.6 and 1.4 seconds; the second is the first that counts.
    expect(Ground::WindowClosed, closed(3, 1.6, 2.3), KEEPALIVE);
    expect(Ground::Unacknowledged, closed(3, 1.6, 2.5), KEEPALIVE);
}

#[test]
fn a_window_too_small_for_the_next_segment_is_closed() {
    for (window, unsent) in [(1_447, 90_000), (99, 100), (1, 2)] {
        let small = Evidence { send_window: Some(window), unsent_bytes: Some(unsent), ..closed(0, 0.2, 0.0) };
        expect(Ground::WindowClosed, small, KEEPALIVE);
    }
    for (window, unsent) in [(1_448, 90_000), (100, 100)] {
        let open = Evidence { send_window: Some(window), unsent_bytes: Some(unsent), ..closed(0, 0.2, 0.0) };
        expect(Ground::NothingLeaves, open, KEEPALIVE);
    }
}

/// Neither the retransmissions nor the probes count up then, but the kernel's patience grows.
#[test]
fn behind_a_window_taken_back_the_last_acknowledgement_tells() {
    let taken_back = |patience, last_ack| Evidence { unacked: Some(1), ..closed(0, patience, last_ack) };
    expect(Ground::WindowClosed, taken_back(3.2, 0.9), KEEPALIVE);
    expect(Ground::TooLittle, taken_back(6.4, 5.1), KEEPALIVE);
    expect(Ground::Unacknowledged, taken_back(3.2, 4.3), KEEPALIVE);
}

#[test]
fn a_closed_window_for_which_nothing_waits_proves_little() {
    let full = |probes| Evidence { unsent_bytes: Some(0), ..closed(probes, 0.2, 5.0) };
    expect(Ground::TooLittle, full(0), KEEPALIVE);
    expect(Ground::Unacknowledged, full(3), KEEPALIVE);
}

#[test]
fn a_kernel_that_says_nothing_leaves_us_without_a_verdict() {
    for evidence in
        [Evidence::default(), Evidence { unacked: None, ..IDLE }, Evidence { kernel_probes: None, ..IDLE }]
    {
        assert_eq!(judge(&evidence, KEEPALIVE).verdict(), Verdict::Unknown);
    }
}
