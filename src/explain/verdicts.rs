//! The words for verdicts.

use super::words::Words;
use crate::core::Verdict;

pub(super) fn words(verdict: Verdict) -> Words {
    match verdict {
        Verdict::PathLost => Words {
            on_the_wire: "Our bytes (tcp_unacked, tcp_retransmits), or two or more of the kernel's probes in a row (tcp_probes), were sent and \
                          never acknowledged.",
            causes: &[
                "The network between here and there, or the peer's host, is gone.",
                "A middlebox forgot the connection and drops its packets.",
            ],
            what_to_do: &[
                "Look at the network, not at the client: other connections through the same links, routers, VPN, radio.",
                "tcp_last_ack_ms says when the path last worked.",
            ],
            settings: &["heartbeat.interval"],
        },
        Verdict::PeerHung => Words {
            on_the_wire: "The peer's host acknowledged every probe (tcp_unacked 0); no answer of its application came.",
            causes: &[
                "The client is stopped, deadlocked, swapping, or busy for longer than the heartbeat allows.",
                "The client does not speak the line protocol: it never answers PING.",
                "A proxy in between acknowledges for a client that is gone.",
            ],
            what_to_do: &[
                "Look at the client's process, not at the network: its threads, its load, its log at that time.",
                "probes_answered 0 over a whole life says that it never answered: give it a raw listener, or teach it to.",
            ],
            settings: &["heartbeat.timeout", "heartbeat.max_missed"],
        },
        Verdict::PeerNotReading => Words {
            on_the_wire: "The peer advertised a receive window of 0 (tcp_snd_wnd) and its host kept answering our window probes; \
                          tcp_notsent_bytes waited here.",
            causes: &[
                "The client sends without reading the echo.",
                "The client hangs, with its receive buffer full.",
            ],
            what_to_do: &["Look at the client: it must read what comes back, or send less."],
            settings: &["deadlines.write"],
        },
        Verdict::PeerIdle => Words {
            on_the_wire: "Everything we sent was acknowledged, and the peer's host answered the kernel's keepalives until the end (tcp_last_ack_ms). \
                          Its application sent nothing and was not asked.",
            causes: &[
                "A client with nothing to say on a listener whose read deadline is shorter than its pauses.",
                "In the line protocol: a client that stopped in the middle of a line.",
            ],
            what_to_do: &[
                "Raise or switch off the read deadline, or let the client send something more often.",
            ],
            settings: &["deadlines.read"],
        },
        Verdict::Unknown => Words {
            on_the_wire: "Nothing that proves one thing or another: bytes still on their way when the time was up, or a host that nobody had asked.",
            causes: &[
                "Deadlines or heartbeats shorter than TCP's own patience, a few hundred milliseconds: nothing was sent again yet.",
                "The heartbeat is off, so the peer's host was not asked.",
                "The kernel did not tell: see which tcp_ fields are missing.",
            ],
            what_to_do: &[
                "Read the tcp_ fields of the record; give the heartbeat a timeout of a second or more.",
            ],
            settings: &["heartbeat.interval", "heartbeat.timeout"],
        },
    }
}
