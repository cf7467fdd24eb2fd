//! What the commands of the client are told.

use std::net::IpAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::config::parse_duration;

/// How results are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines for people.
    Text,
    /// One JSON object per event.
    Json,
}

/// Who speaks first after a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Direction {
    /// Whoever does
    Both,
    /// We
    Out,
    /// The far end, by a probe
    In,
}

/// Whom to connect to, and how.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// A name or an address, and a port; IPv6 as [::1]:7
    #[arg(value_name = "HOST:PORT", value_parser = host_and_port)]
    pub place: String,
    /// Connect from this address
    #[arg(long, value_name = "IP")]
    pub bind: Option<IpAddr>,
    /// IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// IPv6 only
    #[arg(short = '6', long)]
    pub ipv6: bool,
}

/// What `ping` is told.
#[derive(Debug, Clone, Args)]
pub struct Ping {
    /// Whom to ask.
    #[command(flatten)]
    pub target: Target,
    /// Time from one message to the next
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = some_time)]
    pub every: Duration,
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Bytes of a message
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = clap::value_parser!(u32).range(22..=65_536))]
    pub size: u32,
    /// Judge a silence after this long
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = some_time)]
    pub timeout: Duration,
    /// Connect again when the connection ends
    #[arg(long)]
    pub reconnect: bool,
    /// Say nothing, answer probes, and wait for what happens
    #[arg(long, conflicts_with_all = ["every", "count", "size"])]
    pub idle: bool,
    /// How results are told
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// What `idle-limit` is told.
#[derive(Debug, Clone, Args)]
pub struct IdleLimit {
    /// Whom to ask.
    #[command(flatten)]
    pub target: Target,
    /// The longest silence to try
    #[arg(long, value_name = "DURATION", default_value = "2h 4m", value_parser = some_time)]
    pub max: Duration,
    /// How close to come to the limit
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = some_time)]
    pub resolution: Duration,
    /// Who speaks first after the silence; "in" waits for a probe of the far end's
    #[arg(long, value_name = "DIRECTION", default_value = "both")]
    pub direction: Direction,
    /// Connections for each silence
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub samples: u32,
    /// Wait so long for a connection, and for an echo
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = some_time)]
    pub timeout: Duration,
    /// How results are told
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// A duration as in the configuration file, but not none.
fn some_time(text: &str) -> Result<Duration, String> {
    /// Later than this, sums of times could overflow.
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    match parse_duration(text)? {
        Duration::ZERO => Err("the shortest is \"1ms\"".to_owned()),
        long if long > LONGEST => Err("the longest is \"365d\"".to_owned()),
        duration => Ok(duration),
    }
}

fn host_and_port(text: &str) -> Result<String, String> {
    let (host, port) = text.rsplit_once(':').ok_or("the port is missing")?;
    if host.is_empty() {
        return Err("the host is missing".to_owned());
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err(format!("an IPv6 address stands in brackets: did you mean \"[{text}]:PORT\"?"));
    }
    match port.parse::<u16>() {
        Ok(1..) => Ok(text.to_owned()),
        _ => Err("a port is a number from 1 to 65535".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_host_and_a_port() {
        for good in ["localhost:7", "192.0.2.1:65535", "[::1]:7"] {
            assert_eq!(host_and_port(good), Ok(good.to_owned()));
        }
        for bad in ["localhost", ":7", "::1:7", "localhost:0", "localhost:65536", "localhost:echo"] {
            host_and_port(bad).expect_err(bad);
        }
    }
}
