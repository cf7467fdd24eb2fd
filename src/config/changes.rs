//! What differs between two configurations, key by key, as the effective settings show it.

use std::collections::BTreeMap;

use super::Config;

/// A setting that changed. Listeners' keys carry their name: `listener.line.deadlines.read`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The full key.
    pub key: String,
    /// What it was; `None`: there was no such setting.
    pub old: Option<String>,
    /// What it is; `None`: there is no such setting any more.
    pub new: Option<String>,
}

impl Change {
    /// Whether only a restart can bring it into effect.
    pub fn needs_restart(&self) -> bool {
        ["server.workers", "log.format"].contains(&self.key.as_str())
    }
}

/// All that changed from `old` to `new`.
pub fn changes(old: &Config, new: &Config) -> Vec<Change> {
    let (old, new) = (flattened(old), flattened(new));
    let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
    let change = |key: &String| {
        let (old, new) = (old.get(key).cloned(), new.get(key).cloned());
        (old != new).then(|| Change { key: key.clone(), old, new })
    };
    keys.filter_map(change).collect()
}

/// Every setting by its full key.
fn flattened(config: &Config) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    for (section, text) in [("server", config.server.to_string()), ("log", config.log.to_string())] {
        insert_lines(&mut settings, section, &text);
    }
    for listener in &config.listeners {
        insert_lines(&mut settings, &format!("listener.{}", listener.name), &listener.to_string());
    }
    settings
}

fn insert_lines(settings: &mut BTreeMap<String, String>, section: &str, text: &str) {
    for (key, value) in text.lines().filter_map(|line| line.split_once(" = ")) {
        settings.insert(format!("{section}.{key}"), value.trim_matches('"').to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, "test").unwrap()
    }

    #[test]
    fn what_changed_is_told_key_by_key() {
        let listener = "[[listener]]\nname = \"a\"\nprotocol = \"raw\"\naddress = \"127.0.0.1:0\"\n";
        let old = config(listener);
        assert_eq!(changes(&old, &old), []);
        let new = config(&format!("{listener}deadlines.read = \"2m\"\n[server]\nworkers = 3\n"));
        let table = changes(&old, &new).into_iter();
        let told = table.map(|change| (change.needs_restart(), change.key, change.old, change.new));
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                (false, "listener.a.deadlines.read".to_owned(), text("60s"), text("2m")),
                (true, "server.workers".to_owned(), text("auto"), text("3")),
            ]
        );
    }

    #[test]
    fn a_listener_that_comes_or_goes_changes_all_its_keys() {
        let one = "[[listener]]\nname = \"a\"\nprotocol = \"raw\"\naddress = \"127.0.0.1:0\"\n";
        let two = format!("{one}{}", one.replace("\"a\"", "\"b\""));
        let came = changes(&config(one), &config(&two));
        assert!(came.iter().all(|change| change.key.starts_with("listener.b.") && change.old.is_none()));
        let gone = changes(&config(&two), &config(one));
        assert_eq!(came.len(), gone.len());
        assert!(gone.iter().all(|change| change.new.is_none()));
    }
}
