//! The listeners of a running server, and how they change without losing a connection attempt.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::acceptor;
use super::admission::Admission;
use super::inherited;
use super::kernel_table;
use super::socket::{AcceptingListener, BindError, Listener, ListenerLost, refuse_to_share};
use crate::net::handover::CarriedListener;
use crate::net::options::ListenerOptions;
use crate::net::worker::unless_stuck;
use crate::ops::events;

/// The listeners that accept now.
#[derive(Debug)]
pub struct Listeners {
    serving: Vec<Serving>,
    admission: Arc<Admission>,
    /// Of the event loop that accepts.
    runtime: Handle,
    losses: mpsc::UnboundedReceiver<ListenerLost>,
    /// For the acceptors.
    lose: mpsc::UnboundedSender<ListenerLost>,
}

#[derive(Debug)]
struct Serving {
    listener: Arc<AcceptingListener>,
    task: JoinHandle<()>,
}

impl Listeners {
    /// Accepts on all of `listeners`, in the event loop behind `runtime`.
    ///
    /// # Errors
    /// The event loop cannot take one.
    pub fn start(
        listeners: Vec<Listener>,
        admission: Arc<Admission>,
        runtime: Handle,
    ) -> io::Result<Listeners> {
        let (lose, losses) = mpsc::unbounded_channel();
        let mut started = Listeners { serving: Vec::new(), admission, runtime, losses, lose };
        for listener in listeners {
            let serving = started.accept_on(listener)?;
            started.serving.push(serving);
        }
        Ok(started)
    }

    /// Becomes what `wanted` says, wholly or, on an error, not at all. A socket stays open where its address is still
    /// wanted, under whatever name; what waits on it to be accepted is not lost.
    ///
    /// # Errors
    /// A new address could not be bound, or a socket that was passed to us would be left without its listener.
    pub async fn change(&mut self, wanted: &[ListenerOptions]) -> anyhow::Result<()> {
        let mut passed = self.serving.iter().filter(|old| old.listener.is_passed());
        passed.try_for_each(|old| inherited::check_kept(&old.listener.options(), wanted))?;
        let mut new = self.accept_on_new(wanted)?.into_iter();
        let mut old = std::mem::take(&mut self.serving);
        for options in wanted {
            let kept = old.iter().position(|old| old.suits(options));
            match kept.map(|place| old.swap_remove(place)) {
                Some(serving) => {
                    serving.follow(options)?;
                    self.serving.push(serving);
                }
                None => self.serving.extend(new.next()),
            }
        }
        let freed: Vec<_> = old.iter().map(|old| old.listener.address().port()).collect();
        stop_all(old).await;
        let addresses = self.serving.iter().map(|serving| serving.listener.address());
        addresses.filter(|address| freed.contains(&address.port())).for_each(refuse_to_share);
        Ok(())
    }

    /// Accepts nothing for now; who connects waits in the queues of the sockets. [`Listeners::resume`] goes on.
    pub async fn pause(&mut self) {
        for serving in &mut self.serving {
            serving.task.abort();
            let _ = (&mut serving.task).await; // that it was aborted is no news
        }
    }

    /// Accepts again after a pause.
    pub fn resume(&mut self) {
        let mut serving = std::mem::take(&mut self.serving);
        serving.iter_mut().for_each(|serving| serving.task = self.spawn(Arc::clone(&serving.listener)));
        self.serving = serving;
    }

    /// The sockets that another program goes on with.
    pub fn carried(&self) -> Vec<CarriedListener> {
        self.serving.iter().map(|serving| serving.listener.carried()).collect()
    }

    /// Waits until nothing can be accepted on one of them any more. May be given up and called again.
    pub async fn lost(&mut self) -> ListenerLost {
        match self.losses.recv().await {
            Some(lost) => lost,
            None => std::future::pending().await, // never: we have a sender ourselves
        }
    }

    /// Accepts no more: what is accepted by the end of this is accepted, and the sockets are closed.
    pub async fn stop(self) {
        stop_all(self.serving).await;
    }

    /// Accepts on the addresses that nobody listens on yet.
    fn accept_on_new(&self, wanted: &[ListenerOptions]) -> anyhow::Result<Vec<Serving>> {
        let given_up = |old: &&Serving| !wanted.iter().any(|options| old.suits(options));
        let given_up: Vec<_> = self.serving.iter().filter(given_up).map(|old| &*old.listener).collect();
        let is_new = |options: &&ListenerOptions| !self.serving.iter().any(|old| old.suits(options));
        let new = wanted.iter().filter(is_new).map(|options| self.bind_beside(&given_up, options));
        let new = new.collect::<Result<Vec<_>, BindError>>()?;
        Ok(new.into_iter().map(|listener| self.accept_on(listener)).collect::<io::Result<_>>()?)
    }

    /// Binds. Where the address overlaps with those of listeners that are given up, as 0.0.0.0 does with 127.0.0.1, they
    /// share the port until they are closed: no client is refused meanwhile.
    fn bind_beside(
        &self,
        given_up: &[&AcceptingListener],
        options: &ListenerOptions,
    ) -> Result<Listener, BindError> {
        let overlapping = || given_up.iter().filter(|old| overlap(old.address(), options.address));
        if overlapping().next().is_none() {
            return Listener::bind(options);
        }
        let failed = |cause| BindError::of(options, cause);
        self.check_nobody_else(options.address).map_err(failed)?;
        let share = |shared| overlapping().try_for_each(|old| old.share_port(shared));
        let shared = share(true).map_err(failed);
        let listener = shared.and_then(|()| Listener::bind_on_shared_port(options));
        share(false).map_err(failed)?;
        listener
    }

    /// Says that nobody else listens where we are about to share: who shares too would be joined, and take connections
    /// of ours, or we his.
    fn check_nobody_else(&self, address: SocketAddr) -> io::Result<()> {
        let ours = self.serving.iter().map(|serving| serving.listener.inode());
        let ours = ours.collect::<io::Result<Vec<_>>>()?;
        let foreign = |socket: &kernel_table::Listening| {
            overlap(socket.address, address) && !ours.contains(&socket.inode)
        };
        match kernel_table::listening(address)?.iter().any(foreign) {
            true => Err(io::Error::from_raw_os_error(libc::EADDRINUSE)),
            false => Ok(()),
        }
    }

    fn accept_on(&self, listener: Listener) -> io::Result<Serving> {
        let _entered = self.runtime.enter();
        let options = Arc::clone(listener.options());
        let listener = Arc::new(listener.into_accepting()?);
        events::listening(&options.name, options.protocol, listener.address());
        let task = self.spawn(Arc::clone(&listener));
        Ok(Serving { listener, task })
    }

    fn spawn(&self, listener: Arc<AcceptingListener>) -> JoinHandle<()> {
        let accepting = acceptor::accept_all(listener, Arc::clone(&self.admission));
        let lose = self.lose.clone();
        self.runtime.spawn(async move {
            let _ = lose.send(accepting.await); // nobody hears it where everything ends
        })
    }
}

impl Serving {
    /// Replaces the options of future connections, and says so if that makes it another listener.
    fn follow(&self, wanted: &ListenerOptions) -> io::Result<()> {
        let own = self.listener.options();
        self.listener.set_options(wanted)?;
        if (&own.name, own.protocol) != (&wanted.name, wanted.protocol) {
            events::listening(&wanted.name, wanted.protocol, self.listener.address());
        }
        Ok(())
    }

    /// Whether its socket is one for these options.
    fn suits(&self, wanted: &ListenerOptions) -> bool {
        let own = self.listener.options();
        wanted.suit_socket_of(&own.name, own.address)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let (ip, other_ip) = (one.ip(), other.ip());
    one.port() == other.port()
        && ip.is_ipv4() == other_ip.is_ipv4()
        && (ip == other_ip || ip.is_unspecified() || other_ip.is_unspecified())
}

/// Ends them, and waits for that: an event loop that has ended can be given no connection.
async fn stop_all(mut listeners: Vec<Serving>) {
    let ends = async {
        for serving in &mut listeners {
            serving.task.abort();
            let _ = (&mut serving.task).await; // that it was aborted is no news
        }
    };
    let _ = unless_stuck(ends).await; // aborted all the same
}
