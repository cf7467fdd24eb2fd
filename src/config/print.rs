//! The effective settings as TOML: everything written out, nothing left to inherit.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use super::duration::written;
use super::{Config, Count, Listener, Log, Server};
use crate::core::Heartbeat;

impl Display for Config {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{}\n{}", self.server, self.log)?;
        for listener in &self.listeners {
            write!(out, "\n{listener}")?;
        }
        Ok(())
    }
}

impl Display for Server {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "[server]")?;
        writeln!(out, "workers = {}", count(self.workers))?;
        writeln!(out, "max_connections = {}", count(self.max_connections))?;
        writeln!(out, "shutdown_grace = {:?}", written(self.shutdown_grace))
    }
}

impl Display for Log {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "[log]")?;
        writeln!(out, "format = {:?}", self.format.name())?;
        writeln!(out, "level = {:?}", self.level.name())?;
        writeln!(out, "summary_interval = {:?}", written_or_off(self.summary_interval))
    }
}

impl Display for Listener {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "[[listener]]")?;
        writeln!(out, "name = {:?}", self.name)?;
        writeln!(out, "address = \"{}\"", self.address)?;
        writeln!(out, "protocol = {:?}", self.protocol.name())?;
        writeln!(out, "deadlines.read = {:?}", written_or_off(self.deadlines.read))?;
        writeln!(out, "deadlines.write = {:?}", written_or_off(self.deadlines.write))?;
        writeln!(out, "deadlines.lifetime = {:?}", written_or_off(self.deadlines.lifetime))?;
        let Some(Heartbeat { interval, timeout, max_missed }) = self.heartbeat else {
            return writeln!(out, "heartbeat.interval = \"off\"");
        };
        writeln!(out, "heartbeat.interval = {:?}", written(interval))?;
        writeln!(out, "heartbeat.timeout = {:?}", written(timeout))?;
        writeln!(out, "heartbeat.max_missed = {max_missed}")
    }
}

fn written_or_off(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "off".to_owned(), written)
}

fn count(count: Count) -> String {
    match count {
        Count::Auto => "\"auto\"".to_owned(),
        Count::Exactly(number) => number.to_string(),
    }
}
