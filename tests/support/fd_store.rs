//! A stand-in for the service manager: it hears what a service tells, and keeps descriptors for the next process.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use rustix::cmsg_space;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// How long to wait for a message before looking whether it is over.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// A store with room for so many descriptors.
#[derive(Debug)]
pub struct FdStore {
    socket: UnixDatagram,
    name: String,
    room: usize,
    /// Does not forget what it is asked to.
    pub is_stubborn: bool,
    stored: Vec<(String, OwnedFd)>,
}

impl FdStore {
    pub fn new(room: usize) -> FdStore {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("pulse-echo-store-{}-{number}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a short name");
        let socket = UnixDatagram::bind_addr(&address).expect("a name of our own");
        socket.set_read_timeout(Some(LOOK_AGAIN)).expect("an option of sockets");
        FdStore { socket, name, room, is_stubborn: false, stored: Vec::new() }
    }

    /// How many descriptors are in it.
    pub fn len(&self) -> usize {
        self.stored.len()
    }

    /// Does what it is told, until `over`, and until nothing more is told.
    pub fn serve_until(&mut self, mut over: impl FnMut() -> bool) {
        loop {
            let is_over = over();
            match self.receive() {
                Some((text, descriptors)) => self.obey(&text, descriptors),
                None if is_over => return,
                None => {}
            }
        }
    }

    fn receive(&self) -> Option<(String, Vec<OwnedFd>)> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(4))];
        let mut controls = RecvAncillaryBuffer::new(&mut space);
        let mut text = [0; 4096];
        let mut buffer = [IoSliceMut::new(&mut text)];
        let length = recvmsg(&self.socket, &mut buffer, &mut controls, RecvFlags::CMSG_CLOEXEC).ok()?.bytes;
        let rights = controls.drain().filter_map(|control| match control {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        let descriptors = rights.flatten().collect();
        Some((String::from_utf8_lossy(text.get(..length)?).into_owned(), descriptors))
    }

    /// What it does not keep is closed, a barrier's pipe among it.
    fn obey(&mut self, text: &str, descriptors: Vec<OwnedFd>) {
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        let name = value("FDNAME").unwrap_or("stored");
        if value("FDSTORE").is_some() {
            let room = self.room - self.stored.len();
            self.stored.extend(descriptors.into_iter().take(room).map(|kept| (name.to_owned(), kept)));
        } else if value("FDSTOREREMOVE").is_some() && !self.is_stubborn {
            self.stored.retain(|(stored, _)| stored != name);
        }
    }

    /// Tells `service` where the store is, and passes on what is in it, which stays there too.
    pub fn pass_to(&self, service: &Command) -> Command {
        let names: Vec<_> = self.stored.iter().map(|(name, _)| name.as_str()).collect();
        let mut command = Command::new("sh");
        command.args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""]);
        command.arg(service.get_program()).args(service.get_args());
        command.env("NOTIFY_SOCKET", format!("@{}", self.name));
        command.env("LISTEN_FDS", names.len().to_string()).env("LISTEN_FDNAMES", names.join(":"));
        let out_of_the_way = |kept| fcntl(kept, FcntlArg::F_DUPFD_CLOEXEC(100)).expect("a descriptor more");
        let numbers: Vec<RawFd> = self.stored.iter().map(|(_, kept)| out_of_the_way(kept)).collect();
        pass_from_three_on(&mut command, own(numbers));
        command
    }
}

#[expect(unsafe_code, reason = "the numbers of new descriptors are to be owned")]
fn own(numbers: Vec<RawFd>) -> Vec<OwnedFd> {
    // SAFETY: they were opened just now, for this.
    numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }).collect()
}

#[expect(unsafe_code, reason = "no safe function chooses the number of a descriptor")]
fn pass_from_three_on(command: &mut Command, descriptors: Vec<OwnedFd>) {
    let pass = move || {
        for (number, descriptor) in (3..).zip(&descriptors) {
            // SAFETY: a system call; what has that number here is the child's, and closed by its exec or not needed.
            unsafe { libc::dup2(descriptor.as_raw_fd(), number) };
        }
        Ok(())
    };
    // SAFETY: between fork and exec it makes system calls alone.
    unsafe { command.pre_exec(pass) };
}
