//! The scripts in tests/systemd/ under a real systemd, each of them a test.
//!
//! Where the laboratory is found (`PULSE_ECHO_LAB`, or `../shared/systemd-lab.sh`), each boots a systemd of its own in a
//! throw-away overlay of this machine, for which it must be root. With `PULSE_ECHO_SYSTEMD=1` they run on the systemd that
//! booted this machine, one at a time.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use support::process::BINARY;
use support::{example, say_skipped, skip};

/// For one script, in seconds.
const TIME_LIMIT: &str = "300";

/// What the laboratory exits with where it cannot work.
const NO_LABORATORY: i32 = 125;

macro_rules! scripts {
    ($($name:ident)*) => {
        const SCRIPTS: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                run(stringify!($name));
            }
        )*
    };
}

scripts! {
    bad_configuration burst crash hardening journal limits_by_source long_stop lost_socket package readiness reload restarts socket_mismatch sockets watchdog
}

#[test]
fn no_script_is_forgotten() {
    let files = fs::read_dir(project().join("tests/systemd")).unwrap().map(|entry| entry.unwrap().path());
    let scripts = files.filter(|file| file.extension().is_some_and(|extension| extension == "sh"));
    let names = scripts.map(|script| script.file_stem().unwrap().to_string_lossy().replace('-', "_"));
    let names: BTreeSet<String> = names.filter(|name| name != "library").collect();
    assert_eq!(names, SCRIPTS.iter().map(|name| (*name).to_owned()).collect());
}

/// Where there is a systemd to test under.
enum Systemd {
    Laboratory(PathBuf),
    OfThisMachine,
}

fn run(script: &str) {
    let systemd = match systemd() {
        Ok(systemd) => systemd,
        Err(why) => return say_skipped(&why),
    };
    let package = newest_package();
    if script == "package" && package.is_none() {
        return skip("there is no package: .ci/package builds it");
    }
    let mut command = command(&systemd, &environment(package));
    command.arg(script.replace('_', "-"));
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let alone = match systemd {
        Systemd::OfThisMachine => Some(ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)),
        Systemd::Laboratory(_) => None,
    };
    let output = command.output().unwrap();
    drop(alone);
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => println!("{told}"),
        Some(NO_LABORATORY) => say_skipped(&told),
        _ => panic!("{told}"),
    }
}

fn systemd() -> Result<Systemd, String> {
    if std::env::var("PULSE_ECHO_SYSTEMD").is_ok_and(|value| value == "1") {
        return Ok(Systemd::OfThisMachine);
    }
    let beside = || project().join("../shared/systemd-lab.sh");
    let laboratory = std::env::var_os("PULSE_ECHO_LAB").map_or_else(beside, PathBuf::from);
    if !laboratory.exists() {
        return Err("no systemd-lab.sh (PULSE_ECHO_LAB), and not PULSE_ECHO_SYSTEMD=1".to_owned());
    }
    match fs::metadata("/proc/self").unwrap().uid() {
        0 => Ok(Systemd::Laboratory(laboratory)),
        _ => Err("the laboratory of systemd wants root".to_owned()),
    }
}

fn command(systemd: &Systemd, environment: &[(&str, PathBuf)]) -> Command {
    let script = project().join("tests/systemd/run");
    let Systemd::Laboratory(laboratory) = systemd else {
        let mut command = Command::new(script);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        return command;
    };
    let mut command = Command::new("bash");
    command.arg(laboratory).args(["-t", TIME_LIMIT]);
    for shared in [project(), target()] {
        command.arg("-b").arg(shared);
    }
    for (name, value) in environment {
        command.arg("-e").arg(format!("{name}={}", value.display()));
    }
    command.arg("--").arg(script);
    command
}

/// What tests/systemd/run wants to know.
fn environment(package: Option<PathBuf>) -> Vec<(&'static str, PathBuf)> {
    let client = example::build("service_client");
    let files = [("PULSE_ECHO_BINARY", PathBuf::from(BINARY)), ("SERVICE_CLIENT", client)];
    files.into_iter().chain(package.map(|package| ("PULSE_ECHO_PACKAGE", package))).collect()
}

fn newest_package() -> Option<PathBuf> {
    let files = fs::read_dir(target().join("debian")).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let packages = files.filter(|file| file.extension().is_some_and(|extension| extension == "deb"));
    packages.max_by_key(|package| package.metadata().and_then(|metadata| metadata.modified()).ok())
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn target() -> &'static Path {
    Path::new(BINARY).ancestors().nth(2).unwrap()
}
