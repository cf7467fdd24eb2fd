//! The way over a restart: what outlives the program waits in the service manager's store of descriptors.
//!
//! One by one, thousands of sockets would keep the service manager busy for a minute. So they wait inside a pair of sockets of
//! ours, as messages that nobody has read, and only the pair is stored.

use std::collections::HashMap;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

use anyhow::Context as _;
use nix::cmsg_space;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg,
    socketpair,
};

use super::description::Description;
use super::inherited::Carried;
use crate::ops::fd_store;

/// Descriptors that one message carries: SCM_MAX_FD of the kernel's include/net/scm.h.
const PER_MESSAGE: usize = 253;

const PAIR: &str = "pulse-echo-sockets";
const DESCRIPTION: &str = "pulse-echo-description";

/// Leaves `kept` and what they mean with the service manager. They are still ours too, until this process ends.
///
/// # Errors
/// There is no store, or no room in it.
pub fn leave(mut description: Description, kept: &[RawFd]) -> anyhow::Result<()> {
    // These it passes by itself.
    let listeners = &mut description.header.listeners;
    let passed: Vec<_> =
        listeners.iter().filter(|socket| socket.passed).map(|socket| socket.descriptor).collect();
    listeners.retain(|socket| !socket.passed);
    let kept: Vec<_> = kept.iter().copied().filter(|descriptor| !passed.contains(descriptor)).collect();
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let (sender, receiver) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
    for descriptors in kept.chunks(PER_MESSAGE) {
        let rights = [ControlMessage::ScmRights(descriptors)];
        sendmsg::<()>(sender.as_raw_fd(), &[IoSlice::new(b"+")], &rights, MsgFlags::empty(), None)
            .context("cannot pack the sockets")?;
    }
    description.header.sent = kept;
    let file = description.write()?;
    fd_store::store(PAIR, receiver.as_fd()).context("the service manager's store is not to be had")?;
    fd_store::store(PAIR, sender.as_fd())?;
    fd_store::store(DESCRIPTION, file.as_fd())?;
    Ok(fd_store::wait_until_read()?)
}

/// Takes what the program before has left, out of what the service manager passed, and out of its store.
///
/// # Errors
/// It is damaged.
pub fn take_stored(passed: &mut Vec<(String, OwnedFd)>) -> Option<anyhow::Result<Carried>> {
    let mut take = |wanted: &str| {
        let place = passed.iter().position(|(name, _)| name == wanted)?;
        Some(passed.remove(place).1)
    };
    let pair = [take(PAIR), take(PAIR)];
    let (description, stray) = (take(DESCRIPTION), take(DESCRIPTION));
    let found = description.is_some() || pair.iter().any(Option::is_some);
    drop(stray); // left by two programs, of which one never came to take it
    found.then(|| {
        forget_stored();
        read(pair, description)
    })
}

/// Empties the store: what stays in it would keep its connections open for ever.
pub fn forget_stored() {
    // Without a store there is nothing in it.
    let _ = fd_store::remove(PAIR);
    let _ = fd_store::remove(DESCRIPTION);
}

fn read(pair: [Option<OwnedFd>; 2], description: Option<OwnedFd>) -> anyhow::Result<Carried> {
    let description = Carried::read_description(description.context("there is no description")?)?;
    let mut received = Vec::new();
    for end in pair.iter().flatten() {
        receive(end, &mut received);
    }
    let sockets: HashMap<RawFd, OwnedFd> = description.header.sent.iter().copied().zip(received).collect();
    Ok(Carried { description, sockets: sockets.into() })
}

/// All that waits there; nothing does at the end that sent.
fn receive(end: &OwnedFd, received: &mut Vec<OwnedFd>) {
    let mut space = cmsg_space!([RawFd; PER_MESSAGE]);
    loop {
        let mut byte = [0];
        let mut buffer = [IoSliceMut::new(&mut byte)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
        let Ok(message) = recvmsg::<()>(end.as_raw_fd(), &mut buffer, Some(&mut space), flags) else {
            return;
        };
        let Ok(controls) = message.cmsgs() else { return };
        let before = received.len();
        for control in controls {
            if let ControlMessageOwned::ScmRights(descriptors) = control {
                received.extend(descriptors.into_iter().map(take_ownership));
            }
        }
        if received.len() == before {
            return; // the end of the stream
        }
    }
}

#[expect(unsafe_code, reason = "the kernel gives descriptors of a message by their numbers")]
fn take_ownership(descriptor: RawFd) -> OwnedFd {
    // SAFETY: it was opened for us with this message, and is told once.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}
