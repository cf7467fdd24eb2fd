//! How the process ends, as sysexits.h names it.

use std::process::ExitCode;

use crate::client::Unreachable;
use crate::config::Problems;
use crate::net::{BindError, SocketMismatch};
use crate::report::NothingUnderstood;

/// The exit statuses of pulse-echo. Wrong usage, 2, is clap's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// A clean stop.
    Success = 0,
    /// A failure while running; of the client: not everything came back, or nothing was found out.
    Failure = 1,
    /// The input of `report` has no record in it (`EX_DATAERR`).
    DataError = 65,
    /// An address could not be bound, or nobody could be reached there (`EX_UNAVAILABLE`).
    Unavailable = 69,
    /// Bad configuration (`EX_CONFIG`), or sockets that do not fit it.
    Config = 78,
}

impl ExitStatus {
    /// The status that tells of an error.
    pub fn of(error: &anyhow::Error) -> ExitStatus {
        if error.is::<Problems>() || error.is::<SocketMismatch>() {
            ExitStatus::Config
        } else if error.is::<NothingUnderstood>() {
            ExitStatus::DataError
        } else if error.is::<BindError>() || error.is::<Unreachable>() {
            ExitStatus::Unavailable
        } else {
            ExitStatus::Failure
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> ExitCode {
        ExitCode::from(status as u8)
    }
}
