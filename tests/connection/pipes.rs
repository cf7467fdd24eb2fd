//! The same connection over tokio's in-memory pipe, whose reads and writes come in pieces of a few bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pulse_echo::core::{CloseReason, Protocol};
use pulse_echo::net::{EventLoop, Transport};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::task::JoinHandle;

use crate::outcome::Outcome;
use crate::scripted::{DEFAULTS, end_of, serve};

struct Pipe(DuplexStream);

impl Transport for Pipe {}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

fn connect(protocol: Protocol, capacity: usize) -> (DuplexStream, JoinHandle<Outcome>) {
    let (near, far) = tokio::io::duplex(capacity);
    (far, serve(Pipe(near), &EventLoop::start(Arc::default()), protocol, DEFAULTS, 0))
}

/// Sends all of it, half-closes, and returns what came back.
async fn exchange(protocol: Protocol, capacity: usize, bytes: &[u8]) -> (Vec<u8>, Outcome) {
    let (far, mut task) = connect(protocol, capacity);
    let (mut incoming, mut outgoing) = tokio::io::split(far);
    let mut echo = Vec::new();
    let sending = async {
        outgoing.write_all(bytes).await?;
        outgoing.shutdown().await
    };
    let (sent, received) = tokio::join!(sending, incoming.read_to_end(&mut echo));
    assert!(sent.is_ok() && received.is_ok(), "{sent:?}, {received:?}");
    (echo, end_of(&mut task).await)
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn every_byte_comes_back_in_order_whatever_the_pieces() {
    let bytes: Vec<u8> = (0..20_000u32).map(|number| ((number * number) >> 3) as u8).collect();
    for protocol in Protocol::ALL {
        for capacity in [1, 7, 64, 4_096, 65_536] {
            let (echo, outcome) = exchange(protocol, capacity, &bytes).await;
            assert!(echo == bytes, "{protocol:?} in pieces of {capacity}");
            let report = outcome.expect(0, CloseReason::PeerClosed);
            assert_eq!((report.received_bytes, report.sent_bytes), (20_000, 20_000));
            assert_eq!(report.unechoed_bytes, 0);
        }
    }
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn control_lines_are_understood_whatever_the_pieces() {
    let mut sent = b"a\nPONG 1\nPING x\r\nPONGO\nPONG :2\r\n\nPING\n".repeat(50);
    let mut expected = b"a\nPONG x\r\nPONGO\n\nPONG\n".repeat(50);
    for unfinished in [&mut sent, &mut expected] {
        unfinished.extend_from_slice(b"PONG 3");
    }
    for capacity in [1, 3, 64, 4_096] {
        let (echo, outcome) = exchange(Protocol::Line, capacity, &sent).await;
        assert_eq!(echo.escape_ascii().to_string(), expected.escape_ascii().to_string());
        outcome.expect(0, CloseReason::PeerClosed);
    }
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_half_closed_peer_reads_everything_and_then_the_end() {
    let (mut far, mut task) = connect(Protocol::Line, 4);
    let mut echo = Vec::new();
    for piece in ["hell", "o\nPO"] {
        let mut back = [0; 4];
        assert!(far.write_all(piece.as_bytes()).await.is_ok());
        let length = far.read(&mut back).await.unwrap_or(0);
        echo.extend_from_slice(&back[..length]);
    }
    assert!(far.shutdown().await.is_ok());
    assert!(far.read_to_end(&mut echo).await.is_ok());
    assert_eq!(echo.escape_ascii().to_string(), "hello\\nPO");
    end_of(&mut task).await.expect(0, CloseReason::PeerClosed);
}

#[tokio::test(flavor = "local", start_paused = true)]
async fn a_peer_that_is_gone_for_good_is_a_broken_pipe() {
    let (mut far, mut task) = connect(Protocol::Line, 4);
    for piece in [b"hell", b"o th"] {
        assert!(far.write_all(piece).await.is_ok());
    }
    tokio::task::yield_now().await; // the second piece waits for the first to be taken
    drop(far);
    assert_eq!(end_of(&mut task).await.close.reason, CloseReason::BrokenPipe);
}
