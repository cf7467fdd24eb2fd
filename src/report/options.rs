//! What `report` is told.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ipnet::IpNet;

/// What `report` is told.
#[derive(Debug, Clone, Args)]
#[command(
    after_long_help = "Memory is bounded, at most about 100 MiB and, for each file, half a MiB and the window of its \
compression (of zstd at most 128 MiB), whatever the log holds: peers and networks are counted one by one up to 65,536 of each, then only the most \
frequent (the page says so), and lines over 256 KiB are skipped and counted."
)]
pub struct Options {
    /// Logs of pulse-echo: JSON, text or journalctl -o json, plain, gzip or zstd; - is standard input. Without any, the
    /// journal of the unit
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Ask journalctl for the records of this unit
    #[arg(long, value_name = "NAME")]
    pub unit: Option<String>,
    /// Only records from then on: -1h, today, yesterday, 13:30, 2026-11-25, RFC 3339, @SECONDS
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Only records before
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Only connections of this listener
    #[arg(long, value_name = "N")]
    pub listener: Option<String>,
    /// Only connections of peers in this network, or of this address
    #[arg(long, value_name = "CIDR", value_parser = network)]
    pub peer: Option<IpNet>,
    /// Only closes for this reason
    #[arg(long, value_name = "R")]
    pub reason: Option<String>,
    /// Only closes with this verdict
    #[arg(long, value_name = "V")]
    pub verdict: Option<String>,
    /// One table instead of the page
    #[arg(long, value_name = "WHAT")]
    pub by: Option<By>,
    /// How many peers and networks to list
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub top: usize,
    /// For people or for programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Draw the time line and the reasons into this file
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// What closes are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Close reason.
    Reason,
    /// Verdict on a silence.
    Verdict,
    /// Listener.
    Listener,
    /// Address of the peer.
    Peer,
    /// Its /24 (IPv4) or /48 (IPv6).
    Network,
    /// Hour of the local time.
    Hour,
}

/// How the report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A page for people.
    Text,
    /// One JSON object with stable names.
    Json,
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<std::net::IpAddr>().map(IpNet::from);
    address
        .or_else(|_| text.parse())
        .map_err(|_| "expected a network as in 10.1.0.0/16, or an address".to_owned())
}
