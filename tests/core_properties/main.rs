//! What holds for every input and every history: the core against straightforward readings of the rules.
//!
//! `PROPTEST_CASES=10000 cargo test --test core_properties` looks harder.

mod histories;
mod model;
mod protocols;
mod streams;

use proptest::test_runner::Config;

/// A failure prints its input, cut down; nothing is kept in files.
fn config() -> Config {
    Config { failure_persistence: None, ..Config::default() }
}
