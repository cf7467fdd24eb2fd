//! What a process inherits from whoever started it, made what a daemon needs: signals, timers.
//!
//! A parent that blocked SIGTERM, or left an alarm running, would otherwise decide how the daemon ends.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};

/// Signals of which none may end or stop the daemon.
const IGNORED: [Signal; 7] = [
    // Heeded as soon as there is somebody to heed them; until then they ask for nothing, an inherited one least of all.
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    // The log has reached `ulimit -f`: records are lost, connections are not.
    Signal::SIGXFSZ,
    // A client or a reader of the log is gone: an error of the write, which is dealt with there.
    Signal::SIGPIPE,
    // The log goes to a terminal whose `tostop` wants background jobs to stop.
    Signal::SIGTTOU,
    // Somebody asked for it on a descriptor that he shares with us.
    Signal::SIGIO,
];

/// Those of them that [`super::signals`] heeds.
const HEEDED: [Signal; 3] = [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2];

/// Signals that end the daemon. As process 1 it would not even hear them: their default is ignored there.
const STOPPING: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT];

/// Whether [`super::signals`] hears them, which then knows how to end.
static HEARD: AtomicBool = AtomicBool::new(false);

/// Makes the process a daemon's, before it has a second thread: those inherit the mask.
///
/// # Errors
/// The system refuses, as only a sandbox makes it.
///
/// `hears_later`: the program before held back what came meanwhile, until [`hear`].
pub fn reset(hears_later: bool) -> io::Result<()> {
    let heeded = |signal: &Signal| HEEDED.contains(signal);
    for ignored in IGNORED.into_iter().filter(|signal| !(hears_later && heeded(signal))) {
        dispose(ignored, SigHandler::SigIgn)?;
    }
    for stopping in STOPPING {
        dispose(stopping, SigHandler::Handler(leave))?;
    }
    if !hears_later {
        ignore_real_time_restart()?;
    }
    // Where it is ignored children leave no exit status.
    dispose(Signal::SIGCHLD, SigHandler::SigDfl)?;
    disarm_timers()?;
    // Last: what waited and asks for nothing is gone by now.
    if hears_later { Ok(()) } else { hear() }
}

/// Holds no signal back any more.
///
/// # Errors
/// The system refuses.
pub fn hear() -> io::Result<()> {
    Ok(SigSet::empty().thread_set_mask()?)
}

/// Holds back what may come, for [`hear`] or for the program that takes the place of this one.
///
/// # Errors
/// The system refuses.
pub fn hold_back() -> io::Result<()> {
    Ok(SigSet::all().thread_set_mask()?)
}

/// Whether a signal that ends the daemon waits to be heard.
#[expect(unsafe_code, reason = "no safe crate tells which signals wait")]
pub fn stop_is_held_back() -> bool {
    let mut waiting = SigSet::empty().as_ref().to_owned();
    // SAFETY: the set is ours, and filled by this.
    let told = unsafe { libc::sigpending(&raw mut waiting) };
    // SAFETY: a set that was made by `SigSet` and filled by the system.
    let waiting = unsafe { SigSet::from_sigset_t_unchecked(waiting) };
    told == 0 && STOPPING.into_iter().any(|signal| waiting.contains(signal))
}

/// Leaves signals to the main thread, which can then hold them back. What a fault raises stays with the thread that has it.
pub fn leave_signals_to_main_thread() {
    let mut others = SigSet::all();
    for fault in
        [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL, Signal::SIGTRAP, Signal::SIGSYS]
    {
        others.remove(fault);
    }
    let _ = others.thread_block(); // no thread may not
}

/// From now on signals are commands. Their handlers call the former one too, which leaves it to them.
pub(super) fn hand_signals_over() {
    HEARD.store(true, Ordering::Release);
}

/// Nothing is served yet, so to end is all that a stop takes.
#[expect(unsafe_code, reason = "no safe function ends a process within a signal handler")]
extern "C" fn leave(_signal: libc::c_int) {
    if !HEARD.load(Ordering::Acquire) {
        // SAFETY: _exit is async-signal-safe, see signal-safety(7).
        unsafe { libc::_exit(0) }
    }
}

#[expect(unsafe_code, reason = "a disposition can be a handler, for which no safe function answers")]
fn dispose(which: Signal, how: SigHandler) -> nix::Result<()> {
    // SAFETY: the one handler in use, `leave`, does only what is safe at any moment.
    unsafe { signal(which, how) }.map(drop)
}

/// The signal that [`super::signals`] knows as a restart; nix has no name for it.
#[expect(unsafe_code, reason = "no safe crate has real-time signals")]
fn ignore_real_time_restart() -> nix::Result<()> {
    // SAFETY: to be ignored is no handler either.
    let former = unsafe { libc::signal(restart_signal(), libc::SIG_IGN) };
    if former == libc::SIG_ERR { Err(Errno::last()) } else { Ok(()) }
}

/// SIGRTMIN+1.
pub(super) fn restart_signal() -> libc::c_int {
    libc::SIGRTMIN() + 1
}

/// `alarm(2)` and `setitimer(2)` outlive an exec, and their signals kill.
#[expect(unsafe_code, reason = "no safe crate sets these timers")]
fn disarm_timers() -> nix::Result<()> {
    let never = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let off = libc::itimerval { it_interval: never, it_value: never };
    for timer in [libc::ITIMER_REAL, libc::ITIMER_VIRTUAL, libc::ITIMER_PROF] {
        // SAFETY: the second argument is a structure of ours, the third may be null.
        Errno::result(unsafe { libc::setitimer(timer, &raw const off, std::ptr::null_mut()) })?;
    }
    Ok(())
}
