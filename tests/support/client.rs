//! Clients. Every wait of theirs ends, with an error, after [`PATIENCE`].

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use super::PATIENCE;

/// A receive buffer so small that a peer which does not read is soon a peer that takes nothing.
pub const SMALL_BUFFER: usize = 4096;

/// A connection to the daemon, and the daemon's name for it.
#[derive(Debug)]
pub struct Client {
    pub stream: TcpStream,
    /// Our end: the `peer` of the daemon's records.
    pub address: SocketAddr,
    /// Their end: the `local` of the daemon's records.
    pub server: SocketAddr,
}

impl Client {
    #[track_caller]
    pub fn connect(server: SocketAddr) -> Client {
        Client::try_connect(server).expect("the daemon listens")
    }

    /// # Errors
    /// Nobody listens, or the connection was reset at once.
    pub fn try_connect(server: SocketAddr) -> io::Result<Client> {
        Client::of(TcpStream::connect_timeout(&server, PATIENCE)?)
    }

    #[track_caller]
    pub fn with_small_buffer(server: SocketAddr) -> Client {
        let any = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        Client::connect_from(any, server, Some(SMALL_BUFFER))
    }

    /// From an address of this host, with a receive buffer of this size or the kernel's own.
    #[track_caller]
    pub fn connect_from(local: IpAddr, server: SocketAddr, receive_buffer: Option<usize>) -> Client {
        let connect = || {
            let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
            if let Some(size) = receive_buffer {
                // Before connecting: the window offered first cannot be taken back.
                socket.set_recv_buffer_size(size)?;
            }
            socket.bind(&SocketAddr::from((local, 0)).into())?;
            socket.connect(&server.into())?;
            Client::of(socket.into())
        };
        connect().expect("the daemon listens")
    }

    fn of(stream: TcpStream) -> io::Result<Client> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let (address, server) = (stream.local_addr()?, stream.peer_addr()?);
        Ok(Client { stream, address, server })
    }

    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the daemon takes bytes");
    }

    /// The next `length` bytes.
    #[track_caller]
    pub fn receive(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("the daemon sends so many bytes");
        bytes
    }

    /// The next line, its end included. It comes byte by byte, so nothing after it is lost.
    #[track_caller]
    pub fn receive_line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            line.extend(self.receive(1));
        }
        String::from_utf8(line).expect("plain text")
    }

    #[track_caller]
    pub fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let expected = bytes.as_ref();
        let received = self.receive(expected.len());
        assert_eq!(received.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    /// Sends `bytes` and gets them back.
    #[track_caller]
    pub fn echo(&mut self, bytes: impl AsRef<[u8]>) {
        self.send(bytes.as_ref());
        self.expect(bytes);
    }

    /// Half-closes: nothing more to send, still reading.
    #[track_caller]
    pub fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("it is connected");
    }

    /// Everything up to the daemon's FIN.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).expect("the daemon ends in good order");
        bytes
    }

    /// Nothing more comes but the daemon's FIN.
    #[track_caller]
    pub fn expect_end(&mut self) {
        assert_eq!(self.rest().escape_ascii().to_string(), "");
    }

    /// Reads until the daemon has ended the connection, in whatever way.
    pub fn wait_until_over(&mut self) {
        // Both outcomes are an end, and a timeout shows in what the test asks next.
        let _ = io::copy(&mut self.stream, &mut io::sink());
    }

    /// Closes by RST.
    pub fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("an option of TCP");
    }

    /// A second handle of the same connection, for another thread.
    #[track_caller]
    pub fn try_clone(&self) -> Client {
        let stream = self.stream.try_clone().expect("a descriptor more");
        Client { stream, ..*self }
    }
}
