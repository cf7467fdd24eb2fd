//! nginx's stream module in front: half-close, headers as text, its timeout.

use std::process::Command;

use nix::sys::signal::Signal;

use crate::page::section;
use crate::stage::{BALANCER, Program, client, on_stage, pulse_echo};
use crate::support::load::{exchange, tricky_bytes};
use crate::support::process::TempFile;
use crate::support::record::{number, text};

const PROGRAMS: [&str; 2] = ["nginx", "../lib/nginx/modules/ngx_stream_module.so"];

/// Debian's nginx.conf loads the module, and keeps files that a test has no use for.
const AROUND: &str = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off;
error_log stderr;
events {}
";

struct Nginx {
    _program: Program,
    _files: [TempFile; 2],
}

fn start(stream: &str) -> Nginx {
    let pid = TempFile::with_name("nginx-pid", "");
    let configuration = TempFile::with_name("nginx", format!("pid {};\n{AROUND}{stream}", pid.path()));
    let program = Program::start(Command::new("nginx").args(["-c", configuration.path()]), BALANCER);
    Nginx { _program: program, _files: [pid, configuration] }
}

#[test]
fn all_comes_back_to_a_client_that_finishes_first() {
    on_stage(&PROGRAMS, || {
        let daemon = pulse_echo("10.0.0.11", "");
        let [stream] = section("nginx").snippets();
        let _nginx = start(stream);
        let sent = tricky_bytes(42, 3_000_000);
        let mut client = client("192.0.2.7", BALANCER);
        assert!(exchange(&mut client, &sent) == sent, "another echo");
        let close = daemon.wait_for_close(client.address);
        assert_eq!(close["reason"], "peer_closed", "{close}");
        assert!(text(&close, "proxy").starts_with("10.0.0.1:"), "{close}");
        section("nginx").shows(&close);
    });
}

/// The daemon is stopped meanwhile, so the echo is surely not there before the client's FIN.
#[test]
fn without_half_close_the_rest_of_the_echo_is_lost() {
    on_stage(&PROGRAMS, || {
        for (half_close, echo) in [("on", "hello\n"), ("off", "")] {
            let daemon = pulse_echo("10.0.0.11", "");
            let [stream] = section("nginx").snippets();
            let _nginx =
                start(&stream.replace("proxy_half_close on", &format!("proxy_half_close {half_close}")));
            let mut client = client("192.0.2.7", BALANCER);
            daemon.signal(Signal::SIGSTOP);
            client.send("hello\n");
            client.finish();
            if half_close == "off" {
                client.expect_end();
                daemon.signal(Signal::SIGCONT);
            } else {
                daemon.signal(Signal::SIGCONT);
                client.expect(echo);
                client.expect_end();
            }
            let close = daemon.wait_for_close(client.address);
            assert_eq!(number(&close, "rx_bytes"), 6, "{close}");
            assert_eq!(close["reason"] == "peer_closed", half_close == "on", "{close}");
        }
    });
}

/// nginx's own timeout looks like an orderly end by the client, after the same silence each time.
#[test]
fn its_timeout_is_an_orderly_end() {
    on_stage(&PROGRAMS, || {
        let daemon = pulse_echo("10.0.0.11", "");
        let [stream] = section("nginx").snippets();
        let short = stream.replace("proxy_timeout 10m", "proxy_timeout 2s");
        assert_ne!(short, stream);
        let _nginx = start(&short);
        let mut client = client("192.0.2.7", BALANCER);
        client.echo("hello\n");
        client.wait_until_over();
        let close = daemon.wait_for_close(client.address);
        assert_eq!(close["reason"], "peer_closed", "{close}");
        assert!((1900..10_000).contains(&number(&close, "idle_ms")), "{close}");
        section("nginx").shows(&close);
    });
}
