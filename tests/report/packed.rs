//! Logs in parts, in any order, packed or not.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use proptest::test_runner::Config;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::logs::{FAULTS, as_journal, as_text};
use crate::report;

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
