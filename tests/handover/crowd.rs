//! Many connections, half of them talking without pause, over ten programs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pulse_echo::limits;

use crate::hand_over;
use crate::support::PROTOCOLS;
use crate::support::client::Client;
use crate::support::daemon::Daemon;
use crate::support::load::{random_bytes, tricky_bytes};
use crate::support::record::number;

const PROGRAMS: usize = 10;
const THREADS: usize = 4;
const LONGEST_MESSAGE: usize = 3_000;

/// What is sent at once. It ends in a long line, which is data: what may become a control line would be held back.
fn message(protocol: &str, seed: u64) -> Vec<u8> {
    let length = fastrand::Rng::with_seed(seed).usize(..LONGEST_MESSAGE);
    match protocol {
        "line" => [tricky_bytes(seed, length), vec![b'x'; 70], b"\n".to_vec()].concat(),
        _ => random_bytes(seed, length + 1),
    }
}

/// Each of them always has a message on its way.
fn talk(clients: &mut [(&str, Client)], first_seed: u64, is_over: &AtomicBool) {
    let mut seed = first_seed;
    while !is_over.load(Ordering::Relaxed) {
        let messages: Vec<_> =
            clients.iter().zip(seed..).map(|((protocol, _), seed)| message(protocol, seed)).collect();
        clients.iter_mut().zip(&messages).for_each(|((_, client), message)| client.send(message));
        for ((_, client), message) in clients.iter_mut().zip(&messages) {
            assert!(client.receive(message.len()) == *message, "another stream, from seed {seed}");
        }
        seed += clients.len() as u64;
    }
}

fn ten_programs_serve(count: usize) {
    limits::raise_descriptor_limit().expect("as many descriptors as are allowed");
    let daemon = Daemon::start("heartbeat.interval = 'off'\ndeadlines.read = '10m'");
    let addresses = PROTOCOLS.map(|protocol| daemon.address(protocol));
    let connect = |number: usize| (PROTOCOLS[number % 2], Client::connect(addresses[number % 2]));
    let mut talking: Vec<_> = (0..count / 2).map(connect).collect();
    let mut silent: Vec<_> = (0..count / 2).map(connect).collect();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for (number, clients) in talking.chunks_mut((count / 2).div_ceil(THREADS)).enumerate() {
            let (is_over, seed) = (&is_over, number as u64 * 1_000_000_000);
            scope.spawn(move || talk(clients, seed, is_over));
        }
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                Client::connect(addresses[1]).echo("a visitor");
            }
        });
        for _ in 0..PROGRAMS {
            let adopted = hand_over(&daemon);
            assert!(number(&adopted, "connections") >= count as u64, "{adopted}");
            assert_eq!(number(&adopted, "lost"), 0, "{adopted}");
        }
        is_over.store(true, Ordering::Relaxed);
    });
    silent.iter_mut().for_each(|(_, client)| client.echo("still here, all the time\n"));
    drop((talking, silent));
    let summary = daemon.stop();
    assert_eq!(number(&summary, "refused"), 0, "{summary}");
}

#[test]
fn a_crowd_goes_on() {
    ten_programs_serve(600);
}

/// `cargo test --release --test handover -- --ignored`
#[test]
#[ignore = "takes too long in a debug build"]
fn ten_thousand_go_on() {
    ten_programs_serve(10_000);
}
