//! Errors of the operating system, told apart by what they say about a connection.

use std::io::{Error, ErrorKind};

use crate::core::{Close, CloseReason, Failure, Operation};

/// The close that a failed operation amounts to.
pub fn close_of(error: &Error, operation: Option<Operation>) -> Close {
    let errno = error.raw_os_error();
    let failure = errno.map(|errno| Failure { errno, operation });
    Close { failure, ..reason(error).into() }
}

fn reason(error: &Error) -> CloseReason {
    match error.kind() {
        ErrorKind::ConnectionReset => CloseReason::PeerReset,
        ErrorKind::BrokenPipe => CloseReason::BrokenPipe,
        ErrorKind::TimedOut => CloseReason::NetworkTimeout,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            CloseReason::NetworkUnreachable
        }
        _ => match error.raw_os_error() {
            // An ICMP error about the route, without an ErrorKind of its own; icmp_err_convert in net/ipv4/icmp.c.
            // An accepted connection can be refused or forbidden by a firewall on the way only: "port unreachable" is
            // how it says so by default.
            Some(libc::EHOSTDOWN | libc::ENONET | libc::ENOPROTOOPT | libc::ECONNREFUSED | libc::EACCES) => {
                CloseReason::NetworkUnreachable
            }
            _ => CloseReason::IoError,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_reasons_of_the_contract() {
        let table = [
            (libc::ECONNRESET, CloseReason::PeerReset),
            (libc::EPIPE, CloseReason::BrokenPipe),
            (libc::ETIMEDOUT, CloseReason::NetworkTimeout),
            (libc::EHOSTUNREACH, CloseReason::NetworkUnreachable),
            (libc::ENETUNREACH, CloseReason::NetworkUnreachable),
            (libc::ENETDOWN, CloseReason::NetworkUnreachable),
            (libc::EHOSTDOWN, CloseReason::NetworkUnreachable),
            (libc::ENONET, CloseReason::NetworkUnreachable),
            (libc::ENOPROTOOPT, CloseReason::NetworkUnreachable),
            (libc::ECONNREFUSED, CloseReason::NetworkUnreachable),
            (libc::EACCES, CloseReason::NetworkUnreachable),
            (libc::ECONNABORTED, CloseReason::IoError),
            (libc::EIO, CloseReason::IoError),
        ];
        for (errno, reason) in table {
            let operation = Some(Operation::Write);
            let close = close_of(&Error::from_raw_os_error(errno), operation);
            assert_eq!(close.reason, reason, "errno {errno}");
            assert_eq!(close.failure, Some(Failure { errno, operation }));
        }
    }
}
