//! Error numbers in words.

use std::fmt::{self, Display};

use nix::errno::Errno;

/// An error number by its name, as in errno(3).
#[derive(Debug, Clone, Copy)]
pub struct ErrnoName(pub i32);

impl Display for ErrnoName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Errno::from_raw(self.0) {
            Errno::UnknownErrno => write!(formatter, "{}", self.0),
            known => write!(formatter, "{known:?}"),
        }
    }
}
