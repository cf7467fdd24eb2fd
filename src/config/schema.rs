//! Every section and every key there is.

use super::wording::did_you_mean;

/// Sections and their keys; `""` is the top of the file.
const SECTIONS: [(&str, &[&str]); 6] = [
    ("", &["server", "log", "deadlines", "heartbeat", "listener"]),
    ("server", &["workers", "max_connections", "shutdown_grace"]),
    ("log", &["format", "level", "summary_interval"]),
    ("deadlines", &["read", "write", "lifetime"]),
    ("heartbeat", &["interval", "timeout", "max_missed"]),
    ("listener", &["name", "address", "protocol", "deadlines", "heartbeat"]),
];

/// The keys known in `section`.
pub(super) fn keys_of(section: &str) -> &'static [&'static str] {
    SECTIONS.iter().find(|(name, _)| *name == section).map_or(&[], |(_, keys)| keys)
}

/// What may have been meant by `key`, which is unknown in `section`.
pub(super) fn meant(section: &str, key: &str) -> Option<String> {
    elsewhere(section, key).or_else(|| did_you_mean(key, keys_of(section)))
}

/// How to say it where `key` would be right.
fn elsewhere(section: &str, key: &str) -> Option<String> {
    let (home, _) = SECTIONS.iter().find(|(_, keys)| keys.contains(&key))?;
    Some(match *home {
        "" => format!("[{key}] is a section of its own"),
        "listener" => format!("{key} belongs in a [[listener]]"),
        home if keys_of(section).contains(&home) => format!("did you mean \"{home}.{key}\"?"),
        home => format!("{key} belongs in [{home}]"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DEFAULT_FILE;

    #[test]
    fn the_default_file_shows_every_section_and_key() {
        for (section, keys) in SECTIONS {
            let has = |line: &str| DEFAULT_FILE.lines().any(|other| other.starts_with(line));
            for key in keys {
                let shown = match section {
                    "" => has(&format!("[{key}]")) || has(&format!("[[{key}]]")),
                    _ => has(&format!("{key} = ")) || has(&format!("# {key}.")),
                };
                assert!(shown, "{key} of section {section:?}");
            }
        }
    }

    #[test]
    fn what_was_meant_is_a_key_elsewhere_or_a_word_nearby() {
        let table = [
            ("server", "worker", Some("did you mean \"workers\"?")),
            ("server", "read", Some("read belongs in [deadlines]")),
            ("server", "name", Some("name belongs in a [[listener]]")),
            ("server", "heartbeat", Some("[heartbeat] is a section of its own")),
            ("listener", "read", Some("did you mean \"deadlines.read\"?")),
            ("", "timeout", Some("did you mean \"heartbeat.timeout\"?")),
            ("", "listeners", Some("did you mean \"listener\"?")),
            ("deadlines", "READ", Some("did you mean \"read\"?")),
            ("deadlines", "colour", None),
            ("deadlines", "", None),
        ];
        for (section, key, hint) in table {
            assert_eq!(meant(section, key).as_deref(), hint, "{key} in {section:?}");
        }
    }
}
