//! Sockets that the service manager passes: what they bring along.

mod support;

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;

use support::client::Client;
use support::daemon::{Daemon, serve_with_socket};
use support::process::TempFile;
use support::skip;

#[test]
fn a_unix_socket_is_named_as_such() {
    let path = std::env::temp_dir().join(format!("pulse-echo-unix-{}", std::process::id()));
    let socket = UnixListener::bind(&path).expect("a path of ours");
    let config = TempFile::new("[[listener]]\nname = 'line'\nprotocol = 'line'\naddress = '127.0.0.1:7'");
    let ended = serve_with_socket(&config, "line", socket).output().expect("it runs");
    std::fs::remove_file(path).expect("it is there");
    let log = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(78), "{log}");
    assert!(log.contains("is no TCP socket (ListenStream= wants an address with a port"), "{log}");
}

/// With `BindIPv6Only=both`, the default of systemd, an IPv4 client comes to `[::]` as `::ffff:127.0.0.1`.
#[test]
fn a_client_of_a_socket_for_both_families_has_the_address_it_knows() {
    let Ok(socket) = TcpListener::bind("[::]:0") else {
        return skip("there is no IPv6");
    };
    let port = socket.local_addr().expect("it is bound").port();
    let config = TempFile::new(format!(
        "server.max_connections = 1\n[[listener]]\nname = 'line'\nprotocol = 'line'\naddress = '[::]:{port}'"
    ));
    let daemon = Daemon::start_command(serve_with_socket(&config, "line", socket), config);
    let server = SocketAddr::from(([127, 0, 0, 1], port));
    let mut client = Client::connect(server);
    client.echo("hello\n");
    drop(Client::try_connect(server));
    let refuse = daemon.wait_for_event("refuse");
    assert!(refuse["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{refuse}");
    client.finish();
    client.expect_end();
    let close = daemon.wait_for_close(client.address);
    assert_eq!(close["local"], server.to_string(), "{close}");
}
