//! The daemon's own sleep and the machine's load count against nobody, however many are connected.
//!
//! In a test binary of its own, because binaries are run one after the other: here the machine is kept busy on purpose.

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::Signal;
use pulse_echo::limits::raise_descriptor_limit;
use support::daemon::Daemon;
use support::record::number;
use support::{dawdle, eventually, eventually_true, now};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Line clients that answer every probe, all in one thread.
struct Crowd {
    members: Vec<Arc<Member>>,
    /// Dropped, it ends them all.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// One of them.
#[derive(Debug)]
struct Member {
    address: SocketAddr,
    answers: AtomicU64,
    /// From then on it reads, but answers no more.
    silent: AtomicBool,
}

impl Crowd {
    /// As many as `count`, all of them connected and served.
    #[track_caller]
    fn gather(server: SocketAddr, count: usize) -> Crowd {
        raise_descriptor_limit().expect("as many descriptors as allowed");
        let (stop, stopped) = oneshot::channel();
        let (sender, gathered) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("an event loop");
            runtime.block_on(async {
                let mut tasks = JoinSet::new();
                let mut members = Vec::new();
                for _ in 0..count {
                    let (member, stream) = Member::connect(server).await;
                    tasks.spawn(Arc::clone(&member).answer(stream));
                    members.push(member);
                }
                sender.send(members).expect("somebody waits for them");
                let _ = stopped.await;
            });
        });
        let members = gathered.recv().expect("all of them are served");
        Crowd { members, stop: Some(stop), thread: Some(thread) }
    }

    /// Waits until every one of them has answered a probe more.
    #[track_caller]
    fn wait_for_answers(&self) {
        let answers = |member: &Arc<Member>| member.answers.load(Ordering::Relaxed);
        let before: Vec<_> = self.members.iter().map(answers).collect();
        eventually_true("all answer", || {
            self.members.iter().zip(&before).all(|(member, before)| answers(member) > *before)
        });
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.take();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Member {
    async fn connect(server: SocketAddr) -> (Arc<Member>, TcpStream) {
        let mut stream = TcpStream::connect(server).await.expect("the daemon listens");
        stream.set_nodelay(true).expect("an option of TCP");
        stream.write_all(b"x\n").await.expect("it is connected");
        stream.read_exact(&mut [0; 2]).await.expect("it is served");
        let address = stream.local_addr().expect("it is connected");
        (Arc::new(Member { address, answers: AtomicU64::new(0), silent: AtomicBool::new(false) }), stream)
    }

    async fn answer(self: Arc<Member>, mut stream: TcpStream) {
        let mut probes = [0; 64];
        // Probes are so rare that none comes in pieces.
        while let Ok(length @ 1..) = stream.read(&mut probes).await {
            if self.silent.load(Ordering::Relaxed) {
                continue;
            }
            let answers = probes[..length].split_inclusive(|byte| *byte == b'\n').map(|probe| {
                let number = probe.strip_prefix(b"PING ").expect("a probe");
                [b"PONG ", number].concat()
            });
            let answers: Vec<_> = answers.collect();
            if stream.write_all(&answers.concat()).await.is_err() {
                return;
            }
            self.answers.fetch_add(answers.len() as u64, Ordering::Relaxed);
        }
    }
}

/// Detection takes two seconds.
#[test]
fn asleep_for_three_times_its_detection_time_the_daemon_blames_nobody_but_who_is_silent() {
    const WORKERS: usize = 2;
    const DETECTION: Duration = Duration::from_secs(2);
    const LATE: Duration = Duration::from_secs(3);
    let settings = "heartbeat = { interval = '1s', timeout = '500ms', max_missed = 2 }";
    let daemon = Daemon::start(&format!("server.workers = {WORKERS}\n{settings}"));
    let crowd = Crowd::gather(daemon.address("line"), 1000);
    crowd.wait_for_answers();
    daemon.signal(Signal::SIGSTOP);
    dawdle(DETECTION * 3);
    let silent = &crowd.members[500];
    silent.silent.store(true, Ordering::Relaxed);
    daemon.signal(Signal::SIGCONT);
    let awake = now();
    let close = daemon.wait_for_close(silent.address);
    let found_after = awake.elapsed();
    assert_eq!(close["reason"], "heartbeat_timeout", "{close}");
    assert_eq!(close["verdict"], "peer_hung", "{close}");
    assert!(found_after <= DETECTION + LATE, "{found_after:?}: {close}");
    let stalls = eventually("every event loop tells of its sleep", || {
        let mut stalls = daemon.records("stall");
        // On a busy machine there may have been others.
        stalls.retain(|stall| Duration::from_millis(number(stall, "stalled_ms")) >= DETECTION * 2);
        (stalls.len() >= WORKERS).then_some(stalls)
    });
    eprintln!("1000 clients, asleep for {:?}: {stalls:?}", DETECTION * 3);
    let workers: Vec<_> = stalls.iter().map(|stall| number(stall, "worker")).collect();
    assert_eq!(workers.len(), WORKERS, "once each: {stalls:?}");
    assert_ne!(workers[0], workers[1], "once each: {stalls:?}");
    assert!(stalls.iter().all(|stall| number(stall, "forgiven") > 0), "{stalls:?}");
    let closes = daemon.records("close");
    assert_eq!(closes.len(), 1, "only the silent one: {closes:?}");
}

#[test]
fn on_a_busy_machine_no_healthy_peer_is_closed() {
    const BUSY_FOR: Duration = Duration::from_secs(30);
    const BUSY_THREADS_PER_CORE: usize = 2;
    const CLIENTS: usize = 5000;
    let daemon = Daemon::start("heartbeat = { interval = '2s', timeout = '2s', max_missed = 3 }");
    let crowd = Crowd::gather(daemon.address("line"), CLIENTS);
    let began = now();
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        for _ in 0..cores * BUSY_THREADS_PER_CORE {
            scope.spawn(|| while began.elapsed() < BUSY_FOR {});
        }
    });
    crowd.wait_for_answers();
    let closes = daemon.records("close");
    assert!(closes.is_empty(), "{} closed: {:?}", closes.len(), closes[0]);
    let answers: u64 = crowd.members.iter().map(|member| member.answers.load(Ordering::Relaxed)).sum();
    eprintln!("{CLIENTS} clients answered {answers} probes, stalls: {:?}", daemon.records("stall"));
    drop(crowd);
    daemon.wait_for_closes(CLIENTS);
    daemon.stop();
}
