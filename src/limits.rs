//! How many connections fit: the descriptor limit, and what is kept of it for ourselves.

use std::io;
use std::os::fd::RawFd;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors that are not connections: standard streams, the log, timers and wakers of every event loop.
const RESERVED: u64 = 64;

/// Those of them without which nothing starts: 9 were measured.
const RESERVED_AT_LEAST: u64 = 16;

/// Its epoll, its wakers.
const DESCRIPTORS_PER_WORKER: u64 = 4;

/// Room in the table of descriptors that is made at the start: half a mebibyte of the kernel's memory.
const ROOM_AT_START: RawFd = 65_536;

/// How many descriptors may be open: the soft limit.
///
/// # Errors
/// As getrlimit(2), which only a sandbox makes fail.
pub fn descriptor_limit() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.0)
}

/// Raises the soft limit of open descriptors to the hard one, and returns what holds now.
///
/// # Errors
/// As getrlimit(2) and setrlimit(2).
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

/// The connections that `descriptors` allow beside `workers` event loops and `listeners`.
pub fn connections_within(descriptors: u64, workers: usize, listeners: usize) -> usize {
    let own = RESERVED + own_descriptors(workers, listeners);
    usize::try_from(descriptors.saturating_sub(own)).unwrap_or(usize::MAX).max(1)
}

/// The fewest descriptors with which `workers` event loops and `listeners` can serve one connection.
pub fn fewest_descriptors(workers: usize, listeners: usize) -> u64 {
    RESERVED_AT_LEAST + own_descriptors(workers, listeners) + 1
}

fn own_descriptors(workers: usize, listeners: usize) -> u64 {
    DESCRIPTORS_PER_WORKER * workers as u64 + listeners as u64
}

/// Makes the kernel's table of our descriptors large enough for so many `connections`, but not for more than 65,536.
///
/// It grows by doubling. In a process with several threads accept(2) then waits until every processor has seen it
/// (`expand_fdtable` in the kernel's fs/file.c): 12 to 20 ms were measured, too long for those who are connected.
pub fn make_room_for(connections: usize) {
    let last = RawFd::try_from(connections as u64 + RESERVED).unwrap_or(ROOM_AT_START).min(ROOM_AT_START - 1);
    // Where this fails the table grows later.
    if let Ok(descriptor) = fcntl(io::stderr(), FcntlArg::F_DUPFD_CLOEXEC(last)) {
        let _ = nix::unistd::close(descriptor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_descriptors_are_kept_back() {
        assert_eq!(connections_within(20_000, 2, 2), 20_000 - 64 - 8 - 2);
        assert_eq!(connections_within(10, 2, 2), 1);
        assert_eq!(connections_within(u64::MAX, 1, 0), usize::MAX - 68);
    }
}
