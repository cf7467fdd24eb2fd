//! What the README shows must hold.

use std::fs;
use std::path::Path;

use pulse_echo::config::Config;
use pulse_echo::explain;

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

#[test]
fn every_configuration_example_is_valid() {
    let readme = readme();
    let examples: Vec<&str> =
        readme.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        if let Err(problems) = Config::parse(example, "README.md") {
            panic!("{problems}\nin the example\n{example}");
        }
    }
}

#[test]
fn every_close_reason_and_verdict_is_explained() {
    let readme = readme();
    for explanation in explain::all() {
        let row = format!("| `{}` | ", explanation.name);
        assert!(readme.contains(&row), "no row for {}", explanation.name);
    }
}
