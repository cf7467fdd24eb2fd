//! The last steps of a connection that ends in good order: our FIN, the peer's, and its last acknowledgement.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::failures::{read_failed, without_blocked, write_failed};
use super::{Connection, Progress, Stage, Transport, poll_read};
use crate::core::{Close, CloseReason};

impl<T: Transport> Connection<T> {
    pub(super) fn send_fin(&mut self, cx: &mut Context<'_>) -> Progress {
        let shutdown = ready!(Pin::new(&mut self.transport).poll_shutdown(cx));
        shutdown.map_err(write_failed)?;
        self.stage = Stage::Lingering;
        Poll::Ready(Ok(()))
    }

    pub(super) fn linger(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Progress {
        let read = ready!(poll_read(&mut self.transport, cx, scratch));
        match read.map_err(read_failed)? {
            0 => {
                self.stage = Stage::PeerFinished;
                Poll::Ready(Ok(()))
            }
            received => {
                if self.origin.introduction().is_none() {
                    self.session.discard(self.now(), received);
                }
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Both sides have said everything. Our FIN makes the peer's TCP acknowledge at once what it may have held back.
    pub(super) fn end_once_delivered(&mut self, cx: &mut Context<'_>) -> Progress {
        if !self.transport.has_unacknowledged() {
            return Poll::Ready(Err(CloseReason::PeerClosed.into()));
        }
        self.look_for_reset()?;
        let shutdown = ready!(Pin::new(&mut self.transport).poll_shutdown(cx));
        if let Err(error) = shutdown {
            self.look_for_reset()?; // it may have come just now, and tells more
            return Poll::Ready(Err(write_failed(error)));
        }
        let evidence = self.transport.evidence();
        if self.session.is_delivered(&evidence) {
            return Poll::Ready(Err(CloseReason::PeerClosed.into()));
        }
        self.stage = Stage::LastAck;
        self.session.expect_last(self.now(), &evidence);
        Poll::Pending
    }

    /// Behind the peer's FIN a read finds no error any more.
    pub(super) fn look_for_reset(&self) -> Result<(), Close> {
        match self.transport.take_error() {
            Some(error) => Err(without_blocked(write_failed(error))),
            None => Ok(()),
        }
    }
}
