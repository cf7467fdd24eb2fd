//! The effective settings, key by key as serde writes them: for people, and to tell what changed.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use toml::{Table, Value};

use super::schema;
use super::sections::Config;

/// A setting that changed. Listeners' keys carry their name: `listener.line.deadlines.read`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The full key.
    pub key: String,
    /// What it was; `None`: there was no such setting.
    pub old: Option<String>,
    /// What it is; `None`: there is no such setting any more.
    pub new: Option<String>,
    /// Whether only a restart can bring it into effect.
    pub needs_restart: bool,
}

impl Config {
    /// Takes up what `wanted` says, except for what needs a restart, and tells all that differs.
    pub fn adopt(&mut self, wanted: Config) -> Vec<Change> {
        let (old, new) = (by_key(self), by_key(&wanted));
        *self = self.without_restart(wanted);
        let now = by_key(self);
        let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
        let changed = keys.filter(|key| old.get(*key) != new.get(*key));
        let change = |key: &String| Change {
            key: key.clone(),
            old: old.get(key).cloned(),
            new: new.get(key).cloned(),
            needs_restart: now.get(key) != new.get(key),
        };
        changed.map(change).collect()
    }
}

/// Everything written out, nothing left to inherit.
impl Display for Config {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write_section(out, "[server]", settings("server", &self.server))?;
        write_section(out, "\n[log]", settings("log", &self.log))?;
        let mut listeners = self.listeners.iter();
        listeners.try_for_each(|one| write_section(out, "\n[[listener]]", settings("listener", one)))
    }
}

fn write_section(out: &mut Formatter<'_>, title: &str, settings: Vec<(String, Value)>) -> fmt::Result {
    writeln!(out, "{title}")?;
    settings.iter().try_for_each(|(key, value)| writeln!(out, "{key} = {value}"))
}

/// Every setting by its full key.
fn by_key(config: &Config) -> BTreeMap<String, String> {
    let server =
        settings("server", &config.server).into_iter().map(|(key, value)| (format!("server.{key}"), value));
    let log = settings("log", &config.log).into_iter().map(|(key, value)| (format!("log.{key}"), value));
    let listeners = config.listeners.iter().flat_map(|listener| {
        let named = |(key, value)| (format!("listener.{}.{key}", listener.name), value);
        settings("listener", listener).into_iter().map(named)
    });
    server.chain(log).chain(listeners).map(|(key, value)| (key, words(&value))).collect()
}

fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The keys of a section and of those in it, in the order of its struct.
#[expect(clippy::expect_used, reason = "a section is a struct of strings and numbers, all of which TOML has")]
fn settings(name: &str, section: &impl Serialize) -> Vec<(String, Value)> {
    let mut settings = Vec::new();
    flatten(name, "", &Table::try_from(section).expect("a table"), &mut settings);
    settings
}

fn flatten(name: &str, prefix: &str, section: &Table, settings: &mut Vec<(String, Value)>) {
    for key in schema::keys_of(name) {
        match section.get(*key) {
            Some(Value::Table(inner)) => flatten(key, &format!("{prefix}{key}."), inner, settings),
            Some(value) => settings.push((format!("{prefix}{key}"), value.clone())),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Count;

    fn config(text: &str) -> Config {
        Config::parse(text, "test").unwrap()
    }

    #[test]
    fn what_changed_is_told_key_by_key() {
        let listener = "[[listener]]\nname = \"a\"\nprotocol = \"raw\"\naddress = \"127.0.0.1:0\"\n";
        let old = config(listener);
        assert_eq!(old.clone().adopt(old.clone()), []);
        let new = config(&format!("{listener}deadlines.read = \"2m\"\n[server]\nworkers = 3\n"));
        let mut running = old;
        let table = running.adopt(new.clone()).into_iter();
        let told = table.map(|change| (change.needs_restart, change.key, change.old, change.new));
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                (false, "listener.a.deadlines.read".to_owned(), text("60s"), text("2m")),
                (true, "server.workers".to_owned(), text("auto"), text("3")),
            ]
        );
        assert_eq!(running.server.workers, Count::Auto);
        let waiting: Vec<String> = running.adopt(new).into_iter().map(|change| change.key).collect();
        assert_eq!(waiting, ["server.workers"], "told again by the next reload");
    }

    #[test]
    fn a_listener_that_comes_or_goes_changes_all_its_keys() {
        let one = "[[listener]]\nname = \"a\"\nprotocol = \"raw\"\naddress = \"127.0.0.1:0\"\n";
        let two = format!("{one}{}", one.replace("\"a\"", "\"b\""));
        let came = config(one).adopt(config(&two));
        assert!(came.iter().all(|change| change.key.starts_with("listener.b.") && change.old.is_none()));
        let gone = config(&two).adopt(config(one));
        assert_eq!(came.len(), gone.len());
        assert!(gone.iter().all(|change| change.new.is_none()));
    }
}
