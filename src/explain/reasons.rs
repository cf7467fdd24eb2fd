//! The words for close reasons.

use super::words::Words;
use crate::core::CloseReason;

pub(super) fn words(reason: CloseReason) -> Words {
    match reason {
        CloseReason::PeerClosed => Words {
            on_the_wire: "The peer sent FIN. Everything it had sent before was written back to it and acknowledged by its TCP.",
            causes: &[
                "The client was done and closed its connection.",
                "The client's process ended; its host closed for it.",
                "A proxy in between (HAProxy, nginx, Envoy, a cloud's load balancer) closed it for idleness: idle_ms is the same again and again.",
                "Without a byte (rx_bytes 0): a health check, or a port scanner.",
            ],
            what_to_do: &[
                "Nothing, unless clients of this kind should stay: then look into their own log for why they left.",
                "Where idle_ms is always the same, probe more often than the proxy's idle timeout, in the line protocol: raw's keepalives end at the proxy.",
            ],
            settings: &["heartbeat.interval", "log.null_connections"],
        },
        CloseReason::PeerReset => Words {
            on_the_wire: "The peer's host, or something on the way in its name, answered with RST instead of closing with FIN.",
            causes: &[
                "The client's process was killed or crashed with unread bytes in its receive buffer.",
                "The peer's host was restarted and no longer knows the connection: the RST answers our next probe or echo.",
                "A NAT gateway, firewall or load balancer dropped the connection from its table and resets what still comes.",
                "The client closed with SO_LINGER 0.",
                "Without a byte (rx_bytes 0): a health check that ends by RST, as HAProxy's does, or a port scanner. Its record is INFO.",
            ],
            what_to_do: &[
                "Look at lifetime_ms and idle_ms: many resets after the same idle time point to a timeout of a middlebox. Probe more often than that.",
                "Otherwise look for a crash or restart on the peer's side at the time of the record.",
            ],
            settings: &["heartbeat.interval", "log.null_connections"],
        },
        CloseReason::BrokenPipe => Words {
            on_the_wire: "The peer had sent FIN and then RST while the server was still sending to it.",
            causes: &[
                "The client stopped caring for the rest of the echo: it closed without reading it to the end.",
            ],
            what_to_do: &[
                "Look at unechoed_bytes: of so much of what the peer sent its TCP had not acknowledged the echo.",
                "In the client, shut down the sending side and read to the end before closing.",
            ],
            settings: &[],
        },
        CloseReason::ReadTimeout => Words {
            on_the_wire: "No byte arrived for the whole read deadline, not even after one last look at the socket. The server sent FIN.",
            causes: &[
                "The client has nothing to say and does not send heartbeats of its own.",
                "In the line protocol: the client stopped in the middle of a line, where no probe can be sent.",
                "The path or the peer is gone: the verdict tells.",
            ],
            what_to_do: &[
                "Read the verdict: peer_idle is a matter of settings, path_lost one of the network.",
                "For clients that may be silent, raise the read deadline or switch it off, and leave finding the dead to the heartbeat.",
            ],
            settings: &["deadlines.read", "heartbeat.interval"],
        },
        CloseReason::WriteTimeout => Words {
            on_the_wire: "Bytes of ours, here or in our kernel's buffer, waited for the peer, and its TCP acknowledged not one of them within the write deadline. The server sent RST.",
            causes: &[
                "The client sends without reading what comes back, until every buffer on the way is full.",
                "The client is overloaded or stuck.",
                "The path is gone while bytes were on their way.",
            ],
            what_to_do: &[
                "Read the verdict: peer_not_reading is the client's affair, path_lost the network's.",
                "A client that pauses longer than this on purpose needs a longer write deadline; so does one that reads very slowly: its window opens in steps, about once per few KiB it reads.",
            ],
            settings: &["deadlines.write"],
        },
        CloseReason::HeartbeatTimeout => Words {
            on_the_wire: "The server sent PING after PING and received nothing, not even after one last look at the socket. It sent FIN. Without a write deadline also: the peer's TCP acknowledged nothing any more while bytes of its echo were on their way.",
            causes: &[
                "The network or the peer's host is gone (verdict path_lost).",
                "The client's application hangs, is stopped or does not answer PING (verdict peer_hung).",
                "The client does not read, so the probes never reached it (verdict peer_not_reading).",
            ],
            what_to_do: &[
                "Read the verdict first; it says on which side to look.",
                "Many at one instant from one network: the path. One alone: that client.",
                "Healthy clients that pause for longer need a longer heartbeat timeout, or more misses.",
            ],
            settings: &["heartbeat.interval", "heartbeat.timeout", "heartbeat.max_missed"],
        },
        CloseReason::LifetimeOver => Words {
            on_the_wire: "The server echoed what had arrived, sent FIN and gave the peer five seconds to finish.",
            causes: &[
                "The connection grew older than deadlines.lifetime, or than nine tenths of it: each ends at a random moment of the last tenth. Nothing was wrong with it.",
            ],
            what_to_do: &[
                "Nothing: clients should reconnect. To keep connections longer, raise the lifetime or switch it off.",
            ],
            settings: &["deadlines.lifetime"],
        },
        CloseReason::NetworkTimeout => Words {
            on_the_wire: "Keepalives, or bytes sent again and again, went unacknowledged until the kernel gave up (ETIMEDOUT).",
            causes: &[
                "The cable, the radio link, the VPN or a router between here and there is gone.",
                "The peer's host lost power or was cut off without a word.",
                "A firewall or NAT gateway drops the packets of connections it has forgotten.",
            ],
            what_to_do: &[
                "Look for others from the same network at the same time, and at the routers between.",
                "If it comes after the same idle time again and again, probe more often than the middlebox forgets.",
            ],
            settings: &["heartbeat.interval", "heartbeat.timeout", "heartbeat.max_missed"],
        },
        CloseReason::NetworkUnreachable => Words {
            on_the_wire: "An ICMP error, or the own routing table, said that there is no way to the peer, and it stayed so until the kernel gave up.",
            causes: &[
                "A route or an interface went away, here or at a router on the way.",
                "The peer's address is no longer in use in its network.",
                "A firewall rejects the packets.",
            ],
            what_to_do: &[
                "Look at errno, then at the routes: `ip route get` with the peer's address, and the same from the routers on the way.",
            ],
            settings: &["heartbeat.interval"],
        },
        CloseReason::ServerShutdown => Words {
            on_the_wire: "The server echoed what had arrived, sent FIN and gave the peer the grace time to finish. What was left then was closed.",
            causes: &["pulse-echo was stopped or restarted."],
            what_to_do: &[
                "Nothing. If unechoed_bytes is not 0 the peer went on sending after our FIN, or did not take its echo in time.",
            ],
            settings: &["server.shutdown_grace"],
        },
        CloseReason::ProxyHeader => Words {
            on_the_wire: "The listener requires that every connection begins with a PROXY header, version 1 or 2, within 5 s and 536 bytes. Something else came, \
                          or nothing.",
            causes: &[
                "The proxy does not send the header: `send-proxy-v2` (HAProxy) or `proxy_protocol on` (nginx) is missing for this server.",
                "A client or a health check came past the proxy, straight to this listener.",
                "The proxy serves clients that have no TCP address (Unix sockets), or speaks for UDP.",
            ],
            what_to_do: &[
                "Read the end of the message: it shows what came instead, at most 32 bytes of it.",
                "Let only the proxy reach this listener: whoever can connect here can claim any address.",
            ],
            settings: &["listener.proxy_protocol"],
        },
        CloseReason::HandoverLost => Words {
            on_the_wire: "A new program took the place of the one that served this connection, could not go on with it, and closed it.",
            causes: &[
                "The configuration that the new program reads has no such listener any more, or one of another protocol.",
                "What was handed over of it was damaged, or of a version that the new program does not know.",
            ],
            what_to_do: &[
                "Look at the end of the message, which says why. To change a listener without that, reload first: then its connections end as before.",
            ],
            settings: &["server.keep_connections"],
        },
        CloseReason::IoError => Words {
            on_the_wire: "Reading or writing failed with an error that has no reason of its own; errno names it, op says which of the two.",
            causes: &[
                "ECONNABORTED: somebody destroyed the socket from outside (`ss -K`).",
                "EPERM: a packet filter on this host refuses our packets.",
                "ENOBUFS, ENOMEM: this host is out of memory for sockets.",
            ],
            what_to_do: &["Look up errno in errno(3), and look into this host's kernel log at that time."],
            settings: &[],
        },
        CloseReason::InternalError => Words {
            on_the_wire: "The server closed the connection in the middle of its work.",
            causes: &[
                "A bug in pulse-echo. Only this connection is affected; the panic record before this one says where.",
            ],
            what_to_do: &["Please report it, with the panic record and this one."],
            settings: &[],
        },
    }
}
