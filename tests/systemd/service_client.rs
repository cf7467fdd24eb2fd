//! What the tests under a real systemd need beside a shell: many connections, and a thread that stops.
//!
//! Each command but `burst` goes on until its standard input ends, so that it does not outlive the test that holds it.

use std::error::Error;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pulse_echo::limits::raise_descriptor_limit;
use socket2::{Domain, Socket, Type};

/// Longer than any restart takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between attempts: it is a test of what happens, not of how much.
const PAUSE: Duration = Duration::from_millis(5);

const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What the client and the server under the same limit need beside the connections.
const DESCRIPTORS_OF_OTHERS: usize = 200;

const CONNECTIONS_PER_ADDRESS: usize = 4_000;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["attempts", address] => attempts(address),
        ["burst", address, count] => burst(address, count),
        ["freeze", process, thread] => freeze(process, thread),
        _ => Err("usage: attempts ADDRESS | burst ADDRESS COUNT | freeze PROCESS THREAD".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("service_client: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Connects again and again, whatever became of the attempts before, and wants an echo each time. Tells how many attempts
/// were refused, and how many were accepted but not served, as by a server that was just stopping.
fn attempts(address: &str) -> Outcome {
    let address: SocketAddr = address.parse()?;
    let over = standard_input_ends();
    let (mut accepted, mut refused) = (Vec::new(), 0);
    while !over.load(Ordering::Relaxed) {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => accepted.push(thread::spawn(move || time_of_echo(&stream))),
            Err(_) => refused += 1,
        }
        thread::sleep(PAUSE);
    }
    let made = accepted.len() + refused;
    let times: Vec<Duration> = accepted.into_iter().filter_map(|served| served.join().ok()?.ok()).collect();
    let unserved = made - refused - times.len();
    let slowest = times.into_iter().max().unwrap_or_default();
    println!("attempts={made} refused={refused} unserved={unserved} slowest_ms={}", slowest.as_millis());
    Ok(())
}

fn time_of_echo(stream: &TcpStream) -> io::Result<Duration> {
    let began = now();
    echoes(stream)?;
    Ok(began.elapsed())
}

fn echoes(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"hello\n")?;
    stream.shutdown(Shutdown::Write)?;
    let mut echo = Vec::new();
    stream.read_to_end(&mut echo)?;
    if echo == b"hello\n" { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

/// Opens `count` connections, waits until each is served, and closes them all at once. Those that the descriptor limit
/// does not allow at the same time go before.
fn burst(address: &str, count: &str) -> Outcome {
    let possible = usize::try_from(raise_descriptor_limit()?)?.saturating_sub(DESCRIPTORS_OF_OTHERS);
    let mut left: usize = count.parse()?;
    while left > 0 {
        let first = match left % possible {
            0 => possible,
            rest => rest,
        };
        open_and_close(address, first)?;
        left -= first;
    }
    Ok(())
}

fn open_and_close(address: &str, count: usize) -> Outcome {
    let began = now();
    let address: SocketAddr = address.parse()?;
    let connect = |index| connect_from(local_address(index), address);
    let mut streams = (0..count).map(connect).collect::<io::Result<Vec<_>>>()?;
    for stream in &mut streams {
        stream.write_all(b"\n")?;
    }
    for stream in &mut streams {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.read_exact(&mut [0])?;
    }
    let opened = began.elapsed();
    drop(streams);
    let closed = began.elapsed() - opened;
    println!("connections={count} opened_ms={} closed_ms={}", opened.as_millis(), closed.as_millis());
    Ok(())
}

/// A machine has many loopback addresses. Finding a free port for one that has many connections to the same place is slow.
fn local_address(index: usize) -> SocketAddr {
    let last_octet = u8::try_from(index / CONNECTIONS_PER_ADDRESS).unwrap_or(u8::MAX).saturating_add(1);
    (Ipv4Addr::new(127, 0, 1, last_octet), 0).into()
}

fn connect_from(local: SocketAddr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&local.into())?;
    socket.connect(&address.into())?;
    Ok(socket.into())
}

/// Stops one thread of a process, as a tracer may, and leaves the others alone.
#[expect(unsafe_code, reason = "nix does this only with its feature ptrace, for which one test is no reason")]
fn freeze(process: &str, thread: &str) -> Outcome {
    let thread = thread_named(process, thread)?;
    for request in [libc::PTRACE_SEIZE, libc::PTRACE_INTERRUPT] {
        // SAFETY: these requests use neither address nor data, and touch no memory of ours.
        let result = unsafe { libc::ptrace(request, thread, null_mut::<u8>(), null_mut::<u8>()) };
        if result == -1 {
            return Err(io::Error::last_os_error().into());
        }
    }
    println!("frozen");
    let over = standard_input_ends();
    while !over.load(Ordering::Relaxed) && !has_ended(thread) {
        thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// A thread that was killed is gone for its process only once its tracer has been told.
#[expect(
    unsafe_code,
    reason = "nix does this only with its feature process, for which one test is no reason"
)]
fn has_ended(thread: libc::pid_t) -> bool {
    let mut status = 0;
    // SAFETY: `status` is ours, and outlives the call.
    let changed = unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL | libc::WNOHANG) };
    changed == thread && !libc::WIFSTOPPED(status)
}

fn thread_named(process: &str, name: &str) -> Result<libc::pid_t, Box<dyn Error>> {
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let task = task?;
        if fs::read_to_string(task.path().join("comm"))?.trim_end() == name {
            return Ok(task.file_name().to_string_lossy().parse()?);
        }
    }
    Err(format!("process {process} has no thread {name}").into())
}

/// Becomes true when nobody holds our standard input any more.
fn standard_input_ends() -> Arc<AtomicBool> {
    let over = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&over);
    thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        ended.store(true, Ordering::Relaxed);
    });
    over
}

#[allow(clippy::disallowed_methods, reason = "the clock of another process is the real one")]
fn now() -> Instant {
    Instant::now()
}
