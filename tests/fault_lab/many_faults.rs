//! More than two hundred faults of all kinds at once, against one daemon.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use nix::sys::signal::Signal;

use crate::clients::{ClientProcess, Flood};
use crate::expected::{Agreement, Expected, SETTINGS, check_evidence};
use crate::expected::{
    heartbeat_timeout, network_timeout, peer_closed, peer_reset, read_timeout, write_timeout,
};
use crate::lab::{Host, Lab, Way, lab};
use crate::support::client::Client;
use crate::support::{PROTOCOLS, eventually_true};

#[test]
fn two_hundred_faults_of_all_kinds_are_told_apart() {
    const MOST_UNKNOWN: usize = 5;
    lab(SETTINGS, |lab| {
        let mut crowd = Crowd { lab, cases: Vec::new(), kept: Vec::new() };
        for protocol in PROTOCOLS {
            crowd.stop(protocol, 20);
            crowd.never_read(protocol, 15);
            crowd.kill(protocol, 10);
            crowd.kill_with_bytes_unread(protocol, 10);
            crowd.reboot(protocol, 10);
            crowd.stop_in_mid_line(protocol, 20);
            crowd.lose_path(protocol, 15);
            crowd.lose_path_with_data_in_flight(protocol, 10);
        }
        crowd.lose_path_in_mid_line(10);
        let Counts { right, unknown, wrong } = crowd.tell();
        assert!(right + unknown + wrong >= 200, "{right} right, {unknown} unknown, {wrong} wrong");
        assert_eq!(wrong, 0, "wrong ones");
        assert!(unknown <= MOST_UNKNOWN, "{unknown} unknown");
        assert_eq!(lab.daemon.records("close").len(), crowd.cases.len(), "nobody else was closed");
    });
}

/// Clients to whom something happened.
struct Crowd<'l> {
    lab: &'l Lab,
    cases: Vec<Case>,
    /// What must last as long as they.
    kept: Vec<Box<dyn Kept + 'l>>,
}

struct Case {
    fault: &'static str,
    protocol: &'static str,
    peer: SocketAddr,
    expected: Expected,
}

trait Kept {}

impl<T> Kept for T {}

#[derive(Default)]
struct Counts {
    right: usize,
    unknown: usize,
    wrong: usize,
}

impl<'l> Crowd<'l> {
    fn add(&mut self, fault: &'static str, protocol: &'static str, peer: SocketAddr, expected: Expected) {
        self.cases.push(Case { fault, protocol, peer, expected });
    }

    fn add_all(
        &mut self,
        fault: &'static str,
        protocol: &'static str,
        clients: &[Client],
        expected: Expected,
    ) {
        clients.iter().for_each(|client| self.add(fault, protocol, client.address, expected));
    }

    fn keep(&mut self, something: impl Kept + 'l) {
        self.kept.push(Box::new(something));
    }

    fn connect(&self, protocol: &str, count: usize) -> (Host<'l>, Vec<Client>) {
        let host = self.lab.host();
        let clients = (0..count).map(|_| host.connect(protocol)).collect();
        (host, clients)
    }

    fn stop(&mut self, protocol: &'static str, count: usize) {
        let (host, clients) = self.connect(protocol, count);
        let mut clients: Vec<_> = clients.into_iter().map(ClientProcess::answering).collect();
        let expected = match protocol {
            "line" => {
                clients.iter_mut().for_each(ClientProcess::wait_for_answer);
                heartbeat_timeout("peer_hung")
            }
            _ => read_timeout("peer_idle"),
        };
        for client in &clients {
            client.process.signal(Signal::SIGSTOP);
            self.add("client stopped", protocol, client.peer, expected);
        }
        self.keep((host, clients));
    }

    fn never_read(&mut self, protocol: &'static str, count: usize) {
        let host = self.lab.host();
        for _ in 0..count {
            let flood = Flood::begin(host.connect_with_small_buffer(protocol));
            self.add("never reads", protocol, flood.client.address, write_timeout("peer_not_reading"));
            self.keep(flood);
        }
        self.keep(host);
    }

    fn kill(&mut self, protocol: &'static str, count: usize) {
        let (host, clients) = self.connect(protocol, count);
        for client in clients.into_iter().map(ClientProcess::answering) {
            client.process.signal(Signal::SIGKILL);
            self.add("client killed", protocol, client.peer, peer_closed());
            self.keep(client);
        }
        self.keep(host);
    }

    fn kill_with_bytes_unread(&mut self, protocol: &'static str, count: usize) {
        let (host, mut clients) = self.connect(protocol, count);
        clients.iter_mut().for_each(|client| client.send("never read\n"));
        for client in clients {
            eventually_true("the echo arrives", || {
                client.stream.peek(&mut [0; 16]).is_ok_and(|length| length == 11)
            });
            let client = ClientProcess::sleeping(client);
            client.process.signal(Signal::SIGKILL);
            self.add("client killed, bytes unread", protocol, client.peer, peer_reset());
            self.keep(client);
        }
        self.keep(host);
    }

    fn reboot(&mut self, protocol: &'static str, count: usize) {
        let (mut host, clients) = self.connect(protocol, count);
        host.reboot();
        self.add_all("host rebooted", protocol, &clients, peer_reset());
        self.keep((host, clients));
    }

    fn stop_in_mid_line(&mut self, protocol: &'static str, count: usize) {
        let (host, mut clients) = self.connect(protocol, count);
        clients.iter_mut().for_each(|client| client.echo("half a line"));
        self.add_all("idle, in mid-line", protocol, &clients, read_timeout("peer_idle"));
        self.keep((host, clients));
    }

    fn lose_path(&mut self, protocol: &'static str, count: usize) {
        let (host, clients) = self.connect(protocol, count);
        host.lose_packets(Way::Both);
        let expected = match protocol {
            "line" => heartbeat_timeout("path_lost"),
            _ => network_timeout(),
        };
        self.add_all("path lost", protocol, &clients, expected);
        self.keep((host, clients));
    }

    fn lose_path_with_data_in_flight(&mut self, protocol: &'static str, count: usize) {
        let (host, mut clients) = self.connect(protocol, count);
        host.lose_packets(Way::ToClient);
        clients.iter_mut().for_each(|client| client.send("more\n"));
        clients.iter().for_each(|client| self.lab.wait_until_in_flight(client));
        host.lose_packets(Way::ToServer);
        let expected = match protocol {
            "line" => heartbeat_timeout("path_lost"),
            _ => read_timeout("path_lost"),
        };
        self.add_all("path lost, data in flight", protocol, &clients, expected);
        self.keep((host, clients));
    }

    fn lose_path_in_mid_line(&mut self, count: usize) {
        let (host, mut clients) = self.connect("line", count);
        clients.iter_mut().for_each(|client| client.echo("half a line"));
        host.lose_packets(Way::Both);
        self.add_all("path lost, in mid-line", "line", &clients, read_timeout("path_lost"));
        self.keep((host, clients));
    }

    /// Waits for all of them, prints a table, and counts how many the daemon got right.
    fn tell(&self) -> Counts {
        let mut table = BTreeMap::<_, Counts>::new();
        for Case { fault, protocol, peer, expected } in &self.cases {
            let close = self.lab.daemon.wait_for_close(*peer);
            let counts = table.entry((fault, protocol)).or_default();
            let agreement = expected.agreement(&close);
            match agreement {
                Agreement::Full => counts.right += 1,
                Agreement::Unknown => counts.unknown += 1,
                Agreement::WrongVerdict | Agreement::WrongReason => counts.wrong += 1,
            }
            match agreement {
                Agreement::Full => expected.check_time(&close),
                _ => eprintln!("{agreement:?}: {fault}: {close}"),
            }
            check_evidence(&close);
        }
        let mut total = Counts::default();
        eprintln!("{:32} protocol  right  unknown  wrong", "fault");
        for ((fault, protocol), Counts { right, unknown, wrong }) in table {
            eprintln!("{fault:32} {protocol:8} {right:6} {unknown:8} {wrong:6}");
            total.right += right;
            total.unknown += unknown;
            total.wrong += wrong;
        }
        eprintln!("{:32} {:8} {:6} {:8} {:6}", "all", "", total.right, total.unknown, total.wrong);
        total
    }
}
