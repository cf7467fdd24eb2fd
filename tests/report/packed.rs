//! Logs in parts, in any order, packed or not.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use proptest::test_runner::Config;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::logs::{FAULTS, as_journal, as_text};
use crate::{report, run};

fn gzip(log: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(log).unwrap();
    packed.finish().unwrap()
}

fn zstd(log: &[u8]) -> Vec<u8> {
    let (one, other) = log.split_at(log.len() / 2);
    [one, other].map(|part| compress_to_vec(part, CompressionLevel::Fastest)).concat()
}

proptest! {
    #![proptest_config(Config { cases: 12, failure_persistence: None, ..Config::default() })]

    /// Each record goes to one of some files, in one of the formats, packed or not.
    #[test]
    fn splitting_interleaving_and_packing_change_nothing(
        places in prop::collection::vec(0..4_usize, FAULTS.lines().count()),
        packing in prop::collection::vec(0..3, 4),
    ) {
        let mut files = vec![Vec::new(); 4];
        for (line, place) in FAULTS.lines().zip(places) {
            let line = match place {
                0 => as_text(line),
                1 => as_journal(line),
                _ => format!("{line}\n"),
            };
            files[place].extend_from_slice(line.as_bytes());
        }
        let files: Vec<Vec<u8>> = files.iter().zip(packing).map(|(file, packing)| match packing {
            0 => file.clone(),
            1 => gzip(file),
            _ => zstd(file),
        }).collect();
        prop_assert_eq!(report(&files, &[]), include_str!("faults.txt"));
    }
}

#[test]
fn a_packed_log_that_was_cut_counts_as_far_as_it_goes() {
    let packed = gzip(FAULTS.repeat(20).as_bytes());
    let page = report(&[&packed[..packed.len() / 2]], &[]);
    assert!(page.contains("broke off"), "{page}");
}

/// As `pzstd` and seekable archives have them (RFC 8878, section 3.1.2).
const SKIPPED: &[u8] = b"\x5a\x2a\x4d\x18\x04\0\0\0seek";

#[test]
fn frames_that_hold_nothing_are_passed_over_however_many() {
    let empty = compress_to_vec(&b""[..], CompressionLevel::Fastest);
    let file = [SKIPPED, &empty.repeat(20_000), &zstd(FAULTS.as_bytes()), SKIPPED].concat();
    assert_eq!(report(&[file], &[]), include_str!("faults.txt"));
}

#[test]
fn members_of_gzip_are_one_log() {
    let file: Vec<u8> = FAULTS.split_inclusive('\n').flat_map(|line| gzip(line.as_bytes())).collect();
    assert_eq!(report(&[file], &[]), include_str!("faults.txt"));
}

#[test]
fn what_broke_off_at_once_is_said() {
    let packed = zstd(FAULTS.as_bytes());
    let output = run(&[&packed[..20]], &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(65) && said.contains("broke off"), "{said}");
}
