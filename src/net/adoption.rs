//! Taking over what the program before was serving: its listening sockets, its connections, its totals.

use std::net::SocketAddr;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Socket, Type};

use super::handover::{Carried, CarriedConnection, CarriedListener, Header, Sockets, monotonic_ns};
use super::listen::{Admission, Listener};
use super::options::ListenerOptions;
use super::worker::{Accepted, Adopted};
use crate::core::CloseReason;
use crate::ops::events::{self, Identity, Totals};
use crate::ops::log_queue;
use crate::tcp;

/// More no process can have.
const MOST_CONNECTIONS: u64 = 1 << 20;

/// More than was ever counted: sums below it do not overflow.
const GREATEST_COUNT: u64 = 1 << 50;

/// What it closed, refused and accepted, but for the connections that are carried over. Whatever the header claims, the totals
/// reconcile.
pub fn totals(header: &Header) -> Totals {
    let closed = |reason: CloseReason| header.closed.get(reason.name()).copied().unwrap_or_default();
    let by_reason = CloseReason::ALL.map(|reason| closed(reason).min(GREATEST_COUNT));
    Totals { accepted: by_reason.iter().sum(), refused: header.refused.min(GREATEST_COUNT), by_reason }
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
    for line in description.lines() {
        admission.take_over();
        let given = match CarriedConnection::read(line) {
            Some(connection) => give(connection, &mut sockets, &listeners, admission, pause),
            None => lose_unknown(admission, "its description is damaged"),
        };
        if given { adopted += 1 } else { lost += 1 }
    }
    // Lines that are missing were connections too.
    for _ in adopted + lost..header.connections.min(MOST_CONNECTIONS) {
        admission.take_over();
        lose_unknown(admission, "its description is missing");
        lost += 1;
    }
    sockets.close_the_rest();
    log_queue::count_lost(header.log_lost.min(GREATEST_COUNT));
    events::adopted(adopted, lost, pause);
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
    let local = socket.as_ref().and_then(|socket| socket.local_addr().ok()?.as_socket()).map(tcp::canonical);
    let evidence = socket.as_ref().map(tcp::evidence).unwrap_or_default();
    let lose = |cause| {
        let identity = Identity { conn, listener: &listener, peer, local };
        let report = state.report(pause, &evidence);
        admission
            .least_loaded()
            .into_iter()
            .for_each(|worker| worker.lose(&identity, cause, report.as_ref()));
        false
    };
    let Some(options) = listeners.iter().find(|options| *options.name == *listener) else {
        return lose("its listener is gone");
    };
    let Some(socket) = socket else { return lose("its socket is not there") };
    let (socket, listener) = (TcpStream::from(socket), Arc::clone(options));
    let Some(worker) = admission.least_loaded() else { return false };
    let connection = Accepted { conn, socket, peer, listener };
    worker.adopt(Adopted { connection, state, pause });
    true
}

/// Without a description nothing is known of it but that it was there.
fn lose_unknown(admission: &Admission, cause: &'static str) -> bool {
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let identity = Identity { conn: 0, listener: "unknown", peer: nowhere, local: None };
    admission.least_loaded().into_iter().for_each(|worker| worker.lose(&identity, cause, None));
    false
}

fn is_stream(socket: &Socket) -> bool {
    socket.r#type().is_ok_and(|kind| kind == Type::STREAM)
}
