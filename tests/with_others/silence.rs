//! A client that is lost behind a proxy.

use crate::haproxy::Haproxy;
use crate::page::section;
use crate::stage::{BALANCER, client, on_stage};
use crate::support::daemon::Daemon;
use crate::support::network::{Fate, cut_from};
use crate::support::record::text;

/// Faster than the page has it.
const SETTINGS: &str =
    "deadlines.read = '6s'\nheartbeat = { interval = '1s', timeout = '1s', max_missed = 2 }";

/// Its keepalive ends at the proxy's host, which answers it for a client that is long gone.
#[test]
fn raw_finds_out_by_its_read_deadline_alone() {
    on_stage(&["haproxy"], || {
        for (protocol, reason) in [("line", "heartbeat_timeout"), ("raw", "read_timeout")] {
            let [listener] = section("Raw behind a proxy").snippets();
            let file = format!("{SETTINGS}\n{}", listener.replace("\"raw\"", &format!("\"{protocol}\"")));
            let daemon = Daemon::start_with_file(&file);
            let _haproxy = Haproxy::start(&format!(
                "defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n\
                 listen echo\n bind {BALANCER}\n server echo1 10.0.0.11:7008 send-proxy-v2\n"
            ));
            let mut client = client("192.0.2.7", BALANCER);
            client.echo("hello\n");
            cut_from(client.address, Fate::Lost);
            let close = daemon.wait_for_close(client.address);
            assert_eq!(
                (text(&close, "reason"), text(&close, "verdict")),
                (reason, "beyond_proxy"),
                "{close}"
            );
            section("Raw behind a proxy").shows(&close);
        }
    });
}

/// Without a proxy the same keepalive finds it.
#[test]
fn without_a_proxy_the_keepalive_of_raw_finds_it() {
    on_stage(&[], || {
        let settings = SETTINGS.replace("6s", "20s");
        let raw = "[[listener]]\nname = 'raw'\naddress = '10.0.0.11:7008'\nprotocol = 'raw'\n";
        let daemon = Daemon::start_with_file(&format!("{settings}\n{raw}"));
        let mut client = client("192.0.2.7", "10.0.0.11:7008");
        client.echo("hello\n");
        cut_from(client.address, Fate::Lost);
        assert_eq!(daemon.wait_for_close(client.address)["reason"], "network_timeout");
    });
}
