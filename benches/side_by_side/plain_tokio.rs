//! The server that one would write with tokio at first: `timeout()` around every read and write, a buffer per task.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::time::timeout;

const WRITE_DEADLINE: Duration = Duration::from_secs(10);
const MAX_MISSED: u32 = 3;

/// Serves for ever, and probes whoever is silent for `interval`.
pub fn serve(address: SocketAddr, interval: Duration) -> anyhow::Result<Infallible> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(echo(stream, interval));
        }
    })
}

async fn echo(mut stream: TcpStream, interval: Duration) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 4096];
    let mut missed = 0;
    loop {
        let Ok(read) = timeout(interval, stream.read(&mut buffer)).await else {
            if missed == MAX_MISSED {
                return Ok(());
            }
            missed += 1;
            timeout(WRITE_DEADLINE, stream.write_all(format!("PING {missed}\n").as_bytes())).await??;
            continue;
        };
        let received = &buffer[..read?];
        if received.is_empty() {
            return Ok(());
        }
        missed = 0;
        if !received.starts_with(b"PONG") {
            timeout(WRITE_DEADLINE, stream.write_all(received)).await??;
        }
    }
}
