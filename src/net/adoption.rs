//! Taking over what the program before was serving: its listening sockets, its connections, its totals.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockAddr, Socket, Type};

use super::handover::{Carried, CarriedConnection, CarriedListener, Header, Salvaged, Sockets, monotonic_ns};
use super::listen::{Admission, Listener};
use super::options::ListenerOptions;
use super::worker::{Accepted, Adopted};
use crate::core::{CloseReason, Implausible};
use crate::ops::events::{self, Identity, Remains, Totals};
use crate::ops::log_queue;
use crate::tcp;

/// More no process can have.
const MOST_CONNECTIONS: u64 = 1 << 20;

/// Connections without a description that get a record each.
const MOST_TOLD: u64 = 1_000;

/// More than was ever counted: sums below it do not overflow.
const GREATEST_COUNT: u64 = 1 << 50;

/// What it closed, refused and accepted, but for the connections that are carried over. Whatever the header claims, the totals
/// reconcile.
pub fn totals(header: &Header) -> Totals {
    let closed = |reason: CloseReason| header.closed.get(reason.name()).copied().unwrap_or_default();
    let by_reason = CloseReason::ALL.map(|reason| closed(reason).min(GREATEST_COUNT));
    let closed = by_reason.iter().sum();
    Totals {
        accepted: closed,
        refused: header.refused.min(GREATEST_COUNT),
        by_reason,
        null_connections: header.null_connections.min(closed),
        null_lost: header.null_lost.min(header.null_connections).min(closed),
        null_only_counted: header.null_only_counted.min(header.null_connections).min(closed),
    }
}

/// Takes the socket that listens for `options`, if there is one.
pub fn listener(carried: &mut Carried, options: &ListenerOptions) -> Option<Listener> {
    let listeners = &mut carried.description.header.listeners;
    let suits = |socket: &CarriedListener| options.suit_socket_of(&socket.name, socket.address);
    let listener = listeners.swap_remove(listeners.iter().position(suits)?);
    let socket = Socket::from(carried.sockets.take(listener.descriptor)?);
    Listener::new(socket, options, listener.passed).ok()
}

/// Gives the connections to the event loops; each that cannot be gone on with ends alone, and says why.
pub fn adopt(carried: Carried, listeners: &[ListenerOptions], admission: &Admission) {
    let Carried { description, mut sockets } = carried;
    let header = &description.header;
    let pause = Duration::from_nanos(monotonic_ns().saturating_sub(header.frozen_at_ns));
    let listeners: Vec<Arc<ListenerOptions>> = listeners.iter().cloned().map(Arc::new).collect();
    let (mut adopted, mut lost) = (0, 0);
    let mut damaged = Vec::new();
    for line in description.lines() {
        let Some(connection) = CarriedConnection::read(line) else {
            damaged.push(line);
            continue;
        };
        admission.take_over();
        let given = give(connection, &mut sockets, &listeners, admission, pause);
        if given { adopted += 1 } else { lost += 1 }
    }
    // Last: a number that is damaged may be another's.
    let (mut losses, known) = (Losses::new(admission), adopted + lost);
    damaged.into_iter().for_each(|line| losses.damaged(line, &mut sockets));
    let missing = header.connections.min(MOST_CONNECTIONS).saturating_sub(known + losses.count);
    (0..missing).for_each(|_| losses.note(&Remains::default(), "its description is missing"));
    sockets.close_the_rest();
    log_queue::count_lost(header.log_lost.min(GREATEST_COUNT) + losses.untold);
    events::adopted(adopted, lost + losses.count, losses.untold, pause);
}

/// Connections without a description.
struct Losses<'a> {
    admission: &'a Admission,
    count: u64,
    /// Of them without a record: a header may claim any number.
    untold: u64,
}

impl Losses<'_> {
    fn new(admission: &Admission) -> Losses<'_> {
        Losses { admission, count: 0, untold: 0 }
    }

    /// Says what is left of a line, and what its socket tells.
    fn damaged(&mut self, line: &[u8], sockets: &mut Sockets) {
        let Salvaged { conn, peer, listener, descriptor } = Salvaged::of(line);
        let socket = descriptor.and_then(|number| sockets.take(number)).map(Socket::from);
        let local = socket.as_ref().and_then(|socket| address(socket.local_addr()));
        let peer = peer.or_else(|| address(socket.as_ref()?.peer_addr()));
        self.note(&Remains { conn, listener, peer, local }, "its description is damaged");
    }

    fn note(&mut self, remains: &Remains<'_>, cause: &'static str) {
        self.count += 1;
        let is_told = self.count <= MOST_TOLD;
        self.untold += u64::from(!is_told);
        self.admission.take_over();
        let worker = self.admission.least_loaded();
        worker.into_iter().for_each(|worker| worker.lose_damaged(is_told.then_some(remains), cause));
    }
}

fn give(
    connection: CarriedConnection,
    sockets: &mut Sockets,
    listeners: &[Arc<ListenerOptions>],
    admission: &Admission,
    pause: Duration,
) -> bool {
    let CarriedConnection { conn, peer, listener, descriptor, state } = connection;
    let socket = sockets.take(descriptor).map(Socket::from).filter(is_stream);
    let lose = |socket: Option<&Socket>, cause| {
        let local = socket.and_then(|socket| address(socket.local_addr()));
        let identity = Identity { conn, listener: &listener, peer, proxy: state.proxy(), local };
        let report = state.report(pause, &socket.map(tcp::evidence).unwrap_or_default());
        admission
            .least_loaded()
            .into_iter()
            .for_each(|worker| worker.lose(&identity, cause, report.as_ref()));
        false
    };
    let Some(options) = listeners.iter().find(|options| *options.name == *listener) else {
        return lose(socket.as_ref(), "its listener is gone");
    };
    if let Err(Implausible(cause)) = state.check(peer, options.protocol) {
        return lose(socket.as_ref(), cause);
    }
    let Some(socket) = socket else { return lose(None, "its socket is not there") };
    let (socket, listener) = (TcpStream::from(socket), Arc::clone(options));
    let Some(worker) = admission.least_loaded() else { return false };
    let connection = Accepted { conn, socket, peer, listener };
    worker.adopt(Adopted { connection, state, pause });
    true
}

fn address(asked: io::Result<SockAddr>) -> Option<SocketAddr> {
    asked.ok()?.as_socket().map(tcp::canonical)
}

fn is_stream(socket: &Socket) -> bool {
    socket.r#type().is_ok_and(|kind| kind == Type::STREAM)
}
