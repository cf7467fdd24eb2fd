//! Verdicts on a path that loses packets, by their numbers: single ones may be unlucky.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::EventFd;

use pulse_echo::limits::raise_descriptor_limit;

use crate::lab::{Lab, Way};
use crate::support::client::Client;
use crate::support::record::{Record, text};
use crate::support::{dawdle, now};
use crate::wire::{Wire, lab_with_wire};

/// A listener of the line protocol with a heartbeat of its own, by which it is named.
#[derive(Debug, Clone, Copy)]
struct Profile {
    name: &'static str,
    interval_ms: u64,
    timeout_ms: u64,
    max_missed: u64,
}

const HASTY: Profile = Profile { name: "hasty", interval_ms: 1000, timeout_ms: 500, max_missed: 3 };
const CALM: Profile = Profile { name: "calm", interval_ms: 3000, timeout_ms: 2000, max_missed: 3 };
const SLOW: Profile = Profile { name: "slow", interval_ms: 1000, timeout_ms: 5000, max_missed: 3 };

impl Profile {
    fn listener(self) -> String {
        let Profile { name, interval_ms, timeout_ms, max_missed } = self;
        format!(
            "[[listener]]\nname = '{name}'\nprotocol = 'line'\naddress = '0.0.0.0:0'\n\
             heartbeat = {{ interval = '{interval_ms}ms', timeout = '{timeout_ms}ms', max_missed = {max_missed} }}\n"
        )
    }
}

/// Waves of hung peers beside healthy ones, which the default heartbeat asks every fifteen seconds. Four waves, because
/// of three hundred peers alone twice as many as usual are unlucky now and then.
#[test]
fn at_five_percent_hung_peers_are_named_and_at_twenty_percent_no_healthy_one_is_accused() {
    const PEERS: usize = 300;
    const WAVES: usize = 4;
    const LONG_ENOUGH: Duration = Duration::from_secs(65);
    raise_descriptor_limit().expect("as many descriptors as allowed");
    lab_with_wire(&CALM.listener(), |lab, wire| {
        let healthy = connect(wire, "line", PEERS, 0.2);
        let addresses = healthy.iter().map(|client| client.address).collect::<Vec<_>>();
        let began = now();
        let mut hung = Verdicts::default();
        answering(healthy, || {
            (0..WAVES).for_each(|_| hung.add_all(lab, &connect(wire, CALM.name, PEERS, 0.05)));
            dawdle(LONG_ENOUGH.saturating_sub(began.elapsed()));
        });
        assert_eq!(accusations(lab, &addresses), Vec::<Record>::new(), "healthy peers were accused");
        eprintln!("hung peers at 5 %: {hung}");
        assert_eq!(hung.total(), PEERS * WAVES);
        assert!(hung.percent("unknown") <= 3.0, "{hung}");
        assert!(hung.percent("path_lost") <= 1.0, "{hung}");
    });
}

/// A measurement, not a test: `cargo test --test fault_lab matrix -- --ignored --nocapture`. It takes five minutes and
/// prints, for every loss each way and every heartbeat, how hung peers were judged, in percent, and how many of as many
/// healthy ones were accused in the same time.
#[test]
#[ignore = "a measurement of five minutes"]
fn matrix() {
    const PEERS: usize = 300;
    const LOSSES: [f64; 6] = [0.0, 0.01, 0.05, 0.1, 0.2, 0.3];
    const PROFILES: [Profile; 3] = [HASTY, CALM, SLOW];
    raise_descriptor_limit().expect("as many descriptors as allowed");
    lab_with_wire(&PROFILES.map(Profile::listener).concat(), |lab, wire| {
        eprintln!("loss heartbeat  hung peers                                         healthy ones accused");
        for loss in LOSSES {
            for profile in PROFILES {
                let healthy = connect(wire, profile.name, PEERS, loss);
                let addresses = healthy.iter().map(|client| client.address).collect::<Vec<_>>();
                let mut hung = Verdicts::default();
                answering(healthy, || hung.add_all(lab, &connect(wire, profile.name, PEERS, loss)));
                let accused = accusations(lab, &addresses).len();
                let (loss, name) = (loss * 100.0, profile.name);
                eprintln!("{loss:2.0} % {name:9}  {:50} {accused} of {PEERS}", hung.to_string());
            }
        }
    });
}

/// Clients that got an echo before the path began to lose packets.
fn connect(wire: &Wire<'_>, listener: &str, count: usize, loss: f64) -> Vec<Client> {
    let connect = |_| {
        let mut client = wire.new_client(listener, None);
        client.echo("hello\n");
        wire.change(&client, Way::Both, |faults| faults.loss = loss);
        client
    };
    (0..count).map(connect).collect()
}

/// Does something while `clients` answer every probe at once.
fn answering(clients: Vec<Client>, act: impl FnOnce()) {
    let stop = EventFd::new().expect("a descriptor");
    thread::scope(|scope| {
        let answering = scope.spawn(|| answer(clients, &stop));
        act();
        stop.write(1).expect("a counter that is not full");
        answering.join().expect("it answers");
    });
}

fn answer(mut clients: Vec<Client>, stop: &EventFd) {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("a descriptor");
    let event = |key: usize| EpollEvent::new(EpollFlags::EPOLLIN, key as u64);
    for (key, client) in clients.iter().enumerate() {
        client.stream.set_nonblocking(true).expect("an option of sockets");
        epoll.add(client.stream.as_fd(), event(key)).expect("a socket");
    }
    epoll.add(stop, event(clients.len())).expect("an event");
    let mut events = [EpollEvent::empty(); 64];
    loop {
        let count = match epoll.wait(&mut events, None::<u8>) {
            Err(Errno::EINTR) => 0,
            result => result.expect("descriptors that we hold"),
        };
        for key in events[..count].iter().map(|event| event.data() as usize) {
            let Some(client) = clients.get_mut(key) else { return };
            if answer_probes(client).is_none() {
                epoll.delete(client.stream.as_fd()).expect("it was added");
            }
        }
    }
}

/// `None`: the daemon has ended the connection.
fn answer_probes(client: &mut Client) -> Option<()> {
    let mut buffer = [0; 256];
    let length = client.stream.read(&mut buffer).ok().filter(|length| *length > 0)?;
    // A probe is sent in one piece, and nothing else is sent.
    let probes = String::from_utf8_lossy(&buffer[..length]);
    client.stream.write_all(probes.replace("PING", "PONG").as_bytes()).ok()
}

/// The records that say of a healthy peer that it was silent of its own accord.
fn accusations(lab: &Lab, healthy: &[SocketAddr]) -> Vec<Record> {
    let mut closes = lab.daemon.records("close");
    closes.retain(|close| {
        let accused =
            ["peer_hung", "peer_idle", "peer_not_reading"].map(Some).contains(&close["verdict"].as_str());
        accused && healthy.iter().any(|peer| close["peer"] == peer.to_string().as_str())
    });
    closes
}

/// How often each verdict was given.
#[derive(Debug, Default)]
struct Verdicts(BTreeMap<String, usize>);

impl Verdicts {
    /// Waits until all of these, which answer nothing, were given up.
    fn add_all(&mut self, lab: &Lab, hung: &[Client]) {
        for client in hung {
            let close = lab.daemon.wait_for_close(client.address);
            assert_eq!(close["reason"], "heartbeat_timeout", "{close}");
            *self.0.entry(text(&close, "verdict").to_owned()).or_default() += 1;
        }
    }

    fn total(&self) -> usize {
        self.0.values().sum()
    }

    fn percent(&self, verdict: &str) -> f64 {
        let count = self.0.get(verdict).copied().unwrap_or(0);
        count as f64 * 100.0 / self.total() as f64
    }
}

impl std::fmt::Display for Verdicts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shares = self.0.keys().map(|verdict| format!("{verdict} {:.1} %", self.percent(verdict)));
        formatter.write_str(&shares.collect::<Vec<_>>().join(", "))
    }
}
