//! What the kernel knows of a connection: `TCP_INFO`, see tcp(7) and the kernel's `include/uapi/linux/tcp.h`.

use std::mem::{offset_of, size_of};
use std::os::fd::{AsFd, AsRawFd};

use libc::{c_void, socklen_t, tcp_info};

/// Bytes that the peer's TCP has acknowledged since the connection began; `None` where the kernel does not say.
pub fn acknowledged_bytes(socket: &impl AsFd) -> Option<u64> {
    let (info, length) = query(socket)?;
    let end = offset_of!(tcp_info, tcpi_bytes_acked) + size_of::<u64>();
    (length >= end).then_some(info.tcpi_bytes_acked)
}

/// The structure, and how many bytes of it this kernel filled in: what lies beyond is unknown, not 0.
fn query(socket: &impl AsFd) -> Option<(tcp_info, usize)> {
    let descriptor = socket.as_fd().as_raw_fd();
    let mut length = size_of::<tcp_info>() as socklen_t;
    // SAFETY: tcp_info is plain integers, for which zero is a value.
    let mut info: tcp_info = unsafe { std::mem::zeroed() };
    let place = (&raw mut info).cast::<c_void>();
    // SAFETY: `place` has room for `length` bytes, the descriptor is borrowed and so open.
    let result =
        unsafe { libc::getsockopt(descriptor, libc::IPPROTO_TCP, libc::TCP_INFO, place, &raw mut length) };
    (result == 0).then_some((info, length as usize))
}
