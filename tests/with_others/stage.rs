//! The hosts of the page, and the programs on them, in a network of the test's own.

use std::fs;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::page::section;
use crate::support::client::Client;
use crate::support::daemon::Daemon;
use crate::support::network::{in_own_network, run};
use crate::support::process::{Process, TempFile};
use crate::support::{eventually_true, skip};

/// The balancer, two hosts with pulse-echo, and two clients.
const HOSTS: [&str; 5] = ["10.0.0.1", "10.0.0.11", "10.0.0.12", "192.0.2.7", "192.0.2.8"];

/// Where the balancers listen.
pub const BALANCER: &str = "10.0.0.1:7007";

/// Runs `test` where all hosts of the page are this one, if these programs are installed.
pub fn on_stage(programs: &[&str], test: impl FnOnce() + Send) {
    if let Some(missing) = programs.iter().find(|program| !is_installed(program)) {
        return skip(&format!("{missing} is not installed"));
    }
    in_own_network(|| {
        for host in HOSTS {
            run("ip", &["address", "add", &format!("{host}/32"), "dev", "lo"]).expect("an address");
        }
        // Whoever does not say from where comes from the balancer's host.
        for host in &HOSTS[1..3] {
            let route = ["route", "replace", "local", host, "dev", "lo", "table", "local", "src", HOSTS[0]];
            run("ip", &route).expect("a route");
        }
        test();
    });
}

fn is_installed(program: &str) -> bool {
    let sbin = Path::new("/usr/sbin").join(program).exists();
    sbin || Path::new("/usr/bin").join(program).exists()
}

/// The configuration of the page, on one of the two hosts.
pub fn configuration(host: &str) -> String {
    let [configuration] = section("The pulse-echo of this page").snippets();
    configuration.replace("10.0.0.11", host)
}

/// A pulse-echo as the page has it, but for these settings.
pub fn pulse_echo(host: &str, settings: &str) -> Daemon {
    Daemon::start_with_file(&format!("{settings}\n{}", configuration(host)))
}

/// A client from one of the client's addresses.
#[track_caller]
pub fn client(from: &str, server: &str) -> Client {
    Client::connect_from(host(from), address(server), None)
}

pub fn host(host: &str) -> IpAddr {
    host.parse().expect("an address")
}

pub fn address(address: &str) -> SocketAddr {
    address.parse().expect("an address and a port")
}

/// A program in the foreground, and what it says.
pub struct Program {
    pub process: Process,
    output: TempFile,
}

impl Program {
    /// Starts it, and waits until it listens.
    #[track_caller]
    pub fn start(command: &mut Command, listens_on: &str) -> Program {
        let mut program = Program::start_silent(command);
        let address = address(listens_on);
        eventually_true("the program listens", || {
            let ended = program.process.try_wait().expect("it is our child");
            assert!(ended.is_none(), "{command:?}: {}", program.said());
            is_listened_on(address)
        });
        program
    }

    /// Starts one that listens nowhere.
    pub fn start_silent(command: &mut Command) -> Program {
        let output = TempFile::with_name("said", "");
        let file = || fs::OpenOptions::new().append(true).open(&output).expect("a file of ours");
        let process = Process::spawn(command.stdin(Stdio::null()).stdout(file()).stderr(file()));
        Program { process, output }
    }

    /// What it has printed so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).expect("a file of ours")).into_owned()
    }
}

/// Whether somebody listens there, without connecting: that would show in the logs.
fn is_listened_on(address: SocketAddr) -> bool {
    const LISTEN: &str = "0A";
    let SocketAddr::V4(address) = address else { panic!("the page has no IPv6 addresses") };
    let sockets = fs::read_to_string("/proc/thread-self/net/tcp").expect("the table of TCP sockets");
    let wanted = hex(address);
    sockets
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .any(|fields| matches!(fields[..], [_, local, _, state, ..] if local == wanted && state == LISTEN))
}

/// As in /proc/net/tcp, see proc(5).
fn hex(address: SocketAddrV4) -> String {
    format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port())
}

/// Runs a command of the page to its end, and returns whether it succeeded and what it printed.
#[track_caller]
pub fn shell(command: &str) -> (bool, String) {
    let output = Command::new("sh").args(["-c", command]).stdin(Stdio::null()).output().expect("a shell");
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.success(), said.concat())
}
