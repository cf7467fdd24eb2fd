//! The machine: which of its cores serves and which one loads, and what it is.

use std::fs;
use std::process::Command;

use anyhow::Context as _;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// One core for the server, another for the load: neither takes time from the other.
#[derive(Debug, Clone, Copy)]
pub struct Cores {
    server: CpuSet,
    load: CpuSet,
}

impl Cores {
    /// Takes two cores; the calling thread, and those it starts, stay on the load's.
    pub fn take() -> anyhow::Result<Cores> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let mut cores = (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false));
        let (load, server) = (cores.next(), cores.next_back());
        let cores = Cores {
            load: only(load.context("no core is allowed")?)?,
            server: only(server.context("two cores are needed: one serves, one loads")?)?,
        };
        sched_setaffinity(Pid::from_raw(0), &cores.load)?;
        Ok(cores)
    }

    /// Does something on the server's core: a process started there stays there.
    pub fn on_server_core<T>(&self, action: impl FnOnce() -> T) -> anyhow::Result<T> {
        sched_setaffinity(Pid::from_raw(0), &self.server)?;
        let result = action();
        sched_setaffinity(Pid::from_raw(0), &self.load)?;
        Ok(result)
    }
}

fn only(core: usize) -> anyhow::Result<CpuSet> {
    let mut set = CpuSet::new();
    set.set(core)?;
    Ok(set)
}

/// Makes the calling thread one that runs only while no other wants to: its load must not delay what is measured
/// on the same core.
#[expect(unsafe_code, reason = "nix does not set scheduling policies")]
pub fn yield_to_others() {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is to a live local; the calling thread's policy is all that changes. Failing, it is less calm.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameters) };
}

/// What the figures depend on.
pub fn description() -> String {
    let processor = first_value("/proc/cpuinfo", "model name").unwrap_or_default();
    let cores = fs::read_to_string("/proc/cpuinfo").map_or(0, |text| text.matches("processor\t").count());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let virtual_machine = match first_value("/proc/cpuinfo", "flags") {
        Some(flags) if flags.split(' ').any(|flag| flag == "hypervisor") => ", a virtual machine",
        _ => "",
    };
    let mut parts =
        vec![format!("{processor}, {cores} cores{virtual_machine}"), format!("Linux {}", kernel.trim())];
    parts.extend(output("rustc", "--version"));
    parts.extend(output("go", "version"));
    parts.join("; ")
}

/// What a command prints; `None` where there is no such command.
fn output(command: &str, argument: &str) -> Option<String> {
    let output = Command::new(command).arg(argument).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn first_value(file: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
