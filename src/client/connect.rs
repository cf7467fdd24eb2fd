//! From a name to a connection.

use std::fmt::{self, Display};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;

use super::arguments::Target;

/// Nobody could be reached.
#[derive(Debug)]
pub struct Unreachable {
    place: String,
    why: String,
}

impl Display for Unreachable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "cannot connect to {}: {}", self.place, self.why)
    }
}

impl std::error::Error for Unreachable {}

/// A connection to the first address that takes one, each of them given `patience`.
///
/// # Errors
/// The name has no address, or none takes a connection.
pub async fn connect(target: &Target, patience: Duration) -> Result<TcpStream, Unreachable> {
    let unreachable = |why| Unreachable { place: target.place.clone(), why };
    let found = timeout(patience, lookup_host(&target.place)).await;
    let found = found.map_err(|_| unreachable("the name service does not answer".to_owned()))?;
    let found = found.map_err(|error| unreachable(error.to_string()))?;
    let mut why = "the name has no address of that family".to_owned();
    for address in found.filter(|address| is_wanted(target, *address)) {
        match timeout(patience, connect_to(target, address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => why = format!("{address}: {error}"),
            Err(_) => why = format!("{address}: no answer within {} s", patience.as_secs_f64()),
        }
    }
    Err(unreachable(why))
}

fn is_wanted(target: &Target, address: SocketAddr) -> bool {
    let by_option = if address.is_ipv4() { !target.ipv6 } else { !target.ipv4 };
    by_option && target.bind.is_none_or(|bind| bind.is_ipv4() == address.is_ipv4())
}

async fn connect_to(target: &Target, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(bind) = target.bind {
        socket.bind(SocketAddr::new(bind, 0))?;
    }
    socket.set_nodelay(true)?;
    socket.connect(address).await
}
