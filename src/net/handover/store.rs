//! The way over a restart: what outlives the program waits in the service manager's store of descriptors.
//!
//! One by one, thousands of sockets would keep the service manager busy for a minute. So they wait inside a pair of sockets of
//! ours, as messages that nobody has read, and only the pair is stored.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd as _, OwnedFd, RawFd};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::description::{Description, Header};
use super::inherited::Carried;
use super::messages::{pack, unpack};
use crate::ops::{events, fd_store};

/// How long the service manager may take for all of it.
const PATIENCE: Duration = Duration::from_secs(2);

const PAIR: &str = "pulse-echo-sockets-";
const DESCRIPTION: &str = "pulse-echo-description-";

/// Leaves `kept` and what they mean with the service manager. They are still ours too, until this process ends. May be given up:
/// then, as where it fails, nothing is left there.
///
/// # Errors
/// There is no store, or no room in it.
pub async fn leave(mut description: Description, kept: &[RawFd]) -> anyhow::Result<()> {
    // These it passes by itself.
    let listeners = &mut description.header.listeners;
    let passed: Vec<_> =
        listeners.iter().filter(|socket| socket.passed).map(|socket| socket.descriptor).collect();
    listeners.retain(|socket| !socket.passed);
    let kept: Vec<_> = kept.iter().copied().filter(|descriptor| !passed.contains(descriptor)).collect();
    let (sender, receiver) = pack(&kept).context("cannot pack the sockets")?;
    description.header.sent = kept;
    let file = description.write()?;
    let set = Offered::of(&description.header);
    let stored = tokio::time::timeout(PATIENCE, async {
        let store = fd_store::FdStore::open()?;
        store.offer(&set.description, file.as_fd()).await?;
        store.offer(&set.pair, sender.as_fd()).await?;
        store.offer(&set.pair, receiver.as_fd()).await?; // the last one is missing first
        store.wait_until_read().await
    });
    stored
        .await
        .context("the service manager does not read")?
        .context("the service manager cannot be told")?;
    // Closed here, it is open only there.
    drop(receiver);
    ensure!(
        !is_hung_up(&sender)?,
        "the service manager's store has too little room (FileDescriptorStoreMax=)"
    );
    set.keep();
    Ok(())
}

/// The names of what one program offers: no other program's. Dropped, all of it is taken out of the store again.
#[derive(Debug)]
struct Offered {
    pair: String,
    description: String,
    is_left: bool,
}

impl Offered {
    fn of(header: &Header) -> Offered {
        let moment = header.frozen_at_ns;
        let [pair, description] = [PAIR, DESCRIPTION].map(|name| format!("{name}{moment}"));
        Offered { pair, description, is_left: false }
    }

    fn keep(mut self) {
        self.is_left = true;
    }
}

impl Drop for Offered {
    fn drop(&mut self) {
        if !self.is_left {
            // The next program must not take up what ends here.
            fd_store::remove(&self.pair);
            fd_store::remove(&self.description);
        }
    }
}

/// Whether nobody has the other end.
fn is_hung_up(end: &OwnedFd) -> nix::Result<bool> {
    let mut polled = [PollFd::new(end.as_fd(), PollFlags::empty())];
    loop {
        match poll(&mut polled, PollTimeout::ZERO) {
            Err(Errno::EINTR) => {}
            ready => return Ok(ready? > 0),
        }
    }
}

/// What one program left.
#[derive(Debug, Default)]
struct Stored {
    pair: Vec<OwnedFd>,
    description: Option<OwnedFd>,
}

/// Takes what the program before has left, out of what the service manager passed, and out of its store.
///
/// # Errors
/// It is damaged.
pub fn take_stored(passed: &mut Vec<(String, OwnedFd)>) -> Option<anyhow::Result<Carried>> {
    let mut sets: BTreeMap<u64, Stored> = BTreeMap::new();
    let is_stored = |name: &str| name.starts_with(PAIR) || name.starts_with(DESCRIPTION);
    for (name, descriptor) in passed.extract_if(.., |(name, _)| is_stored(name)) {
        let set = name.rsplit('-').next().and_then(|set| set.parse().ok()).unwrap_or_default();
        let stored = sets.entry(set).or_default();
        match name.starts_with(PAIR) {
            true => stored.pair.push(descriptor),
            false => stored.description = Some(descriptor),
        }
        fd_store::remove(&name); // what stays in it would keep its connections open for ever
    }
    let (_, newest) = sets.pop_last()?;
    if !sets.is_empty() {
        let why = anyhow!("{} older programs have left some, and none came to take them", sets.len());
        events::handover_failed(&why, "they are closed");
    }
    Some(newest.read())
}

impl Stored {
    fn read(self) -> anyhow::Result<Carried> {
        let Stored { pair, description } = self;
        let description = Carried::read_description(description.context("there is no description")?)?;
        let number = |(place, socket)| Some((*description.header.sent.get::<usize>(place)?, socket));
        let received = pair.iter().flat_map(unpack);
        let sockets: HashMap<RawFd, OwnedFd> = received.filter_map(number).collect();
        Ok(Carried { description, sockets: sockets.into() })
    }
}
