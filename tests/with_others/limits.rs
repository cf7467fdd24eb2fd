//! Limits by source, of the system's own. The drop-in is proved under systemd: tests/systemd/limits-by-source.sh.

use std::io::ErrorKind;

use crate::page::section;
use crate::stage::{address, client, host, on_stage, pulse_echo};
use crate::support::client::Client;
use crate::support::eventually_true;
use crate::support::network::run;
use crate::support::process::TempFile;

const DIRECT: &str = "10.0.0.11:7017";

fn is_refused(from: &str) -> bool {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&std::net::SocketAddr::new(host(from), 0).into()).expect("an address of ours");
    match socket.connect(&address(DIRECT).into()) {
        Ok(()) => false,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            true
        }
    }
}

#[test]
fn one_source_gets_so_many_connections_and_no_more() {
    on_stage(&["nft"], || {
        let daemon = pulse_echo("10.0.0.11", "");
        let [rules, _drop_in] = section("Limits by source").snippets();
        run("nft", &["-f", TempFile::with_name("nft", rules).path()]).expect("the rules of the page");
        let mut clients: Vec<Client> = (0..20).map(|_| client("192.0.2.7", DIRECT)).collect();
        clients.iter_mut().for_each(|client| client.echo("hello\n"));
        assert!(is_refused("192.0.2.7"), "the 21st");
        client("192.0.2.8", DIRECT).echo("another source\n");
        clients.truncate(19);
        eventually_true("there is room for one more", || !is_refused("192.0.2.7"));
        drop(clients);
        // What was refused never reached the daemon.
        daemon.wait_for_closes(22);
        let refused = run("nft", &["list", "table", "inet", "pulse_echo"]).expect("the table of the page");
        assert!(refused.contains("counter packets"), "{refused}");
    });
}
