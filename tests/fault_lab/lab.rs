//! Two hosts and a cable: the daemon in a network namespace of its own, its clients in others, and whatever can happen
//! to the packets between them.
//!
//! The namespaces have no names. They last as long as somebody holds them, so nothing stays behind, however a test ends.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

use crate::support::client::Client;
use crate::support::daemon::Daemon;
use crate::support::kernel::sleeps;
use crate::support::network::run;
use crate::support::{PROTOCOLS, eventually, eventually_true, skip};

/// A network of its own.
#[derive(Debug)]
pub struct Namespace(File);

impl Namespace {
    pub fn new() -> Result<Namespace, String> {
        in_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET).map_err(|error| format!("no network namespace: {error}"))?;
            run("ip", &["link", "set", "lo", "up"])?;
            run("nft", &["add table ip lab"])?;
            for hook in ["input", "output"] {
                run("nft", &[&format!("add chain ip lab {hook} {{ type filter hook {hook} priority 0; }}")])?;
            }
            File::open("/proc/thread-self/ns/net").map(Namespace).map_err(|error| error.to_string())
        })
    }

    /// Does something in it: sockets opened and processes started there belong to it for ever.
    pub fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        in_thread(|| {
            setns(&self.0, CloneFlags::CLONE_NEWNET).expect("a namespace that we hold");
            act()
        })
    }

    #[track_caller]
    pub fn ip(&self, arguments: &str) {
        self.enter(|| run("ip", &arguments.split(' ').collect::<Vec<_>>())).expect("it was possible before");
    }

    #[track_caller]
    fn nft(&self, command: &str) {
        self.enter(|| run("nft", &[command])).expect("it was possible before");
    }

    /// By which another process finds it.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }
}

/// In a thread, because what enters a namespace stays there.
fn in_thread<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    let name = thread::current().name().unwrap_or("a test").to_owned();
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(name).spawn_scoped(scope, act).expect("a thread");
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// The daemon's host, and the cables that lead to others.
#[derive(Debug)]
pub struct Lab {
    pub daemon: Daemon,
    pub server: Namespace,
    hosts: AtomicU8,
}

/// Runs `test` in a laboratory whose daemon has these `settings`.
pub fn lab(settings: &str, test: impl FnOnce(&Lab)) {
    match Lab::new(settings) {
        Ok(lab) => test(&lab),
        Err(why) => skip(&why),
    }
}

impl Lab {
    pub fn new(settings: &str) -> Result<Lab, String> {
        let server = Namespace::new()?;
        server.enter(|| run("ip", &["link", "add", "trial", "type", "veth"]))?;
        let listeners = PROTOCOLS.map(|protocol| {
            format!("[[listener]]\nname = '{protocol}'\nprotocol = '{protocol}'\naddress = '0.0.0.0:0'\n")
        });
        let file = format!("{settings}\n{}", listeners.concat());
        let daemon = server.enter(|| Daemon::start_with_file(&file));
        Ok(Lab { daemon, server, hosts: AtomicU8::new(0) })
    }

    /// A new host at the end of a new cable.
    #[track_caller]
    pub fn host(&self) -> Host<'_> {
        let number = self.hosts.fetch_add(1, Ordering::Relaxed);
        let host = Host { lab: self, number, namespace: Namespace::new().expect("it was possible before") };
        host.plug_in();
        host
    }

    /// How often the daemon's host retransmits before it gives up; the default takes a quarter of an hour.
    pub fn set_retransmissions(&self, count: u8) {
        let set = || fs::write("/proc/sys/net/ipv4/tcp_retries2", count.to_string());
        self.server.enter(set).expect("a setting of this namespace");
    }

    /// The client gets an echo, of which nothing is on its way afterwards.
    #[track_caller]
    pub fn greet(&self, client: &mut Client) {
        client.echo("hello\n");
        self.wait_until_acknowledged(client);
    }

    /// See [`Host::block`]. The client's host is this namespace.
    #[track_caller]
    pub fn block(&self, host: &Namespace, client: &mut Client) {
        while {
            client.send([b'\n'; 16 * 1024]);
            host.enter(|| client.wait_until_delivered());
            !self.is_blocked(client)
        } {}
    }

    /// Waits until all that the daemon sent to a client is acknowledged.
    #[track_caller]
    pub fn wait_until_acknowledged(&self, client: &Client) {
        self.server.enter(|| eventually_true("nothing is in flight", || client.next_keepalive().is_some()));
    }

    /// Waits until something is on its way to a client, or waits to be.
    #[track_caller]
    pub fn wait_until_in_flight(&self, client: &Client) {
        self.server.enter(|| eventually_true("something is in flight", || client.next_keepalive().is_none()));
    }

    /// Whether the daemon leaves unread what a client sent, because the client does not take the echo.
    #[track_caller]
    fn is_blocked(&self, client: &Client) -> bool {
        let look = || match client.unread_by_daemon() {
            Some(0) => Some(false),
            // What is unread before and after the daemon was seen asleep will stay so.
            _ => (sleeps(self.daemon.pid()) && client.unread_by_daemon() != Some(0)).then_some(true),
        };
        self.server.enter(|| eventually("the daemon has read everything, or reads no more", look))
    }
}

/// A client's host.
#[derive(Debug)]
pub struct Host<'l> {
    lab: &'l Lab,
    number: u8,
    namespace: Namespace,
}

/// Which packets are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToClient,
    Both,
}

impl Host<'_> {
    #[track_caller]
    fn plug_in(&self) {
        let Host { lab, number, namespace } = self;
        lab.server
            .ip(&format!("link add cable{number} type veth peer name cable netns {}", namespace.path()));
        lab.server.ip(&format!("address add {}/30 dev cable{number}", self.server_address()));
        lab.server.ip(&format!("link set cable{number} up"));
        namespace.ip(&format!("address add {}/30 dev cable", self.address()));
        namespace.ip("link set cable up");
    }

    fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.number, 2)
    }

    fn server_address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.number, 1)
    }

    #[track_caller]
    fn server(&self, listener: &str) -> SocketAddr {
        (self.server_address(), self.lab.daemon.address(listener).port()).into()
    }

    /// A client that has got an echo, of which nothing is on its way any more.
    #[track_caller]
    pub fn connect(&self, listener: &str) -> Client {
        let server = self.server(listener);
        let mut client = self.namespace.enter(|| Client::connect(server));
        self.lab.greet(&mut client);
        client
    }

    #[track_caller]
    pub fn connect_with_small_buffer(&self, listener: &str) -> Client {
        let server = self.server(listener);
        self.namespace.enter(|| Client::with_small_buffer(server))
    }

    /// The client sends, reading nothing, until the daemon cannot write to it any more. Nothing that it sent is on its way.
    #[track_caller]
    pub fn block(&self, client: &mut Client) {
        self.lab.block(&self.namespace, client);
    }

    /// From now on packets of connections are lost without a trace.
    #[track_caller]
    pub fn lose_packets(&self, way: Way) {
        if way != Way::ToServer {
            self.filter_to_client("drop");
        }
        if way != Way::ToClient {
            self.lab
                .server
                .nft(&format!("add rule ip lab input ip saddr {} meta l4proto tcp drop", self.address()));
        }
    }

    /// The end of what [`Host::lose_packets`] began, everywhere.
    #[track_caller]
    pub fn lose_no_packets(&self) {
        for namespace in [&self.namespace, &self.lab.server] {
            namespace.nft("flush chain ip lab input");
        }
    }

    /// A rule, as in nft(8), for what arrives at this host. It comes before those that are there.
    #[track_caller]
    pub fn filter_to_client(&self, rule: &str) {
        self.namespace.nft(&format!("insert rule ip lab input {rule}"));
    }

    /// The client sends something, and what comes back is lost: that is in flight from now on.
    #[track_caller]
    pub fn lose_echo(&self, client: &mut Client) {
        self.lose_packets(Way::ToClient);
        client.send("more\n");
        self.lab.wait_until_in_flight(client);
    }

    /// Switches off the network interface at this end of the cable.
    #[track_caller]
    pub fn link_down(&self) {
        self.namespace.ip("link set cable down");
    }

    /// Switches off the network interface at the other end.
    #[track_caller]
    pub fn server_link_down(&self) {
        self.lab.server.ip(&format!("link set cable{} down", self.number));
    }

    /// From now on what the daemon's host sends to this one does not even leave it.
    #[track_caller]
    pub fn server_sends_nothing(&self) {
        self.lab.server.nft(&format!("add rule ip lab output ip daddr {} drop", self.address()));
    }

    /// Gives the daemon's host a route to this one that leads nowhere; kinds as in ip-route(8).
    #[track_caller]
    pub fn server_route(&self, kind: &str) {
        self.lab.server.ip(&format!("route add {kind} {}", self.address()));
    }

    /// Power off, power on: the host has forgotten its connections, said nothing to anybody, and is back at its address.
    #[track_caller]
    pub fn reboot(&mut self) {
        // Without its cable, whatever the old one says while it goes is not heard.
        self.lab.server.ip(&format!("link delete cable{}", self.number));
        self.namespace = Namespace::new().expect("it was possible before");
        self.plug_in();
    }
}
