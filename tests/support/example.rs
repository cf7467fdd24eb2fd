//! The programs of `cargo build --examples`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::BINARY;

/// Builds an example beside the binary under test. `cargo test --test` builds none, and an older one may lie there.
#[track_caller]
pub fn build(name: &str) -> PathBuf {
    let folder = Path::new(BINARY).parent().expect("the folder of the profile");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--example", name]);
    cargo.arg("--target-dir").arg(folder.parent().expect("the folder of all profiles"));
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(cargo.status().expect("cargo runs").success(), "{cargo:?}");
    folder.join("examples").join(name)
}
