//! A wire that fails as it is told: two TUN devices, and a thread that carries packets from one to the other.
//!
//! Every client has an address of its own, and each direction of it its own faults, which can change at any time. They
//! depend on a packet's size, its content and chance, which is more than a firewall's rule can do.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::mem;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;

use crate::lab::{Lab, Namespace, Way};
use crate::packet::Packet;
use crate::support::client::{Client, SMALL_BUFFER};
use crate::support::network::run;
use crate::support::{now, skip};

/// The daemon's end of the wire.
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 76, 0, 1);

/// Where the clients are. None of it is a [`crate::lab::Host`]'s while there are fewer than 128 of those.
const CLIENTS: &str = "10.77.128.0/17";

/// Room for what every client says at the same time, so that a packet is lost only where it is meant to be.
const QUEUE_LENGTH: &str = "20000";

/// What happens to one client's packets in one direction: nothing, to begin with.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// The probability that a packet is lost.
    pub loss: f64,
    /// How long each one is on its way.
    pub delay: Duration,
    pub drop_all: bool,
    /// Lost are those with data.
    pub drop_data: bool,
    /// Lost are those of more bytes, headers included.
    pub longest: Option<usize>,
    /// So many are lost, whatever they are.
    pub drop_next: u32,
    /// So many of those with data are lost.
    pub drop_next_data: u32,
}

/// How many packets there were so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    pub carried: u64,
    pub lost: u64,
}

/// One direction of one client.
#[derive(Debug)]
struct Lane {
    faults: Faults,
    traffic: Traffic,
    random: fastrand::Rng,
}

impl Lane {
    /// With luck of its own, and the same in every run.
    fn new(client: Ipv4Addr, side: Side) -> Lane {
        let seed = u64::from(u32::from(client)) << 1 | side as u64;
        Lane {
            faults: Faults::default(),
            traffic: Traffic::default(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// How long a packet is on its way; `None`: for ever.
    fn carry(&mut self, packet: Packet<'_>) -> Option<Duration> {
        let lost = self.loses(packet);
        let counter = if lost { &mut self.traffic.lost } else { &mut self.traffic.carried };
        *counter += 1;
        (!lost).then_some(self.faults.delay)
    }

    fn loses(&mut self, packet: Packet<'_>) -> bool {
        let has_data = packet.has_data();
        let faults = &mut self.faults;
        faults.drop_all
            || faults.longest.is_some_and(|longest| packet.len() > longest)
            || faults.drop_data && has_data
            || count_down(&mut faults.drop_next)
            || has_data && count_down(&mut faults.drop_next_data)
            || self.random.f64() < faults.loss
    }
}

fn count_down(left: &mut u32) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

/// Where a packet comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Side {
    Server,
    Clients,
}

const SIDES: [Side; 2] = [Side::Server, Side::Clients];

impl Way {
    fn sides(self) -> &'static [Side] {
        match self {
            Way::ToClient => &SIDES[..1],
            Way::ToServer => &SIDES[1..],
            Way::Both => &SIDES,
        }
    }
}

#[derive(Debug, Default)]
struct Lanes(Mutex<HashMap<(Ipv4Addr, Side), Lane>>);

impl Lanes {
    fn with<T>(&self, client: Ipv4Addr, side: Side, act: impl FnOnce(&mut Lane) -> T) -> T {
        act(self.lock().entry((client, side)).or_insert_with(|| Lane::new(client, side)))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Ipv4Addr, Side), Lane>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `test` in a laboratory whose daemon has these `settings` and a wire.
pub fn lab_with_wire(settings: &str, test: impl FnOnce(&Lab, &Wire<'_>)) {
    let lab = match Lab::new(settings) {
        Ok(lab) => lab,
        Err(why) => return skip(&why),
    };
    match Wire::new(&lab) {
        Ok(wire) => test(&lab, &wire),
        Err(why) => skip(&why),
    }
}

/// A host of many addresses, at the other end of a wire.
#[derive(Debug)]
pub struct Wire<'l> {
    lab: &'l Lab,
    clients: Namespace,
    count: AtomicU16,
    lanes: Arc<Lanes>,
    stop: Arc<EventFd>,
    forwarder: Option<JoinHandle<()>>,
}

impl<'l> Wire<'l> {
    fn new(lab: &'l Lab) -> Result<Wire<'l>, String> {
        let clients = Namespace::new()?;
        let ends = [lab.server.enter(open_tun)?, clients.enter(open_tun)?];
        lab.server.ip(&format!("address add {SERVER}/32 dev wire"));
        lab.server.ip(&format!("route add {CLIENTS} dev wire"));
        clients.ip(&format!("route add local {CLIENTS} dev lo"));
        clients.ip(&format!("route add {SERVER} dev wire"));
        let (lanes, stop) = (Arc::<Lanes>::default(), Arc::new(EventFd::new().expect("a descriptor")));
        let forwarder = Forwarder {
            ends,
            lanes: Arc::clone(&lanes),
            stop: Arc::clone(&stop),
            delayed: BinaryHeap::new(),
        };
        let forwarder = Some(thread::spawn(move || forwarder.run()));
        Ok(Wire { lab, clients, count: AtomicU16::new(0), lanes, stop, forwarder })
    }

    /// A client that has got an echo, of which nothing is on its way any more.
    #[track_caller]
    pub fn connect(&self, listener: &str) -> Client {
        let mut client = self.new_client(listener, None);
        self.lab.greet(&mut client);
        client
    }

    #[track_caller]
    pub fn connect_with_small_buffer(&self, listener: &str) -> Client {
        self.new_client(listener, Some(SMALL_BUFFER))
    }

    /// A client of its own address, with a receive buffer of this size or the kernel's own.
    #[track_caller]
    pub fn new_client(&self, listener: &str, receive_buffer: Option<usize>) -> Client {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let [high, low] = number.to_be_bytes();
        let address = Ipv4Addr::new(10, 77, 128 + high, low);
        let server = SocketAddr::from((SERVER, self.lab.daemon.address(listener).port()));
        self.clients.enter(|| Client::connect_from(address.into(), server, receive_buffer))
    }

    /// As [`crate::lab::Host::block`].
    #[track_caller]
    pub fn block(&self, client: &mut Client) {
        self.lab.block(&self.clients, client);
    }

    /// Changes what happens to a client's packets from now on.
    #[track_caller]
    pub fn change(&self, client: &Client, way: Way, change: impl Fn(&mut Faults)) {
        for side in way.sides() {
            self.lanes.with(address(client), *side, |lane| change(&mut lane.faults));
        }
    }

    /// What a client's packets came to so far, one way or in sum.
    #[track_caller]
    pub fn traffic(&self, client: &Client, way: Way) -> Traffic {
        way.sides().iter().fold(Traffic::default(), |sum, side| {
            let Traffic { carried, lost } = self.lanes.with(address(client), *side, |lane| lane.traffic);
            Traffic { carried: sum.carried + carried, lost: sum.lost + lost }
        })
    }
}

impl Drop for Wire<'_> {
    fn drop(&mut self) {
        self.stop.write(1).expect("a counter that is not full");
        let forwarded = self.forwarder.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(forwarded, Some(Ok(()))), "the wire broke");
    }
}

#[track_caller]
fn address(client: &Client) -> Ipv4Addr {
    match client.address.ip() {
        IpAddr::V4(address) => address,
        IpAddr::V6(address) => panic!("{address} is not on this wire"),
    }
}

/// A new device in this thread's namespace, whose packets are read from and written to the file.
#[expect(unsafe_code, reason = "no safe crate of the tests opens a TUN device")]
fn open_tun() -> Result<File, String> {
    const TUNSETIFF: libc::Ioctl = 0x4004_54CA;
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open("/dev/net/tun").map_err(|error| format!("no /dev/net/tun: {error}"))?;
    // SAFETY: numbers and arrays of numbers, of which zero is one.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    request.ifr_name.iter_mut().zip(b"wire").for_each(|(to, from)| *to = *from as libc::c_char);
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: this request takes a structure of this kind.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), TUNSETIFF, &raw mut request) };
    Errno::result(result).map_err(|error| format!("no TUN device: {error}"))?;
    run("ip", &["link", "set", "wire", "txqueuelen", QUEUE_LENGTH, "up"])?;
    Ok(file)
}

struct Forwarder {
    /// In the order of [`SIDES`].
    ends: [File; 2],
    lanes: Arc<Lanes>,
    stop: Arc<EventFd>,
    delayed: BinaryHeap<Reverse<Delayed>>,
}

/// Ordered by when it is due, then by when it came.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Delayed {
    due: Instant,
    came: Instant,
    from: Side,
    packet: Vec<u8>,
}

impl Forwarder {
    fn run(mut self) {
        const STOP: u64 = 2;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("a descriptor");
        let event = |key| EpollEvent::new(EpollFlags::EPOLLIN, key);
        for side in SIDES {
            epoll.add(&self.ends[side as usize], event(side as u64)).expect("a device");
        }
        epoll.add(&*self.stop, event(STOP)).expect("an event");
        loop {
            let mut events = [EpollEvent::empty(); 3];
            let count = match epoll.wait(&mut events, self.next_due()) {
                Err(Errno::EINTR) => 0,
                result => result.expect("descriptors that we hold"),
            };
            let ready = events[..count].iter().map(EpollEvent::data).collect::<Vec<_>>();
            if ready.contains(&STOP) {
                return;
            }
            self.deliver_due();
            SIDES.into_iter().filter(|side| ready.contains(&(*side as u64))).for_each(|side| self.take(side));
        }
    }

    fn next_due(&self) -> EpollTimeout {
        let Some(Reverse(next)) = self.delayed.peek() else { return EpollTimeout::NONE };
        let milliseconds = next.due.saturating_duration_since(now()).as_micros().div_ceil(1000);
        u16::try_from(milliseconds).unwrap_or(u16::MAX).into()
    }

    fn deliver_due(&mut self) {
        while self.delayed.peek().is_some_and(|Reverse(next)| next.due <= now()) {
            if let Some(Reverse(Delayed { from, packet, .. })) = self.delayed.pop() {
                self.deliver(from, &packet);
            }
        }
    }

    /// Takes what waits at one end, but not so much that the other end starves.
    fn take(&mut self, from: Side) {
        const AT_ONCE: usize = 64;
        let mut buffer = [0; 64 * 1024];
        for _ in 0..AT_ONCE {
            match (&self.ends[from as usize]).read(&mut buffer) {
                Ok(length) => self.forward(from, &buffer[..length]),
                // Nothing more; or the device is down, which is one of the faults.
                Err(_) => return,
            }
        }
    }

    fn forward(&mut self, from: Side, bytes: &[u8]) {
        // What is not IPv4 is a device's own chatter.
        let Some(packet) = Packet::of(bytes) else { return };
        let client = match from {
            Side::Server => packet.destination(),
            Side::Clients => packet.source(),
        };
        match self.lanes.with(client, from, |lane| lane.carry(packet)) {
            None => {}
            Some(Duration::ZERO) => self.deliver(from, bytes),
            Some(delay) => {
                let came = now();
                let packet = bytes.to_vec();
                self.delayed.push(Reverse(Delayed { due: came + delay, came, from, packet }));
            }
        }
    }

    fn deliver(&self, from: Side, packet: &[u8]) {
        let to = match from {
            Side::Server => Side::Clients,
            Side::Clients => Side::Server,
        };
        let delivered = (&self.ends[to as usize]).write_all(packet);
        // A device that is down, or full, loses packets too.
        let is_lost = |error: &io::Error| matches!(error.raw_os_error(), Some(libc::EIO | libc::EAGAIN));
        assert!(delivered.as_ref().err().is_none_or(is_lost), "the wire broke: {delivered:?}");
    }
}
