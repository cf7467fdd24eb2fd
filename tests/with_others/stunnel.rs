//! stunnel in front: TLS, and a PROXY header behind it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use crate::page::section;
use crate::stage::{Program, on_stage, pulse_echo, shell};
use crate::support::process::{Process, TempFile};
use crate::support::record::text;

#[test]
fn the_client_behind_tls_is_named() {
    on_stage(&["stunnel", "openssl"], || {
        let certificate = TempFile::with_name("certificate", "");
        let (made, said) = shell(&format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=echo -keyout {0} -out {0}.crt \
             && cat {0}.crt >> {0} && rm {0}.crt",
            certificate.path()
        ));
        assert!(made, "{said}");
        let daemon = pulse_echo("10.0.0.11", "");
        let [service] = section("stunnel").snippets();
        let service = service.replace("/etc/stunnel/echo.pem", certificate.path());
        let configuration = TempFile::with_name("stunnel", format!("foreground = yes\npid =\n{service}"));
        let _stunnel = Program::start(Command::new("stunnel").arg(configuration.path()), "10.0.0.1:7443");
        let mut tls = Command::new("openssl");
        tls.args(["s_client", "-quiet", "-connect", "10.0.0.1:7443", "-bind", "192.0.2.7:0"]);
        let mut client =
            Process::spawn(tls.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()));
        client.stdin.as_mut().expect("it is piped").write_all(b"hello\n").expect("it takes bytes");
        let mut echo = String::new();
        BufReader::new(client.stdout.take().expect("it is piped")).read_line(&mut echo).expect("an echo");
        assert_eq!(echo, "hello\n");
        drop(client);
        let close = daemon.wait_for_event("close");
        assert!(text(&close, "peer").starts_with("192.0.2.7:"), "{close}");
        assert!(text(&close, "proxy").starts_with("10.0.0.1:"), "{close}");
        section("stunnel").shows(&close);
    });
}
