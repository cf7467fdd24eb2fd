//! The real binary, real sockets, and what every test may rely on.
//!
//! Nothing here sleeps and hopes: tests wait for what they need, with [`PATIENCE`]. Every daemon is killed when its
//! test ends, and its log is then held to the rules of [`record::check_log`], whatever the test was about.

#![allow(dead_code, reason = "every test binary uses its own part of this")]

pub mod client;
pub mod daemon;
pub mod example;
pub mod fd_store;
pub mod kernel;
pub mod load;
pub mod network;
pub mod process;
pub mod record;

use std::io::{self, Write as _};
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

/// The protocols, and the names of their listeners in [`daemon::LISTENERS`].
pub const PROTOCOLS: [&str; 2] = ["line", "raw"];

/// How long a test waits for what must come, on however loaded a machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often [`eventually`] looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Waits until `look` has found something, and returns it.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(LOOK_AGAIN);
    }
}

/// Waits until `holds` does.
#[track_caller]
pub fn eventually_true(what: &str, mut holds: impl FnMut() -> bool) {
    eventually(what, || holds().then_some(()));
}

/// Runs `test` for both protocols, at the same time. Their listeners are named like them.
pub fn for_both_protocols(test: impl Fn(&'static str) + Sync) {
    let test = &test;
    thread::scope(|scope| {
        let threads = PROTOCOLS.map(|protocol| scope.spawn(move || test(protocol)));
        threads.into_iter().for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
    });
}

/// Time to let pass because slowness is what the test is about, never to wait for something.
pub fn dawdle(duration: Duration) {
    thread::sleep(duration);
}

/// The time of the world outside: the daemon runs in another process, so there is no virtual time here.
#[allow(clippy::disallowed_methods, reason = "the clock of the daemon under test is the real one")]
pub fn now() -> Instant {
    Instant::now()
}

/// Says that a test cannot run here, past the test harness's capture. Where everything must run
/// (`PULSE_ECHO_REQUIRE_ALL=1`), that is a failure.
pub fn skip(why: &str) {
    let required = std::env::var("PULSE_ECHO_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(!required, "PULSE_ECHO_REQUIRE_ALL=1, but this cannot run: {why}");
    say_skipped(why);
}

/// The same for what no package brings: nowhere is that a failure.
pub fn say_skipped(why: &str) {
    let test = thread::current();
    let _ = writeln!(io::stderr(), "SKIPPED: {}: {why}", test.name().unwrap_or("a test"));
}
