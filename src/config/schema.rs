//! Every section and every key there is, as the derived structs know them.

use std::cell::Cell;
use std::rc::Rc;

use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

use super::sections::{DeadlineKeys, HeartbeatKeys, Listener, Log, Server};
use super::wording::did_you_mean;

type Keys = &'static [&'static str];

/// Sections; `""` is the top of the file.
const SECTIONS: [&str; 6] = ["", "server", "log", "deadlines", "heartbeat", "listener"];

/// The keys known in `section`.
pub(super) fn keys_of(section: &str) -> Keys {
    match section {
        "" => SECTIONS.split_first().map_or(&[], |(_, sections)| sections),
        "server" => asked_for(Server::deserialize),
        "log" => asked_for(Log::deserialize),
        "deadlines" => asked_for(DeadlineKeys::deserialize),
        "heartbeat" => asked_for(HeartbeatKeys::deserialize),
        "listener" => asked_for(Listener::deserialize),
        _ => &[],
    }
}

/// The keys that a derived struct asks its deserializer for.
fn asked_for<T>(deserialize: impl FnOnce(Asked) -> Result<T, Error>) -> Keys {
    let keys = Rc::new(Cell::<Keys>::new(&[]));
    // There is nothing to read: it fails when it has asked.
    let _ = deserialize(Asked(Rc::clone(&keys)));
    keys.get()
}

struct Asked(Rc<Cell<Keys>>);

impl<'de> Deserializer<'de> for Asked {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("only keys are told here"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        keys: Keys,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.set(keys);
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// What may have been meant by `key`, which is unknown in `section`.
pub(super) fn meant(section: &str, key: &str) -> Option<String> {
    elsewhere(section, key).or_else(|| did_you_mean(key, keys_of(section)))
}

/// How to say it where `key` would be right.
fn elsewhere(section: &str, key: &str) -> Option<String> {
    let home = *SECTIONS.iter().find(|home| keys_of(home).contains(&key))?;
    Some(match home {
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
        for section in SECTIONS {
            let has = |line: &str| DEFAULT_FILE.lines().any(|other| other.starts_with(line));
            for key in keys_of(section) {
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
