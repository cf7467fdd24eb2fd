//! How figures are written, in a record and in what the client tells programs.

use std::io;
use std::time::Duration;

use tracing::field::{DisplayValue, display};

use crate::ops::errno::ErrnoName;

pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

pub fn errno_name(error: &io::Error) -> Option<DisplayValue<ErrnoName>> {
    error.raw_os_error().map(|errno| display(ErrnoName(errno)))
}
