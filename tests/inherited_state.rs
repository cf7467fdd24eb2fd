//! What a parent leaves behind decides neither how the daemon ends nor what it hears.

mod support;

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;
use support::client::Client;
use support::daemon::{Daemon, LISTENERS, serve};
use support::kernel::set_limit;
use support::process::{Process, TempFile};
use support::record::{Record, number};
use support::{dawdle, eventually, eventually_true};

/// A daemon whose process was prepared by `inheritance`, between fork and exec.
#[track_caller]
fn start_after(inheritance: fn() -> io::Result<()>) -> Daemon {
    let config = TempFile::new(LISTENERS);
    Daemon::start_command(prepared(serve(&config), inheritance), config)
}

#[expect(unsafe_code, reason = "what runs between fork and exec is for its author to answer for")]
fn prepared(mut command: Command, inheritance: fn() -> io::Result<()>) -> Command {
    // SAFETY: what the tests do there are system calls alone.
    unsafe { command.pre_exec(inheritance) };
    command
}

fn block_all_signals() -> io::Result<()> {
    Ok(SigSet::all().thread_set_mask()?)
}

#[expect(unsafe_code, reason = "a disposition can be a handler, for which no safe function answers")]
fn ignore_signals() -> io::Result<()> {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT, libc::SIGHUP, libc::SIGUSR1, libc::SIGCHLD] {
        // SAFETY: to be ignored is no handler.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    Ok(())
}

#[test]
fn signals_are_heard_though_they_were_blocked_or_ignored() {
    for inheritance in [block_all_signals, ignore_signals] {
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT] {
            let mut daemon = start_after(inheritance);
            daemon.signal(Signal::SIGHUP);
            daemon.wait_for_event("reload");
            daemon.signal(Signal::SIGUSR1);
            daemon.wait_for_event("summary");
            daemon.signal(signal);
            assert_eq!(daemon.wait_exit().code(), Some(0), "{signal}");
        }
    }
}

/// A parent sent them while they were blocked: a pending signal outlives an exec.
fn leave_signals_pending() -> io::Result<()> {
    block_all_signals()?;
    for signal in [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGXFSZ, Signal::SIGIO] {
        kill(Pid::this(), signal)?;
    }
    Ok(())
}

#[test]
fn signals_from_before_the_start_ask_for_nothing() {
    let daemon = start_after(leave_signals_pending);
    Client::connect(daemon.address("line")).echo("hello\n");
    daemon.stop();
}

/// alarm(2) and setitimer(2) outlive an exec too. The one of the processor's time would never run out here.
#[expect(unsafe_code, reason = "no safe crate sets this timer")]
fn leave_an_alarm() -> io::Result<()> {
    let soon = libc::timeval { tv_sec: 0, tv_usec: 300_000 };
    let alarm = libc::itimerval { it_interval: soon, it_value: soon };
    // SAFETY: the second argument is a structure of ours, the third may be null.
    match unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const alarm, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[test]
fn an_alarm_from_before_the_start_does_not_ring() {
    let daemon = start_after(leave_an_alarm);
    dawdle(Duration::from_millis(600));
    Client::connect(daemon.address("line")).echo("hello\n");
    daemon.stop();
}

#[test]
#[expect(unsafe_code, reason = "no safe crate has real-time signals")]
fn the_signals_of_others_habits_do_not_kill() {
    let mut daemon = start_after(|| Ok(()));
    let mut client = Client::connect(daemon.address("line"));
    client.echo("before\n");
    daemon.signal(Signal::SIGUSR1);
    let summary = daemon.wait_for_event("summary");
    assert_eq!((number(&summary, "accepted"), number(&summary, "open")), (1, 1), "{summary}");

    daemon.signal(Signal::SIGUSR2);
    daemon.wait_for_event("adopted");
    for harmless in [Signal::SIGXFSZ, Signal::SIGPIPE, Signal::SIGIO, Signal::SIGTTOU, Signal::SIGCHLD] {
        daemon.signal(harmless);
    }
    client.echo("after\n");
    drop(client);
    daemon.wait_for_closes(1);
    // Without a service manager there is nobody to leave anything with: it is a stop.
    let pid = i32::try_from(daemon.pid()).expect("a process id");
    // SAFETY: sending a signal to our child.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGRTMIN() + 1) }, 0);
    assert_eq!(daemon.wait_exit().code(), Some(0));
    daemon.final_summary();
}

#[test]
fn totals_are_told_while_a_stop_waits_too() {
    let mut daemon = Daemon::start("server.shutdown_grace = '1h'");
    let mut client = Client::connect(daemon.address("line"));
    client.echo("hello\n");
    daemon.signal(Signal::SIGTERM);
    client.expect_end();
    daemon.signal(Signal::SIGUSR1);
    assert_eq!(daemon.wait_for_event("summary")["open"], 1);
    daemon.signal(Signal::SIGQUIT);
    assert_eq!(daemon.wait_exit().code(), Some(0), "any second signal to stop is a second one");
}

/// `ulimit -f`: a write beyond it is an error, and would be the end by SIGXFSZ.
#[test]
fn a_log_at_the_limit_of_a_file_costs_records_and_no_connection() {
    const LARGEST_FILE: u64 = 16 * 1024;
    let config = TempFile::new(LISTENERS);
    let log = TempFile::new("");
    let mut command = prepared(serve(&config), || {
        Ok(setrlimit(Resource::RLIMIT_FSIZE, LARGEST_FILE, nix::libc::RLIM_INFINITY)?)
    });
    let mut daemon = Process::spawn(command.stderr(File::create(&log).expect("a file of ours")));
    let address = eventually("it listens", || {
        let records = whole_records(&log);
        let line = records.iter().find(|record| record["listener"] == "line")?;
        line["address"].as_str()?.parse().ok()
    });
    let mut client = Client::connect(address);
    for _ in 0..200 {
        Client::connect(address).echo("not held up\n");
    }
    client.echo("still served\n");
    drop(client);
    assert!(fs::metadata(&log).expect("a file of ours").len() <= LARGEST_FILE);
    set_limit(daemon.id(), libc::RLIMIT_FSIZE, 1024 * LARGEST_FILE);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_exit().code(), Some(0));
    let summary = whole_records(&log).into_iter().rfind(|record| record["event"] == "summary");
    let summary = summary.expect("the last one");
    assert!(number(&summary, "log_lost") >= 100, "{summary}");
}

fn whole_records(log: &TempFile) -> Vec<Record> {
    let text = fs::read_to_string(log).expect("plain text");
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).expect("a line is one record")).collect()
}

/// Descriptors 0 to 2 are not given to a socket, where whatever prints would reach a client.
#[test]
fn closed_standard_streams_become_no_sockets() {
    let config = TempFile::new(LISTENERS);
    let mut command =
        prepared(serve(&config), || (0..3).try_for_each(nix::unistd::close).map_err(io::Error::from));
    let daemon = Process::spawn(command.stderr(Stdio::null()));
    let target = |descriptor: u32| fs::read_link(format!("/proc/{}/fd/{descriptor}", daemon.id()));
    eventually_true("it has sockets", || {
        let open = (3..64).filter_map(|descriptor| target(descriptor).ok());
        open.filter(|path| path.to_string_lossy().starts_with("socket:")).count() >= 3
    });
    for descriptor in 0..3 {
        let path = target(descriptor).expect("it is open");
        assert_eq!(path, PathBuf::from("/dev/null"), "descriptor {descriptor}");
    }
}

/// What a sandbox does, and the kernel where the hard limit is above `fs.nr_open`: a limit can be read, not changed.
#[expect(unsafe_code, reason = "no safe crate installs a filter of system calls")]
fn refuse_new_limits() -> io::Result<()> {
    use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
    const LOAD: u32 = BPF_LD | BPF_W | BPF_ABS;
    const IS: u32 = BPF_JMP | BPF_JEQ | BPF_K;
    const ANSWER: u32 = BPF_RET | BPF_K;
    let step = |code, value, yes, no| libc::sock_filter { code: code as u16, jt: yes, jf: no, k: value };
    let number = std::mem::offset_of!(libc::seccomp_data, nr) as u32;
    let new_limits = std::mem::offset_of!(libc::seccomp_data, args) as u32 + 2 * 8;
    let mut steps = [
        step(LOAD, number, 0, 0),
        step(IS, libc::SYS_prlimit64 as u32, 0, 4),
        step(LOAD, new_limits, 0, 0), // both halves of a pointer are 0: it only asks
        step(IS, 0, 0, 3),
        step(LOAD, new_limits + 4, 0, 0),
        step(IS, 0, 0, 1),
        step(ANSWER, libc::SECCOMP_RET_ALLOW, 0, 0),
        step(ANSWER, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32, 0, 0),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the filter is a structure of ours, which the kernel copies.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    };
    if done { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[test]
fn a_descriptor_limit_that_cannot_be_raised_is_kept_and_told() {
    let daemon = start_after(|| {
        setrlimit(Resource::RLIMIT_NOFILE, 300, 400)?;
        refuse_new_limits()
    });
    let kept = daemon.wait_for_event("descriptor_limit_kept");
    assert_eq!((&kept["level"], number(&kept, "limit")), (&"WARN".into(), 300), "{kept}");
    assert_eq!(kept["errno"], "EPERM", "{kept}");
    let most = number(&daemon.wait_for_event("starting"), "max_connections");
    assert!(most < 300, "as many as the limit allows that holds: {most}");
    Client::connect(daemon.address("line")).echo("hello\n");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_event("reload");
    assert_eq!(daemon.records("descriptor_limit_kept").len(), 1, "told once");
    daemon.stop();
}

/// A parent with a leak: three descriptors are free, too few for a runtime.
fn leave_three_descriptors() -> io::Result<()> {
    setrlimit(Resource::RLIMIT_NOFILE, 100, 100)?;
    // What is open here and closed by exec would be free then.
    (3..100).for_each(|descriptor| _ = nix::unistd::close(descriptor));
    while fcntl(io::stderr(), FcntlArg::F_DUPFD(6)).is_ok() {}
    Ok(())
}

#[test]
fn the_log_tells_of_a_panic_that_ends_the_process() {
    let config = TempFile::new(LISTENERS);
    let ended = prepared(serve(&config), leave_three_descriptors).output().expect("it runs");
    let log = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(101), "{log}");
    assert!(log.contains("\"event\":\"panic\"") && log.contains("Too many open files"), "{log}");
}
