//! What the kernel tells of a connection and of a process: how tests know a state instead of guessing it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use super::client::Client;
use super::daemon::Daemon;
use super::{eventually, eventually_true};

/// One end of a connection, as the kernel sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Socket {
    state: u8,
    /// Sent or to be sent, not acknowledged.
    unacknowledged: u32,
    /// Arrived, not read by its program.
    unread: u32,
    timer: u8,
    timer_rest: Duration,
}

// States, as in the kernel's include/net/tcp_states.h.
const FIN_WAIT_2: u8 = 5;
const LISTEN: u8 = 10;

const KEEPALIVE_TIMER: u8 = 2;

/// Asks for one socket, as ss(8) does: see sock_diag(7). `None`: there is none. `/proc/net/tcp` tells the same, in
/// milliseconds each time.
fn socket(local: SocketAddr, remote: SocketAddr) -> Option<Socket> {
    const SOCK_DIAG: i32 = 4;
    const BY_FAMILY: u16 = 20;
    const REQUEST: u16 = 1;
    const LENGTH: u32 = 72;
    let family = if local.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 } as u8;
    let (any_state, any_cookie) = (u32::MAX, u64::MAX);
    let request = [
        &LENGTH.to_ne_bytes()[..],
        &BY_FAMILY.to_ne_bytes(),
        &REQUEST.to_ne_bytes(),
        &[0; 8], // sequence and port
        &[family, libc::IPPROTO_TCP as u8, 0, 0],
        &any_state.to_ne_bytes(),
        &local.port().to_be_bytes(),
        &remote.port().to_be_bytes(),
        &octets(local),
        &octets(remote),
        &[0; 4], // any interface
        &any_cookie.to_ne_bytes(),
    ]
    .concat();
    // Opened by the calling thread, which may have a network of its own.
    let netlink = socket2::Socket::new(libc::AF_NETLINK.into(), socket2::Type::RAW, Some(SOCK_DIAG.into()));
    let mut netlink = netlink.expect("a netlink socket");
    netlink.write_all(&request).expect("the kernel takes questions");
    let mut answer = [0; 8192];
    let length = netlink.read(&mut answer).expect("the kernel answers");
    let number = |at: usize| u32::from_ne_bytes(answer[at..at + 4].try_into().expect("four bytes"));
    let is_socket = length >= 80 && answer[4..6] == BY_FAMILY.to_ne_bytes();
    let found = is_socket.then(|| Socket {
        state: answer[17],
        timer: answer[18],
        timer_rest: Duration::from_millis(number(68).into()),
        unread: number(72),
        unacknowledged: number(76),
    });
    found.filter(|socket| socket.state != LISTEN) // which it looks for next
}

fn octets(address: SocketAddr) -> [u8; 16] {
    match address {
        SocketAddr::V6(address) => address.ip().octets(),
        SocketAddr::V4(address) => {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&address.ip().octets());
            octets
        }
    }
}

/// Waits until a host knows nothing of a connection any more, because it was reset.
#[track_caller]
pub fn wait_until_gone(local: SocketAddr, remote: SocketAddr) {
    eventually_true("the RST arrives", || socket(local, remote).is_none());
}

impl Client {
    fn our_end(&self) -> Option<Socket> {
        socket(self.address, self.server)
    }

    fn daemons_end(&self) -> Option<Socket> {
        socket(self.server, self.address)
    }

    /// Waits until all we sent has reached the daemon's host.
    #[track_caller]
    pub fn wait_until_delivered(&self) {
        let delivered = || self.our_end().is_some_and(|socket| socket.unacknowledged == 0);
        eventually_true("all is delivered", delivered);
    }

    /// Waits until our FIN has reached the daemon's host.
    #[track_caller]
    pub fn wait_until_fin_delivered(&self) {
        let delivered = || self.our_end().is_some_and(|socket| socket.state == FIN_WAIT_2);
        eventually_true("the FIN is delivered", delivered);
    }

    /// What the daemon has not read yet; `None`: its end is gone.
    pub fn unread_by_daemon(&self) -> Option<u32> {
        self.daemons_end().map(|socket| socket.unread)
    }

    /// When the daemon's host sends its next keepalive, if that is what it waits for.
    pub fn next_keepalive(&self) -> Option<Duration> {
        let socket = self.daemons_end().filter(|socket| socket.timer == KEEPALIVE_TIMER)?;
        Some(socket.timer_rest)
    }

    /// Whether the daemon's host waits for nothing.
    pub fn is_without_timer(&self) -> bool {
        self.daemons_end().is_some_and(|socket| socket.timer == 0)
    }

    /// Sends, reading nothing, until the daemon cannot write to us any more and therefore reads no more either, or has
    /// ended the connection for that. What was sent has all reached its host. Returns it.
    #[track_caller]
    pub fn send_until_blocked(&mut self, daemon: &Daemon) -> Vec<u8> {
        // Small enough to fit into what its host receives for a program that does not read.
        const CHUNK: usize = 64 * 1024;
        const LIMIT: usize = 64 * 1024 * 1024;
        let mut sent = Vec::new();
        loop {
            assert!(sent.len() < LIMIT, "the daemon still reads, but cannot write: its memory grows");
            let chunk = format!("{:031}\n", sent.len()).repeat(CHUNK / 32);
            if self.stream.write_all(chunk.as_bytes()).is_err() {
                return sent;
            }
            sent.extend(chunk.as_bytes());
            if self.daemon_is_blocked(daemon) {
                return sent;
            }
        }
    }

    /// Whether the daemon leaves unread what we sent. Decides only when it either does or has read everything.
    #[track_caller]
    pub fn daemon_is_blocked(&self, daemon: &Daemon) -> bool {
        eventually("the daemon has read everything, or reads no more", || {
            let (Some(ours), Some(theirs)) = (self.our_end(), self.daemons_end()) else { return Some(true) };
            if ours.unacknowledged > 0 {
                return None;
            }
            // Nothing more arrives. What is unread before and after the daemon was seen asleep will stay so.
            match theirs.unread {
                0 => Some(false),
                _ => (sleeps(daemon.pid()) && self.unread_by_daemon() != Some(0)).then_some(true),
            }
        })
    }
}

/// Whether every thread of a process waits for something.
pub fn sleeps(pid: u32) -> bool {
    all_threads_are(pid, 'S')
}

/// Whether every thread of a process is in that state, see proc_pid_stat(5).
pub fn all_threads_are(pid: u32, state: char) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the daemon runs");
    threads.flatten().all(|thread| {
        let status = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        status.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(state))
    })
}

/// Resident memory of a process, in bytes.
pub fn resident_bytes(pid: u32) -> usize {
    let kilobytes = status_value(pid, "VmRSS:");
    kilobytes.trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}

/// How many descriptors fit into the table that the kernel keeps for a process now.
pub fn descriptor_table_size(pid: u32) -> usize {
    status_value(pid, "FDSize:").parse().expect("a number")
}

fn status_value(pid: u32, key: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the daemon runs");
    let value = status.lines().find_map(|line| line.strip_prefix(key)).expect("its status is known");
    value.trim().to_owned()
}

/// Open descriptors of a process.
pub fn open_descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).expect("the daemon runs").count()
}

/// Changes how many descriptors a running process may open.
pub fn set_descriptor_limit(pid: u32, descriptors: usize) {
    set_limit(pid, libc::RLIMIT_NOFILE, descriptors as libc::rlim_t);
}

/// Changes a limit of a running process, but not how far it may raise that itself.
#[expect(unsafe_code, reason = "nix changes the limits of the calling process only")]
pub fn set_limit(pid: u32, resource: libc::__rlimit_resource_t, limit: libc::rlim_t) {
    let pid = libc::pid_t::try_from(pid).expect("a process id");
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the third argument may be null, the fourth is a structure of ours.
    let result = unsafe { libc::prlimit(pid, resource, std::ptr::null(), &raw mut limits) };
    assert_eq!(result, 0, "the limits of our child");
    limits.rlim_cur = limit;
    // SAFETY: the third argument is a structure of ours, the fourth may be null.
    let result = unsafe { libc::prlimit(pid, resource, &raw const limits, std::ptr::null_mut()) };
    assert_eq!(result, 0, "a new limit for our child");
}
