//! The peer is gone, and its host says so, sooner or later.

use nix::sys::signal::Signal;

use crate::at_once;
use crate::clients::ClientProcess;
use crate::expected::{SETTINGS, peer_closed, peer_reset};
use crate::lab::lab;
use crate::support::{PROTOCOLS, eventually_true};

#[test]
fn killed_it_is_closed_by_its_kernel() {
    lab(SETTINGS, |lab| {
        at_once(&PROTOCOLS, |protocol| {
            let host = lab.host();
            let mut client = ClientProcess::answering(host.connect(protocol));
            if *protocol == "line" {
                client.wait_for_answer();
            }
            client.process.signal(Signal::SIGKILL);
            lab.expect("client killed", client.peer, peer_closed());
        });
    });
}

#[test]
fn killed_with_bytes_unread_it_is_reset_by_its_kernel() {
    lab(SETTINGS, |lab| {
        at_once(&PROTOCOLS, |protocol| {
            let host = lab.host();
            let mut client = host.connect(protocol);
            client.send("never read\n");
            let arrived = || client.stream.peek(&mut [0; 16]).is_ok_and(|length| length == 11);
            eventually_true("the echo arrives", arrived);
            let client = ClientProcess::sleeping(client);
            client.process.signal(Signal::SIGKILL);
            let close = lab.expect("client killed, bytes unread", client.peer, peer_reset());
            assert_eq!(close["op"], "read", "{close}");
        });
    });
}

/// Its host knows nothing of the connection any more, and says so as soon as it is asked anything: by a probe of the
/// server's or the kernel's, by what is sent again, or by a window probe.
#[test]
fn rebooted_its_host_resets_what_it_does_not_know() {
    lab(SETTINGS, |lab| {
        at_once(&PROTOCOLS, |protocol| {
            let mut host = lab.host();
            let mut unread = host.connect_with_small_buffer(protocol);
            host.block(&mut unread);
            let idle = host.connect(protocol);
            let mut in_mid_line = host.connect(protocol);
            in_mid_line.echo("half a line");
            let mut busy = host.connect(protocol);
            host.lose_echo(&mut busy);
            host.reboot();
            lab.expect("host rebooted", idle.address, peer_reset());
            lab.expect("host rebooted, in mid-line", in_mid_line.address, peer_reset());
            lab.expect("host rebooted, data in flight", busy.address, peer_reset());
            let close = lab.expect("host rebooted, window closed", unread.address, peer_reset());
            assert_eq!(close["op"], "write", "{close}");
        });
    });
}
