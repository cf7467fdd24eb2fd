//! A connection that outlives the program: its socket stays open, and what it knows goes over in words.

use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::origin::{Origin, OriginState};
use super::{Connection, LAST_READS, QueueState, Stage, Transport, Unsent};
use crate::core::{
    Bytes, CloseReason, Evidence, Implausible, Moment, Protocol, Report, Session, SessionState,
};
use crate::net::event_loop::EventLoop;
use crate::net::options::ListenerOptions;

/// All that it knows. What is open in the event loop, as its timer, is made anew.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConnectionState {
    stage: Stage,
    unsent: Bytes,
    session: SessionState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<OriginState>,
}

impl ConnectionState {
    /// Who brought it, where that is not the peer.
    pub fn proxy(&self) -> Option<SocketAddr> {
        match self.origin {
            Some(OriginState::Proxied(proxy)) => Some(proxy),
            Some(OriginState::Awaited { .. }) | None => None,
        }
    }

    /// Its figures, where it ends with this; `None`: they are damaged.
    pub fn report(&self, pause: Duration, evidence: &Evidence) -> Option<Report> {
        let now = Moment::START + Duration::MAX;
        let session = Session::restore(&self.session, now, pause).ok()?;
        Some(session.report(now, evidence))
    }

    /// Whether a connection with `peer` can go on with it where `protocol` is spoken.
    ///
    /// # Errors
    /// No connection can be in that state.
    pub fn check(&self, peer: SocketAddr, protocol: Protocol) -> Result<(), Implausible> {
        let (session, ..) = self.restore(peer, Moment::START + Duration::MAX, Duration::ZERO)?;
        speaks(&session, protocol)
    }

    /// Whether a connection with `peer` can go on with it anywhere.
    pub fn is_possible(&self, peer: SocketAddr) -> bool {
        self.restore(peer, Moment::START + Duration::MAX, Duration::ZERO).is_ok()
    }

    /// Its session, its unsent bytes, and where it comes from.
    fn restore(
        &self,
        peer: SocketAddr,
        now: Moment,
        pause: Duration,
    ) -> Result<(Session, Vec<u8>, Origin), Implausible> {
        let ConnectionState { stage, unsent, session, origin } = self;
        let session = Session::restore(session, now, pause)?;
        let unsent = Vec::try_from(unsent)?;
        let is_owed = session.unsent_bytes() == unsent.len() as u64;
        Implausible::unless(is_owed, "other bytes are unsent than are owed")?;
        stage.check(&session, &unsent)?;
        let mut origin = Origin::restore(peer, origin.as_ref(), now)?;
        let header_is_awaited = origin.introduction().is_some();
        let is_possible = match stage {
            Stage::AwaitingHeader => header_is_awaited,
            Stage::Echoing | Stage::Flushing(_) => !header_is_awaited,
            _ => true,
        };
        Implausible::unless(is_possible, "it is at another beginning than it says")?;
        Ok((session, unsent, origin))
    }
}

fn speaks(session: &Session, protocol: Protocol) -> Result<(), Implausible> {
    Implausible::unless(session.protocol() == protocol, "its listener speaks another protocol")
}

impl<T: Transport> Connection<T> {
    /// What outlives the program. It waits to be woken meanwhile, and goes on where there is no other program after all.
    pub fn snapshot(&mut self, cx: &Context<'_>) -> ConnectionState {
        self.be_woken_by(cx);
        ConnectionState {
            stage: self.stage,
            unsent: self.unsent.rest().into(),
            session: self.session.snapshot(self.now()),
            origin: self.origin.snapshot(self.now()),
        }
    }

    /// Goes on with a connection of the program before, after a pause of ours.
    ///
    /// # Errors
    /// No connection can be in that state; and its stream.
    pub fn restore(
        transport: T,
        conn: u64,
        peer: SocketAddr,
        listener: &ListenerOptions,
        event_loop: Rc<EventLoop>,
        state: &ConnectionState,
        pause: Duration,
    ) -> Result<Connection<T>, (T, Implausible)> {
        let now = event_loop.clock.now();
        let restored = state.restore(peer, now, pause).and_then(|restored| {
            speaks(&restored.0, listener.protocol)?;
            Ok(restored)
        });
        let (mut session, unsent, origin) = match restored {
            Ok(restored) => restored,
            Err(why) => return Err((transport, why)),
        };
        let listener = event_loop.listeners.get(listener);
        // It may have other deadlines and another heartbeat by now.
        session.retime(&listener.timing(), now);
        transport.set_keepalive(listener.protocol(), listener.timing().heartbeat);
        let slot = event_loop.slots.take();
        Ok(Connection {
            transport,
            conn,
            origin,
            revision: listener.revision(),
            listener,
            event_loop,
            slot,
            has_waker: false,
            queue_state: QueueState::NotQueued,
            timer_at: None,
            session,
            stage: state.stage,
            unsent: Unsent::from(&*unsent),
        })
    }
}

impl Stage {
    /// Whether a connection can be there with that session and with these bytes unsent. With any other it might never end.
    fn check(self, session: &Session, unsent: &[u8]) -> Result<(), Implausible> {
        let ending = session.ending();
        let is_possible = match self {
            Stage::AwaitingHeader | Stage::Echoing => ending.is_none(),
            Stage::Flushing(left) => ending.is_some() && left <= LAST_READS,
            Stage::SendingFin => ending.is_some(),
            Stage::Lingering => ending.is_some() && unsent.is_empty(),
            Stage::PeerFinished => true,
            Stage::LastAck => session.expects_last() && unsent.is_empty(),
        };
        Implausible::unless(is_possible, "it is at another end than it says")?;
        // A program that is being stopped hands nothing over.
        Implausible::unless(ending != Some(CloseReason::ServerShutdown), "its end has no end")
    }
}
