//! One source of words: for the command, the log messages and docs/close-reasons.md.

use std::fs;
use std::path::Path;

use pulse_echo::config::DEFAULT_FILE;
use pulse_echo::explain;

#[test]
fn the_page_says_what_the_command_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/close-reasons.md");
    let page = fs::read_to_string(page).unwrap();
    assert!(page == explain::page(), "make it anew: pulse-echo explain --markdown > docs/close-reasons.md");
}

#[test]
fn every_setting_named_exists() {
    for explanation in explain::all() {
        for setting in explanation.settings() {
            let (section, key) = setting.split_once('.').unwrap();
            let section = format!("[{section}]");
            let key = format!("\n{key} = ");
            let known = DEFAULT_FILE.contains(&section) && DEFAULT_FILE.contains(&key);
            assert!(known, "{} names {setting}", explanation.name);
        }
    }
}
