//! Monitoring: a question, an answer, and a record that is no alarm.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::page::section;
use crate::stage::{Program, client, on_stage, pulse_echo, shell};
use crate::support::eventually_true;
use crate::support::process::TempFile;

#[test]
fn nagios() {
    on_stage(&["../lib/nagios/plugins/check_tcp"], || {
        let daemon = pulse_echo("10.0.0.11", "");
        let [check] = section("Nagios and Icinga").snippets();
        let (is_well, said) = shell(check);
        assert!(is_well, "{said}");
        assert!(said.starts_with("TCP OK - "), "{said}");
        section("Nagios and Icinga").shows(&daemon.wait_for_event("close"));
        // With -E behind it, the \n of -s stays two letters: the line never ends.
        let late = check.replace("-E -s 'PING nagios\\n'", "-s 'PING nagios\\n' -E").replace("-e", "-t 2 -e");
        assert_ne!(late, check);
        let (is_well, said) = shell(&late);
        assert!(!is_well, "{said}");
        section("Nagios and Icinga").shows_line(said.trim_end());
        // On a listener that requires a header it cannot ask at all.
        let (is_well, said) = shell(&check.replace("7017", "7007"));
        assert!(!is_well, "{said}");
        let close = daemon.wait_for_record("a refusal", |record| record["reason"] == "proxy_header");
        section("The pulse-echo of this page").shows(&close);
    });
}

#[test]
fn blackbox_exporter() {
    on_stage(&["prometheus-blackbox-exporter"], || {
        let daemon = pulse_echo("10.0.0.11", "");
        let [module] = section("Prometheus").snippets();
        let file = TempFile::with_name("blackbox", module);
        let mut command = Command::new("prometheus-blackbox-exporter");
        command.arg(format!("--config.file={}", file.path())).arg("--web.listen-address=10.0.0.1:9115");
        let _exporter = Program::start(&mut command, "10.0.0.1:9115");
        let probe = || {
            let mut request = client("192.0.2.8", "10.0.0.1:9115");
            request.send("GET /probe?target=10.0.0.11:7017&module=pulse_echo HTTP/1.0\r\n\r\n");
            request.stream.flush().expect("it is sent");
            let mut metrics = String::new();
            request.stream.read_to_string(&mut metrics).expect("metrics");
            metrics
        };
        let metrics = probe();
        assert!(metrics.contains("\nprobe_success 1\n"), "{metrics}");
        section("Prometheus").shows_line("probe_success 1");
        section("Prometheus").shows(&daemon.wait_for_event("close"));
        drop(daemon);
        let metrics = probe();
        assert!(metrics.contains("\nprobe_success 0\n"), "{metrics}");
    });
}

#[test]
fn monit() {
    on_stage(&["monit"], || {
        let daemon = pulse_echo("10.0.0.11", "");
        let [check] = section("monit").snippets();
        let files = ["idfile", "statefile", "pidfile"].map(|name| (name, TempFile::with_name(name, "")));
        let places: String =
            files.iter().map(|(name, file)| format!("set {name} {}\n", file.path())).collect();
        let configuration = TempFile::with_name("monitrc", format!("set daemon 1\n{places}{check}"));
        fs::set_permissions(&configuration, Permissions::from_mode(0o700)).expect("a file of ours");
        // It makes its files itself.
        files.iter().for_each(|(_, file)| fs::remove_file(file).expect("a file of ours"));
        let monit = Program::start_silent(Command::new("monit").args(["-I", "-c", configuration.path()]));
        daemon.wait_for_closes(2);
        section("monit").shows(&daemon.wait_for_event("close"));
        assert!(!monit.said().contains("failed"), "{}", monit.said());
        drop(daemon);
        eventually_true("monit finds it gone", || monit.said().contains("'echo1' failed protocol test"));
    });
}
