//! Whose silence it was: the verdicts that loopback can bring about. `path_lost` takes a network to lose, and is in
//! `network.rs`.

mod support;

use support::client::Client;
use support::daemon::Daemon;
use support::for_both_protocols;
use support::record::number;

#[test]
fn peer_hung_its_host_has_our_probe_its_application_does_not_answer() {
    let daemon = Daemon::start("heartbeat = { interval = '200ms', timeout = '200ms', max_missed = 2 }");
    let mut client = Client::connect(daemon.address("line"));
    client.echo("then nothing more\n");
    client.wait_until_over();
    let close = daemon.wait_for_close(client.address);
    assert_eq!(close["reason"], "heartbeat_timeout", "{close}");
    assert_eq!(close["verdict"], "peer_hung", "{close}");
    assert_eq!((number(&close, "tcp_unacked"), number(&close, "tcp_retransmits")), (0, 0), "{close}");
}

/// It is not even asked whether it reads: its host has it, and that is how far it came.
#[test]
fn peer_hung_even_if_it_does_not_read_the_probes() {
    let daemon = Daemon::start("heartbeat = { interval = '200ms', timeout = '200ms', max_missed = 2 }");
    let client = Client::connect(daemon.address("line"));
    let close = daemon.wait_for_close(client.address);
    assert_eq!(close["verdict"], "peer_hung", "{close}");
}

/// Two seconds, because Linux answers no two window probes within half a second, and they come after 0.2, 0.6, 1.4 and
/// 3 seconds: in the middle of that the last one was answered.
#[test]
fn peer_not_reading_its_window_is_closed() {
    let daemon = Daemon::start("deadlines.write = '2s'");
    for_both_protocols(|protocol| {
        let mut client = Client::with_small_buffer(daemon.address(protocol));
        client.send_until_blocked(&daemon);
        let close = daemon.wait_for_close(client.address);
        assert_eq!(close["reason"], "write_timeout", "{close}");
        assert_eq!(close["verdict"], "peer_not_reading", "{close}");
        assert_eq!(close["tcp_snd_wnd"], 0, "{close}");
        assert!(number(&close, "tcp_notsent_bytes") > 0, "{close}");
    });
}

#[test]
fn peer_idle_its_host_answers_and_its_application_was_not_asked() {
    let settings =
        "heartbeat = { interval = '1s', timeout = '500ms', max_missed = 1 }\ndeadlines.read = '1500ms'";
    let daemon = Daemon::start(settings);
    for_both_protocols(|protocol| {
        let mut client = Client::connect(daemon.address(protocol));
        client.echo("half a line");
        client.expect_end();
        let close = daemon.wait_for_close(client.address);
        assert_eq!(close["reason"], "read_timeout", "{close}");
        assert_eq!(close["verdict"], "peer_idle", "{close}");
        assert!(number(&close, "tcp_last_ack_ms") <= 2500, "{close}");
    });
}

#[test]
fn unknown_where_nobody_was_asked() {
    let daemon = Daemon::start("heartbeat.interval = 'off'\ndeadlines.read = '300ms'");
    for_both_protocols(|protocol| {
        let mut client = Client::connect(daemon.address(protocol));
        client.expect_end();
        let close = daemon.wait_for_close(client.address);
        assert_eq!(close["verdict"], "unknown", "{close}");
    });
}
