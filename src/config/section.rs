//! A section of the file: finds what it sets by name, and reports what is wrong with it.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problems::{Findings, Spot};
use super::schema;
use super::setting::{Found, Origin, Setting};
use super::values::{Given, Hint, Kind};
use super::wording::{given, key_text, one_of};

/// A table of the file, or nothing where the file has none.
pub(super) struct Section<'d> {
    findings: &'d Findings<'d>,
    table: Option<&'d DeTable<'d>>,
    spot: Spot,
}

/// A value was given and is wrong, which is among the findings already.
struct Reported;

impl<'d> Section<'d> {
    /// The top of the file.
    pub fn top(document: &'d Spanned<DeTable<'d>>, findings: &'d Findings<'d>) -> Self {
        let spot = Spot::new("", findings.place(0));
        let table = Some(document.get_ref());
        let top = Section { findings, table, spot };
        top.report_unknown_keys("");
        top
    }

    /// The section `name` in this one.
    pub fn section(&self, name: &str) -> Section<'d> {
        let spot = self.spot_of(name, None);
        let allowed = format!("a section [{}]", spot.key);
        let value = self.get(name);
        let section = value.and_then(|value| self.open(name, value, &allowed));
        section.unwrap_or(Section { findings: self.findings, table: None, spot })
    }

    /// The sections of the list `name`, of which there must be one at least.
    pub fn sections(&self, name: &str) -> Vec<Section<'d>> {
        let allowed = format!("one or more sections [[{name}]]");
        let value = self.get(name);
        let (message, hint) = match value.map(Spanned::get_ref) {
            Some(DeValue::Array(list)) if !list.is_empty() => {
                return list.iter().filter_map(|value| self.open(name, value, &allowed)).collect();
            }
            Some(table @ DeValue::Table(_)) => {
                (wrong(table, &allowed), Some("mind the double brackets".to_owned()))
            }
            Some(other) => (wrong(other, &allowed), None),
            None => (missing(&allowed), None),
        };
        self.report(name, value, message, hint);
        Vec::new()
    }

    /// The setting `key`, or its `default`.
    pub fn value<K: Kind>(&self, key: &str, kind: K, default: K::Value) -> K::Value {
        match self.find(key, &kind) {
            Some(Ok(found)) => found.value,
            Some(Err(Reported)) | None => default,
        }
    }

    /// The setting `key` or what is `inherited`, and who set it.
    pub fn setting<K>(&self, key: &str, kind: K, inherited: &Setting<K::Value>) -> Setting<K::Value>
    where
        K: Kind<Value: Copy>,
    {
        match self.find(key, &kind) {
            Some(Ok(Found { value, spot })) => Setting { value, origin: Origin::Own(spot) },
            Some(Err(Reported)) => Setting { value: inherited.value, origin: Origin::Wrong },
            None => inherited.passed_on(),
        }
    }

    /// The setting `key`, which has no default.
    pub fn required<K: Kind>(&self, key: &str, kind: K) -> Option<Found<K::Value>> {
        let found = self.find(key, &kind);
        if found.is_none() {
            self.report(key, None, missing(&kind.allowed()), None);
        }
        found?.ok()
    }

    fn find<K: Kind>(&self, key: &str, kind: &K) -> Option<Result<Found<K::Value>, Reported>> {
        let value = self.get(key)?;
        Some(match kind.read(value) {
            Ok(read) => Ok(Found { value: read, spot: self.spot_of(key, Some(value)) }),
            Err(hint) => {
                self.report(key, Some(value), wrong(value.get_ref(), &kind.allowed()), hint);
                Err(Reported)
            }
        })
    }

    fn get(&self, key: &str) -> Option<&'d Given<'d>> {
        self.table?.get(key)
    }

    /// Makes a section of `value`, if it is a table.
    fn open(&self, name: &str, value: &'d Given<'d>, allowed: &str) -> Option<Section<'d>> {
        let Some(table) = value.get_ref().as_table() else {
            self.report(name, Some(value), wrong(value.get_ref(), allowed), None);
            return None;
        };
        let spot = self.spot_of(name, Some(value));
        let section = Section { findings: self.findings, table: Some(table), spot };
        section.report_unknown_keys(name);
        Some(section)
    }

    /// `name` is the section's own, which tells what it may hold.
    fn report_unknown_keys(&self, name: &str) {
        let known = schema::keys_of(name);
        for (key, value) in self.table.into_iter().flatten() {
            let word: &str = key.get_ref();
            if !known.contains(&word) {
                let spot = Spot::new(self.key_of(word), self.findings.place(key.span().start));
                let what = if value.get_ref().is_table() { "section" } else { "key" };
                let message = format!("unknown {what}, allowed: {}", one_of(known));
                self.findings.report(&spot, message, schema::meant(name, word));
            }
        }
    }

    fn report(&self, key: &str, value: Option<&Given<'_>>, message: String, hint: Hint) {
        self.findings.report(&self.spot_of(key, value), message, hint);
    }

    /// Points at `value`, or where there is none at the section that lacks it.
    fn spot_of(&self, key: &str, value: Option<&Given<'_>>) -> Spot {
        let place = value.map(|value| self.findings.place(value.span().start));
        Spot::new(self.key_of(key), place.unwrap_or(self.spot.place))
    }

    /// `key` with the sections that lead to it.
    fn key_of(&self, key: &str) -> String {
        match self.spot.key.as_str() {
            "" => key_text(key),
            section => format!("{section}.{}", key_text(key)),
        }
    }
}

fn wrong(value: &DeValue<'_>, allowed: &str) -> String {
    format!("given {}, allowed: {allowed}", given(value))
}

fn missing(allowed: &str) -> String {
    format!("missing, allowed: {allowed}")
}
