//! Nothing gets through any more, for whatever reason, and nobody says so.

use std::time::Duration;

use crate::at_once;
use crate::expected::{
    SETTINGS, heartbeat_timeout, network_timeout, network_unreachable, read_timeout, write_timeout,
};
use crate::lab::{Host, Way, lab};
use crate::support::{PROTOCOLS, dawdle};

type Fault = (&'static str, fn(&Host<'_>));

const FAULTS: [Fault; 12] = [
    ("packets lost both ways", |host| host.lose_packets(Way::Both)),
    ("packets lost towards the server", |host| host.lose_packets(Way::ToServer)),
    ("packets lost towards the client", |host| host.lose_packets(Way::ToClient)),
    ("link down at the client", |host| host.link_down()),
    ("link down at the server", |host| host.server_link_down()),
    ("ICMP host unreachable", |host| host.filter_to_client("reject with icmp host-unreachable")),
    ("ICMP net unreachable", |host| host.filter_to_client("reject with icmp net-unreachable")),
    ("ICMP port unreachable", |host| host.filter_to_client("reject with icmp port-unreachable")),
    ("ICMP admin prohibited", |host| host.filter_to_client("reject with icmp admin-prohibited")),
    ("route to nowhere: unreachable", |host| host.server_route("unreachable")),
    ("route to nowhere: prohibit", |host| host.server_route("prohibit")),
    ("route to nowhere: blackhole", |host| host.server_route("blackhole")),
];

/// The line protocol asks, and sees that its questions do not arrive. In the raw protocol the kernel asks, and gives up
/// after the same time. It takes no notice of the ICMP messages about its keepalives.
#[test]
fn of_an_idle_peer() {
    lab(SETTINGS, |lab| {
        at_once(&FAULTS, |(fault, happen)| {
            let host = lab.host();
            let [line, raw] = PROTOCOLS.map(|protocol| host.connect(protocol));
            happen(&host);
            lab.expect(fault, line.address, heartbeat_timeout("path_lost"));
            lab.expect(fault, raw.address, network_timeout());
        });
    });
}

/// While something is in flight the kernel sends no keepalives, and retransmits for a quarter of an hour.
#[test]
fn of_a_peer_that_is_being_sent_something() {
    lab(SETTINGS, |lab| {
        at_once(&FAULTS, |(fault, happen)| {
            let host = lab.host();
            let [mut line, mut raw] = PROTOCOLS.map(|protocol| host.connect(protocol));
            host.lose_echo(&mut line);
            host.lose_echo(&mut raw);
            happen(&host);
            let fault = format!("{fault}, data in flight");
            lab.expect(&fault, line.address, heartbeat_timeout("path_lost"));
            lab.expect(&fault, raw.address, read_timeout("path_lost"));
        });
    });
}

/// No probe can be sent there; the kernel's keepalive is the only witness.
#[test]
fn of_a_peer_that_stopped_in_mid_line() {
    lab(SETTINGS, |lab| {
        at_once(&FAULTS, |(fault, happen)| {
            let host = lab.host();
            let mut client = host.connect("line");
            client.echo("half a line");
            lab.wait_until_acknowledged(&client);
            happen(&host);
            lab.expect(&format!("{fault}, in mid-line"), client.address, read_timeout("path_lost"));
        });
    });
}

/// The window stays closed as the peer left it, but nobody answers the window probes. They come rarer and rarer: when the
/// path was lost late, the last one may not be overdue yet.
#[test]
fn of_a_peer_that_did_not_read() {
    lab(SETTINGS, |lab| {
        at_once(&FAULTS, |(fault, happen)| {
            let host = lab.host();
            let mut clients = PROTOCOLS.map(|protocol| host.connect_with_small_buffer(protocol));
            clients.iter_mut().for_each(|client| host.block(client));
            happen(&host);
            for client in &clients {
                let fault = format!("{fault}, window closed");
                lab.expect_at_best(&fault, client.address, write_timeout("path_lost"));
            }
        });
    });
}

/// What routers say of the path counts only once the kernel gives up, and only if nothing came from the peer meanwhile.
#[test]
fn and_the_kernel_gives_up_first_and_knows_why() {
    let faults = [
        ("host-unreachable", "EHOSTUNREACH"),
        ("net-unreachable", "ENETUNREACH"),
        ("admin-prohibited", "EHOSTUNREACH"),
        ("port-unreachable", "ECONNREFUSED"),
    ];
    lab("", |lab| {
        lab.set_retransmissions(2);
        at_once(&faults, |(message, errno)| {
            let host = lab.host();
            let mut clients = PROTOCOLS.map(|protocol| host.connect(protocol));
            clients.iter_mut().for_each(|client| host.lose_echo(client));
            host.lose_packets(Way::ToServer);
            host.filter_to_client(&format!("reject with icmp {message}"));
            for client in &clients {
                let fault = format!("ICMP {message}, few retransmissions");
                let close = lab.expect(&fault, client.address, network_unreachable(errno));
                assert_eq!(close["op"], "read", "{close}");
            }
        });
    });
}

#[test]
fn for_less_than_the_detection_time_ends_nothing() {
    let settings = "heartbeat = { interval = '1s', timeout = '2s', max_missed = 3 }";
    const OUTAGE: Duration = Duration::from_secs(3);
    lab(settings, |lab| {
        let ways = [Way::ToServer, Way::ToClient, Way::Both];
        let hosts = ways.map(|_| lab.host());
        let mut clients = hosts.each_ref().map(|host| PROTOCOLS.map(|protocol| host.connect(protocol)));
        ways.iter().zip(&hosts).for_each(|(way, host)| host.lose_packets(*way));
        dawdle(OUTAGE);
        hosts.iter().for_each(Host::lose_no_packets);
        for [line, raw] in &mut clients {
            let probes = ["PING 1\n", "PING 2\n", "PING 3\n"];
            probes.iter().for_each(|probe| assert_eq!(line.receive_line(), *probe));
            line.send("PONG 3\n");
            line.echo("still here\n");
            raw.echo("still here");
        }
        lab.expect_no_close();
    });
}
