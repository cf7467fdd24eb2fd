//! Descriptors on their way through a pair of sockets, as messages that nobody has read.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};

use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair};
use rustix::cmsg_space;
use rustix::io::retry_on_intr;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// Descriptors that one message carries: SCM_MAX_FD of the kernel's include/net/scm.h.
const PER_MESSAGE: usize = 253;

/// A pair of sockets: the first has sent them all, the second has not read them. Each message says the place of its first one.
///
/// # Errors
/// There are too few descriptors, or there is too little memory for messages.
pub fn pack(descriptors: &[RawFd]) -> nix::Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK; // so it never waits, and nothing interrupts it
    let (sender, receiver) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
    for (number, descriptors) in descriptors.chunks(PER_MESSAGE).enumerate() {
        let place = (number * PER_MESSAGE).to_string();
        let rights = [ControlMessage::ScmRights(descriptors)];
        sendmsg::<()>(
            sender.as_raw_fd(),
            &[IoSlice::new(place.as_bytes())],
            &rights,
            MsgFlags::empty(),
            None,
        )?;
    }
    Ok((sender, receiver))
}

/// All that waits there, each with its place among all that were sent; nothing does at the end that sent. Of a message that this
/// process has too few descriptors for, the kernel gives the first ones.
pub fn unpack(end: &OwnedFd) -> Vec<(usize, OwnedFd)> {
    let mut unpacked = Vec::new();
    while let Some((first, descriptors)) = receive(end) {
        unpacked.extend((first..).zip(descriptors));
    }
    unpacked
}

fn receive(end: &OwnedFd) -> Option<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(PER_MESSAGE))];
    let mut controls = RecvAncillaryBuffer::new(&mut space);
    let mut place = [0; 20];
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received =
        retry_on_intr(|| recvmsg(end, &mut [IoSliceMut::new(&mut place)], &mut controls, flags)).ok()?;
    let place = place.get(..received.bytes).filter(|place| !place.is_empty())?;
    let place = std::str::from_utf8(place).ok().and_then(|place| place.parse().ok());
    let rights = controls.drain().filter_map(|control| match control {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let descriptors = rights.flatten().collect();
    // Without a place nobody knows what they are, and they are closed.
    Some(place.map_or_else(Default::default, |place| (place, descriptors)))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Seek as _, Write as _};

    use nix::sys::memfd::{MFdFlags, memfd_create};

    use super::*;

    fn files(count: usize) -> Vec<File> {
        let numbered = |number: usize| {
            let mut file = File::from(memfd_create(c"test", MFdFlags::MFD_CLOEXEC).unwrap());
            write!(file, "{number}").unwrap();
            file
        };
        (0..count).map(numbered).collect()
    }

    fn number_in(file: OwnedFd) -> usize {
        let (mut file, mut text) = (File::from(file), String::new());
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text.parse().unwrap()
    }

    #[test]
    fn each_keeps_its_place() {
        let files = files(2 * PER_MESSAGE + 7);
        let numbers: Vec<_> = files.iter().map(File::as_raw_fd).collect();
        let (sender, receiver) = pack(&numbers).unwrap();
        assert!(unpack(&sender).is_empty());
        let unpacked = unpack(&receiver);
        assert_eq!(unpacked.len(), files.len());
        unpacked.into_iter().for_each(|(place, file)| assert_eq!(number_in(file), place));
    }
}
