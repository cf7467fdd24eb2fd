//! What is measured, and the figures made of it.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// The present.
#[allow(clippy::disallowed_methods, reason = "a benchmark measures real time, and none of it is paused")]
pub fn now() -> Instant {
    Instant::now()
}

/// The processor time that a process has used, all its threads together, to the nanosecond.
pub fn cpu_time(process: Pid) -> anyhow::Result<Duration> {
    Ok(clock_gettime(clock_getcpuclockid(process)?)?.into())
}

/// The memory that a process holds now, counted page by page: the kernel's quick counters lag behind.
pub fn resident_bytes(process: Pid) -> anyhow::Result<u64> {
    kibibytes(&format!("/proc/{process}/smaps_rollup"), "Rss:")
}

/// The most memory that a process ever held.
pub fn peak_resident_bytes(process: Pid) -> anyhow::Result<u64> {
    kibibytes(&format!("/proc/{process}/status"), "VmHWM:")
}

/// The memory of all processes that were started from here, what they share counted once, and of files in memory.
pub fn memory_in_use() -> anyhow::Result<u64> {
    let ours = nix::unistd::getpgrp().to_string();
    let of_process = |entry: fs::DirEntry| {
        let process: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let group = stat.rsplit_once(") ")?.1.split(' ').nth(2)?;
        let is_another = group == ours && Pid::from_raw(process) != Pid::this();
        is_another.then(|| kibibytes(&format!("/proc/{process}/smaps_rollup"), "Pss:").ok())?
    };
    let of_processes = fs::read_dir("/proc")?.flatten().filter_map(of_process).sum::<u64>();
    Ok(of_processes + kibibytes("/proc/meminfo", "Shmem:")?)
}

fn kibibytes(file: &str, key: &str) -> anyhow::Result<u64> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(number.with_context(|| format!("no {key} in {file}"))?.parse::<u64>()? * 1024)
}

/// The middle one. There must be one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => (values[middle - 1] + values[middle]) / 2.0,
        _ => values[middle],
    }
}

/// How long things took.
#[derive(Default)]
pub struct Durations(Vec<Duration>);

impl FromIterator<Duration> for Durations {
    fn from_iter<I: IntoIterator<Item = Duration>>(durations: I) -> Durations {
        Durations(durations.into_iter().collect())
    }
}

impl Durations {
    /// One more.
    pub fn note(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// What `share` of them did not exceed: 0.5 is the median, 1.0 the longest.
    pub fn percentile(&mut self, share: f64) -> Duration {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        self.0.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
    }
}
