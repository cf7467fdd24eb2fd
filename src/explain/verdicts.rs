//! The words for verdicts.

use super::words::Words;
use crate::core::Verdict;

pub(super) fn words(verdict: Verdict) -> Words {
    match verdict {
        Verdict::PathLost => Words {
            on_the_wire: "Our bytes were sent again and again (tcp_unacked, tcp_retransmits, tcp_total_retrans), or the kernel's probes went unanswered \
                          (tcp_probes). Or the peer's bytes wait behind a hole in the stream (tcp_rmem_bytes). Or nothing of ours left this host \
                          (tcp_notsent_bytes, and tcp_unacked 0): the message says which.",
            causes: &[
                "The network between here and there, or the peer's host, is gone.",
                "A middlebox forgot the connection and drops its packets.",
                "Full-size packets vanish, small ones pass: a link of a smaller MTU, and a firewall that eats ICMP.",
                "Where nothing leaves: an interface that is down, a route, a packet filter or a queue of this host.",
            ],
            what_to_do: &[
                "Look at the network, not at the client: other connections through the same links, routers, VPN, radio.",
                "tcp_last_ack_ms says when the path last worked.",
            ],
            settings: &["heartbeat.interval"],
        },
        Verdict::PeerHung => Words {
            on_the_wire: "The peer's host acknowledged our first unanswered probe probe_acked_ms ago, and has had time since to send an answer several times; \
                          none came.",
            causes: &[
                "The client is stopped, deadlocked, swapping, or busy for longer than the heartbeat allows.",
                "A proxy in between (HAProxy, nginx, Envoy, a load balancer) acknowledges for a client that is gone: let it send PROXY headers, and the verdict says so.",
                "The client does not speak the line protocol: it never answers PING.",
            ],
            what_to_do: &[
                "Look at the client's process, not at the network: its threads, its load, its log at that time.",
                "probes_answered 0 over a whole life says that it never answered: give it a raw listener, or teach it to.",
            ],
            settings: &["heartbeat.timeout", "heartbeat.max_missed"],
        },
        Verdict::PeerNotReading => Words {
            on_the_wire: "The peer advertised a receive window too small for the next segment (tcp_snd_wnd), its host kept answering our window probes, and \
                          tcp_notsent_bytes waited here.",
            causes: &[
                "The client sends without reading the echo.",
                "The client hangs, with its receive buffer full.",
                "The client reads so slowly that its window, which opens in steps of its buffer, stayed closed for that long.",
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
        Verdict::BeyondProxy => Words {
            on_the_wire: "The connection came through a proxy, by its PROXY header. The proxy's host acknowledged what we sent, or the kernel's keepalives, to the \
                          end; nothing came from the peer behind it.",
            causes: &[
                "The path between the proxy and the client, or the client's host, is gone, and the proxy has not noticed.",
                "The client is stopped, deadlocked, or does not answer PING.",
                "The proxy itself hangs: its host acknowledges all the same.",
            ],
            what_to_do: &[
                "Look on the proxy's other side: its log of this client (peer) at that time, and its own timeouts and keepalives towards clients.",
                "Many through one proxy at one instant: the proxy, or its network. One alone: that client.",
            ],
            settings: &["heartbeat.interval", "heartbeat.timeout", "heartbeat.max_missed"],
        },
        Verdict::Unknown => Words {
            on_the_wire: "Nothing that proves one thing or another: bytes still on their way when the time was up, or a host that nobody had asked.",
            causes: &[
                "Deadlines or heartbeats shorter than TCP's own patience, a few hundred milliseconds: nothing was sent again yet.",
                "A path that loses many packets (tcp_total_retrans of tcp_data_segs_out): the answer may have been lost as well.",
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
