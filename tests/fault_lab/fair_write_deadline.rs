//! A peer that takes its time, and one that takes nothing: the write deadline must tell them apart.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::clients::Flood;
use crate::expected::check_evidence;
use crate::lab::lab;
use crate::support::record::number;
use crate::support::{PROTOCOLS, now};

/// With the default write deadline of ten seconds. The slow ones read 1 KiB a second into a buffer of 4 KiB, so that their
/// window moves by jerks.
#[test]
fn one_that_takes_a_little_is_served_on_and_one_that_takes_nothing_is_not() {
    const LONG_ENOUGH: Duration = Duration::from_secs(22);
    lab("", |lab| {
        let host = lab.host();
        let begin = |protocol| Flood::begin(host.connect_with_small_buffer(protocol));
        let stuck = PROTOCOLS.map(begin);
        let slow = PROTOCOLS.map(begin);
        let all_served = AtomicBool::new(true);
        let began = now();
        thread::scope(|scope| {
            for mut flood in slow {
                let all_served = &all_served;
                scope.spawn(move || {
                    flood.read_slowly(1024, || began.elapsed() < LONG_ENOUGH);
                    let peer = flood.client.address.to_string();
                    let closes = lab.daemon.records("close");
                    let served = closes.iter().all(|close| close["peer"] != peer.as_str());
                    all_served.fetch_and(served, Ordering::Relaxed);
                });
            }
        });
        assert!(all_served.into_inner(), "{:?}", lab.daemon.records("close"));
        for flood in &stuck {
            let close = lab.daemon.wait_for_close(flood.client.address);
            assert_eq!(close["reason"], "write_timeout", "{close}");
            assert_eq!(close["verdict"], "peer_not_reading", "{close}");
            assert!((10_000..23_000).contains(&number(&close, "idle_ms")), "{close}");
            check_evidence(&close);
        }
    });
}
