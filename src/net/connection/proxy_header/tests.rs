use super::*;

fn binary(version_and_command: u8, family_and_protocol: u8, rest: &[u8]) -> Vec<u8> {
    let mut header = BINARY.to_vec();
    header.extend([version_and_command, family_and_protocol]);
    header.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
    header.extend(rest);
    header
}

const IPV4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0x1f, 0x90, 0, 7];

fn ipv6() -> Vec<u8> {
    let source = "2001:db8::7".parse::<std::net::Ipv6Addr>().unwrap().octets();
    [&source[..], &[0; 16], &[0x1f, 0x90, 0, 7]].concat()
}

/// What is right, and whom it names.
fn right() -> Vec<(Vec<u8>, Option<&'static str>)> {
    let tlvs = [&IPV4[..], &[0x04, 0, 200], &[b'x'; 200], &[0xee, 0, 1, b'y']].concat();
    vec![
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 8080 7\r\n".to_vec(), Some("192.0.2.7:8080")),
        (b"PROXY TCP6 2001:db8::7 ::1 8080 7\r\n".to_vec(), Some("[2001:db8::7]:8080")),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n".to_vec(), None),
        (binary(0x21, 0x11, &IPV4), Some("192.0.2.7:8080")),
        (binary(0x21, 0x21, &ipv6()), Some("[2001:db8::7]:8080")),
        (binary(0x21, 0x11, &tlvs), Some("192.0.2.7:8080")),
        (
            binary(0x21, 0x11, &[&IPV4[..], &[0; LONGEST - BINARY_START - 12]].concat()),
            Some("192.0.2.7:8080"),
        ),
        (binary(0x21, 0x00, &[]), None),
        (binary(0x20, 0x00, &[]), None),
        (binary(0x20, 0x11, &IPV4), None),
        (binary(0x20, 0x99, b"whatever"), None),
    ]
}

#[test]
fn a_header_is_read_in_any_pieces_and_nothing_behind_it() {
    for (header, client) in right() {
        for end in 0..header.len() {
            assert_eq!(read(&header[..end]), Beginning::Partial, "{end} of {}", header.escape_ascii());
        }
        let client = client.map(|client| client.parse().unwrap());
        let read_whole = Beginning::Header { length: header.len(), client };
        for behind in ["", "x", "PING 1\n", "\r\n"] {
            assert_eq!(read(&[&header, behind.as_bytes()].concat()), read_whole, "{}", header.escape_ascii());
        }
    }
}

#[test]
fn what_is_wrong_is_refused_as_soon_as_it_is() {
    let text = |line: &str| line.as_bytes().to_vec();
    let wrong = [
        text("G"),
        text("PROXX"),
        text("PROXY\r\n"),
        text("PROXY TCP4 192.0.2.7 198.51.100.1 8080 7\n"),
        text("PROXY TCP4 192.0.2.7 198.51.100.1 +8080 7\r\n"),
        text("PROXY TCP4 192.0.2.7 198.51.100.1 8080\r\n"),
        text("PROXY TCP4 192.0.2.7 198.51.100.1 8080 65536\r\n"),
        text("PROXY TCP4 192.0.2.777 198.51.100.1 8080 7\r\n"),
        text("PROXY TCP4  192.0.2.7 198.51.100.1 8080 7\r\n"),
        text("PROXY TCP6 192.0.2.7 198.51.100.1 8080 7\r\n"),
        text("PROXY UDP4 192.0.2.7 198.51.100.1 8080 7\r\n"),
        text("PROXY TCP4 192.0.2.7\r 198.51.100.1 8080 7\r\n"),
        text("PROXY UNKNOWN \r more\r\n"),
        text("PROXY UNKNOWNfoo\r\n"),
        text(&format!("PROXY UNKNOWN {}", "x".repeat(93))),
        b"\r\n\r\n\0\r\nQUIX".to_vec(),
        binary(0x11, 0x11, &IPV4),
        binary(0x22, 0x11, &IPV4),
        binary(0x21, 0x12, &IPV4),
        binary(0x21, 0x10, &IPV4),
        binary(0x21, 0x22, &ipv6()),
        binary(0x21, 0x31, &[0; 216]),
        binary(0x21, 0x41, &IPV4),
        binary(0x21, 0x11, &IPV4[..11]),
        binary(0x21, 0x11, &[0; LONGEST - BINARY_START + 1])[..BINARY_START].to_vec(),
    ];
    for bytes in wrong {
        assert!(matches!(read(&bytes), Beginning::Wrong(_)), "{}: {:?}", bytes.escape_ascii(), read(&bytes));
    }
}

#[test]
fn data_that_looks_like_a_header_is_known() {
    for (header, _) in right() {
        assert!(look_like_header(&header), "{}", header.escape_ascii());
    }
    for data in ["", "PROXY", "PROXY TC", "PROXY TCP5 ", "PROXYTCP4 ", "\r\n\r\n", "PING 1\n"] {
        assert!(!look_like_header(data.as_bytes()), "{data}");
    }
}

/// Whatever comes: no panic, a verdict within the longest header, and the same whatever the pieces were.
#[test]
fn a_million_random_and_mutated_headers() {
    let right = right();
    let mut chance = fastrand::Rng::with_seed(13);
    let mut headers = 0;
    for _ in 0..1_000_000 {
        let mut bytes = match chance.u8(..8) {
            0 => (0..chance.usize(..64)).map(|_| chance.u8(..)).collect(),
            1 => [BINARY, &chance.u128(..).to_le_bytes()[..chance.usize(..16)]].concat(),
            _ => chance.choice(&right).unwrap().0.clone(),
        };
        for _ in 0..chance.usize(..3) {
            if !bytes.is_empty() {
                let place = chance.usize(..bytes.len());
                bytes[place] = chance.u8(..);
            }
        }
        let piece = chance.usize(..=bytes.len());
        let whole = read(&bytes);
        match (read(&bytes[..piece]), whole) {
            (Beginning::Partial, _) => assert!(piece < LONGEST),
            (early, late) => assert_eq!(early, late, "{}", bytes.escape_ascii()),
        }
        if let Beginning::Header { length, .. } = whole {
            assert!(length <= bytes.len().min(LONGEST));
            headers += 1;
        }
    }
    assert!((300_000..900_000).contains(&headers), "{headers} of them are headers");
}
