//! What the kernel knows of a connection: `TCP_INFO`, see tcp(7) and the kernel's `include/uapi/linux/tcp.h`.

use std::mem::{offset_of, size_of, size_of_val};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use libc::{c_void, socklen_t, tcp_info};

use crate::core::Evidence;

/// A field's value, if the kernel's answer was long enough to hold it: what lies beyond is unknown, not 0.
macro_rules! known {
    ($answer:ident.$field:ident) => {
        ($answer.length >= offset_of!(tcp_info, $field) + size_of_val(&$answer.info.$field))
            .then_some($answer.info.$field)
    };
}

/// What tells whose silence it is. To be asked before the close: an error or a close empties the queues it speaks of.
pub fn evidence(socket: &impl AsFd) -> Evidence {
    query(socket).map_or_else(Evidence::default, |answer| Evidence {
        acknowledged_bytes: known!(answer.tcpi_bytes_acked),
        unacked: known!(answer.tcpi_unacked),
        retransmits: known!(answer.tcpi_retransmits).map(u32::from),
        total_retransmits: known!(answer.tcpi_total_retrans),
        data_segments: known!(answer.tcpi_data_segs_out),
        unsent_bytes: known!(answer.tcpi_notsent_bytes),
        send_window: known!(answer.tcpi_snd_wnd),
        segment: known!(answer.tcpi_snd_mss),
        kernel_probes: known!(answer.tcpi_probes).map(u32::from),
        retransmission_timeout: known!(answer.tcpi_rto).map(microseconds),
        patience: patience(&answer),
        last_data_sent: known!(answer.tcpi_last_data_sent).map(milliseconds),
        last_ack: known!(answer.tcpi_last_ack_recv).map(milliseconds),
        round_trip: known!(answer.tcpi_rtt).map(microseconds),
        receive_memory: None,
    })
}

/// Segments that came from the peer, those without data included; `None` if unknown.
pub fn segments_received(socket: &impl AsFd) -> Option<u32> {
    query(socket).and_then(|answer| known!(answer.tcpi_segs_in))
}

/// The shortest time there and back that was ever seen on this connection; `None` if unknown.
pub fn shortest_round_trip(socket: &impl AsFd) -> Option<Duration> {
    /// `tcpi_min_rtt` of a connection on which nothing was measured yet.
    const UNMEASURED: u32 = u32::MAX;
    let shortest = query(socket).and_then(|answer| known!(answer.tcpi_min_rtt))?;
    (shortest != UNMEASURED).then(|| microseconds(shortest))
}

/// Whether the peer's TCP has not acknowledged everything: `SIOCOUTQ`, see tcp(7), costs less than `TCP_INFO`.
#[expect(unsafe_code, reason = "no safe crate asks SIOCOUTQ of a socket")]
pub fn has_unacknowledged(socket: &impl AsFd) -> bool {
    let mut bytes: libc::c_int = 0;
    // SAFETY: TIOCOUTQ, which is SIOCOUTQ on a socket, writes one int, and `bytes` is one.
    let asked = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    asked == 0 && bytes > 0
}

/// What received bytes take up: word 0 of `SO_MEMINFO` (`SK_MEMINFO_RMEM_ALLOC` of the kernel's include/uapi/linux/sock_diag.h).
#[expect(unsafe_code, reason = "no safe crate reads SO_MEMINFO")]
pub fn receive_memory(socket: &impl AsFd) -> Option<u32> {
    let mut words = [0u32; 9];
    let mut length = size_of_val(&words) as socklen_t;
    let place = words.as_mut_ptr().cast::<c_void>();
    let descriptor = socket.as_fd().as_raw_fd();
    // SAFETY: `place` has room for `length` bytes, the descriptor is borrowed and so open.
    let result =
        unsafe { libc::getsockopt(descriptor, libc::SOL_SOCKET, libc::SO_MEMINFO, place, &raw mut length) };
    (result == 0 && length as usize >= size_of::<u32>()).then_some(words[0])
}

fn microseconds(count: u32) -> Duration {
    Duration::from_micros(count.into())
}

fn milliseconds(count: u32) -> Duration {
    Duration::from_millis(count.into())
}

/// How long the kernel waits before it sends again, or asks again (`tcp_probe0_when` of its include/net/tcp.h).
fn patience(answer: &Answer) -> Option<Duration> {
    const SHORTEST_BETWEEN_PROBES: Duration = Duration::from_millis(200);
    let timeout = microseconds(known!(answer.tcpi_rto)?);
    match known!(answer.tcpi_unacked)? {
        0 => Some(
            timeout.max(SHORTEST_BETWEEN_PROBES) * 1u32.checked_shl(known!(answer.tcpi_backoff)?.into())?,
        ),
        _ => Some(timeout), // already doubled
    }
}

/// The structure, and how many bytes of it this kernel filled in.
struct Answer {
    info: tcp_info,
    length: usize,
}

#[expect(unsafe_code, reason = "no safe crate reads the whole of TCP_INFO")]
fn query(socket: &impl AsFd) -> Option<Answer> {
    let descriptor = socket.as_fd().as_raw_fd();
    let mut length = size_of::<tcp_info>() as socklen_t;
    // SAFETY: tcp_info is plain integers, for which zero is a value.
    let mut info: tcp_info = unsafe { std::mem::zeroed() };
    let place = (&raw mut info).cast::<c_void>();
    // SAFETY: `place` has room for `length` bytes, the descriptor is borrowed and so open.
    let result =
        unsafe { libc::getsockopt(descriptor, libc::IPPROTO_TCP, libc::TCP_INFO, place, &raw mut length) };
    (result == 0).then_some(Answer { info, length: length as usize })
}
