//! What `ping` and `idle-limit` themselves cost. Figures need a quiet machine and a release build, so these wait to be asked for:
//! `cargo test --release --test client_figures -- --ignored --nocapture --test-threads 1`

mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use support::daemon::Daemon;
use support::kernel::resident_bytes;
use support::process::{Process, pulse_echo, run};
use support::{dawdle, now};

const ROUNDS: usize = 9;
const MESSAGES: usize = 500;

/// The median of what a loop of send and recv measures, in microseconds.
fn bare_median(address: SocketAddr) -> f64 {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_nodelay(true).expect("an option of TCP");
    let mut message = [b'a'; 64];
    median((0..MESSAGES).map(|_| {
        let sent = now();
        stream.write_all(&message).expect("it reads");
        stream.read_exact(&mut message).expect("it echoes");
        let took = sent.elapsed();
        dawdle(Duration::from_millis(1));
        took.as_secs_f64() * 1e6
    }))
}

fn ping_median(address: SocketAddr) -> f64 {
    let (address, count) = (address.to_string(), MESSAGES.to_string());
    let output = run(["ping", &address, "--every", "1ms", "--count", &count, "--format", "json"]);
    let text = String::from_utf8(output.stdout).expect("plain text");
    let figures: Value = serde_json::from_str(text.lines().last().expect("figures")).expect("JSON");
    figures["rtt_median_us"].as_f64().expect("a number")
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
#[ignore = "a figure: it needs a quiet machine and a release build"]
fn ping_measures_what_a_bare_loop_measures() {
    let daemon = Daemon::start("");
    let address = daemon.address("raw");
    let rounds: Vec<_> = (0..ROUNDS).map(|_| (bare_median(address), ping_median(address))).collect();
    let [bare, ping] =
        [median(rounds.iter().map(|round| round.0)), median(rounds.iter().map(|round| round.1))];
    let more = median(rounds.iter().map(|(bare, ping)| ping - bare));
    println!("bare loop {bare:.1} us, ping {ping:.1} us, more in the same round {more:.1} us");
    assert!(more.abs() < 5.0, "{rounds:?}");
}

#[test]
#[ignore = "a figure: it needs a release build"]
fn a_thousand_silences_take_little_memory() {
    // Between two silences of the first round: the second one has all the steps that it may have.
    let daemon = Daemon::start("heartbeat.interval = 'off'\ndeadlines.read = '5900ms'");
    let address = daemon.address("raw").to_string();
    let mut process =
        Process::spawn(&mut pulse_echo(["idle-limit", &address, "--max", "8s", "--resolution", "1ms"]));
    let mut most = 0;
    while process.try_wait().expect("it is our child").is_none() {
        most = most.max(resident_bytes(process.id()));
        dawdle(Duration::from_millis(20));
    }
    let connections = daemon.stop()["accepted"].as_u64().expect("a number");
    println!("{connections} connections in all, at most {:.1} MB resident", most as f64 / 1e6);
    assert!(connections > 1000 && most < 20_000_000);
}
