//! Much traffic, to be checked byte by byte.

use std::thread;

use super::client::Client;

/// Any bytes at all.
pub fn random_bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..length).map(|_| random.u8(..)).collect()
}

/// Bytes in which lines begin all the time, often as control lines do; whole control lines are not among them.
pub fn tricky_bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = Vec::with_capacity(length + 80);
    while bytes.len() < length {
        match random.u8(..8) {
            0 => bytes.extend(&b"\nPING "[..random.usize(1..=6)]),
            1 => bytes.extend(&b"\nPONG "[..random.usize(1..=6)]),
            2 => bytes.extend(b"PONG\r"),
            3 => bytes.push(b'\n'),
            4 => bytes.push(b'P'),
            5 => bytes.extend(vec![b'x'; random.usize(..70)]),
            _ => bytes.push(random.u8(..)),
        }
    }
    bytes.truncate(length);
    spoil_control_lines(&mut bytes);
    bytes
}

/// Makes data of every control line by its first letter.
fn spoil_control_lines(bytes: &mut [u8]) {
    for line in bytes.split_inclusive_mut(|byte| *byte == b'\n') {
        if is_control(line) {
            line[0] = b'Q';
        }
    }
}

/// The rule of the contract once more, in other words than the daemon's.
fn is_control(line: &[u8]) -> bool {
    let Some(text) = line.strip_suffix(b"\n").filter(|_| line.len() <= 64) else { return false };
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let exact = [b"PING", b"PONG"].iter().any(|word| text == *word);
    exact || text.starts_with(b"PING ") || text.starts_with(b"PONG ")
}

/// Sends `bytes` and reads their echo at the same time, then half-closes. Returns all that came back.
#[track_caller]
pub fn exchange(client: &mut Client, bytes: &[u8]) -> Vec<u8> {
    let mut sender = client.try_clone();
    thread::scope(|scope| {
        scope.spawn(|| {
            sender.send(bytes);
            sender.finish();
        });
        client.rest()
    })
}
