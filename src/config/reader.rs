//! Sections of the file as serde reads them; what is wrong is reported where it stands, and the reading goes on.

use std::fmt::{self, Display, Formatter};
use std::slice::Iter;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, Error as _, Expected, IntoDeserializer, MapAccess, Unexpected,
    Visitor,
};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problems::{Findings, Spot};
use super::schema;
use super::values::Hint;
use super::wording::{did_you_mean, given, key_text, one_of};

/// Above what one machine has use for, and few enough to be read while a reload is waited for.
const MOST_IN_A_LIST: usize = 20_000;

type Given<'d> = Spanned<DeValue<'d>>;

/// A table of the file, or nothing where the file has none.
pub(super) struct Section<'d> {
    pub findings: &'d Findings<'d>,
    pub spot: Spot,
    name: &'static str,
    table: Option<&'d DeTable<'d>>,
    inherits: Inherits<'d>,
}

/// What holds where a section is silent.
#[derive(Clone, Copy)]
enum Inherits<'d> {
    Nothing,
    /// A listener: its sections have their defaults in those at the top of the file
    SectionsOf(&'d DeTable<'d>),
    /// A listener's section
    KeysOf(&'d DeTable<'d>),
}

impl<'d> Section<'d> {
    /// The top of the file.
    pub fn top(document: &'d Spanned<DeTable<'d>>, findings: &'d Findings<'d>) -> Self {
        let spot = Spot::new("", 0);
        let table = Some(document.get_ref());
        let top = Section { findings, spot, name: "", table, inherits: Inherits::Nothing };
        top.report_unknown_keys();
        top
    }

    /// The section `name` in this one.
    pub fn section(&self, name: &'static str) -> Section<'d> {
        let inherited = match self.inherits {
            Inherits::SectionsOf(top) => top.get(name).and_then(|value| value.get_ref().as_table()),
            _ => None,
        };
        let inherits = inherited.map_or(Inherits::Nothing, Inherits::KeysOf);
        let spot = self.spot_of(name, None);
        let allowed = format!("a section [{}]", spot.key);
        let section = self.get(name).and_then(|value| self.open(name, value, &allowed, inherits));
        section.unwrap_or(Section { findings: self.findings, spot, name, table: None, inherits })
    }

    /// The sections of the list `name`, of which there must be one at least.
    pub fn sections(&self, name: &'static str) -> Vec<Section<'d>> {
        let allowed = format!("one or more sections [[{name}]]");
        let value = self.get(name);
        let (message, hint) = match value.map(Spanned::get_ref) {
            Some(DeValue::Array(list)) if list.len() > MOST_IN_A_LIST => {
                (format!("given {} sections, allowed: up to {MOST_IN_A_LIST}", list.len()), None)
            }
            Some(DeValue::Array(list)) if !list.is_empty() => {
                let inherits = self.table.map_or(Inherits::Nothing, Inherits::SectionsOf);
                let open = |value| self.open(name, value, &allowed, inherits);
                return list.iter().filter_map(open).collect();
            }
            Some(table @ DeValue::Table(_)) => {
                (wrong(table, &allowed), Some("mind the double brackets".to_owned()))
            }
            Some(other) => (wrong(other, &allowed), None),
            None => (missing(&allowed), None),
        };
        self.findings.report(&self.spot_of(name, value), message, hint);
        Vec::new()
    }

    /// Reads the whole section with a derived `deserialize`. None if it could not be read, which is reported.
    pub fn read<'s, T>(&'s self, deserialize: impl Fn(Keys<'s, 'd>) -> Result<T, Error>) -> Option<T>
    where
        'd: 's,
    {
        // A key that has no default is asked for once more, so that its kind says what is allowed.
        let mut required = Vec::new();
        loop {
            match deserialize(Keys { section: self, required: required.clone() }) {
                Ok(section) => return Some(section),
                Err(Error::Missing(key)) if !required.contains(&key) => required.push(key),
                Err(error) => {
                    self.findings.report(&self.spot, error.to_string(), None);
                    return None;
                }
            }
        }
    }

    /// Where the section itself sets the key at `path`.
    pub fn own(&self, path: &[&'static str]) -> Option<Spot> {
        match path {
            [] => None,
            [key] => self.get(key).map(|value| self.spot_of(key, Some(value))),
            [name, rest @ ..] => {
                let table = self.get(name)?.get_ref().as_table()?;
                let (spot, inherits) = (self.spot_of(name, None), Inherits::Nothing);
                Section { findings: self.findings, spot, name, table: Some(table), inherits }.own(rest)
            }
        }
    }

    fn get(&self, key: &str) -> Option<&'d Given<'d>> {
        self.table?.get(key)
    }

    /// The value of `key`, own or inherited, and where it stands.
    fn entry(&self, key: &str) -> Option<(&'d Given<'d>, Spot)> {
        if let Some(value) = self.get(key) {
            return Some((value, self.spot_of(key, Some(value))));
        }
        let Inherits::KeysOf(table) = self.inherits else { return None };
        let value = table.get(key)?;
        Some((value, Spot::new(format!("{}.{key}", self.name), value.span().start)))
    }

    fn has(&self, key: &str) -> bool {
        let inherited = match self.inherits {
            Inherits::Nothing => false,
            Inherits::SectionsOf(top) => top.get(key).is_some_and(|value| value.get_ref().is_table()),
            Inherits::KeysOf(table) => table.contains_key(key),
        };
        inherited || self.get(key).is_some()
    }

    /// Makes a section of `value`, if it is a table.
    fn open(
        &self,
        name: &'static str,
        value: &'d Given<'d>,
        allowed: &str,
        inherits: Inherits<'d>,
    ) -> Option<Section<'d>> {
        let spot = self.spot_of(name, Some(value));
        let Some(table) = value.get_ref().as_table() else {
            self.findings.report(&spot, wrong(value.get_ref(), allowed), None);
            return None;
        };
        let section = Section { findings: self.findings, spot, name, table: Some(table), inherits };
        section.report_unknown_keys();
        Some(section)
    }

    fn report_unknown_keys(&self) {
        let known = schema::keys_of(self.name);
        for (key, value) in self.table.into_iter().flatten() {
            let word: &str = key.get_ref();
            if !known.contains(&word) {
                let spot = Spot::new(self.key_of(word), key.span().start);
                let what = if value.get_ref().is_table() { "section" } else { "key" };
                let message = format!("unknown {what}, allowed: {}", one_of(known));
                self.findings.report(&spot, message, schema::meant(self.name, word));
            }
        }
    }

    /// Points at `value`, or where there is none at the section that lacks it.
    fn spot_of(&self, key: &str, value: Option<&Given<'_>>) -> Spot {
        let at = value.map_or(self.spot.at, |value| value.span().start);
        Spot::new(self.key_of(key), at)
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

/// The keys of a section, for serde. Those that are required are there even where the file has none.
pub(super) struct Keys<'s, 'd> {
    section: &'s Section<'d>,
    required: Vec<String>,
}

impl<'de> Deserializer<'de> for Keys<'_, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        Err(Error::invalid_type(Unexpected::Map, &visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let section = self.section;
        let fields = Fields { section, required: &self.required, rest: keys.iter(), key: "" };
        visitor.visit_map(fields).map_err(|error| match error {
            Error::Missing(key) if keys.contains(&key.as_str()) => Error::Missing(section.key_of(&key)),
            other => other,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The fields of a struct, one after another.
struct Fields<'s, 'd> {
    section: &'s Section<'d>,
    required: &'s [String],
    rest: Iter<'static, &'static str>,
    key: &'static str,
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let (section, required) = (self.section, self.required);
        let there = |key: &str| section.has(key) || required.contains(&section.key_of(key));
        let Some(key) = self.rest.find(|key| there(key)) else {
            return Ok(None);
        };
        self.key = key;
        let key: StrDeserializer<'_, Error> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(Field { section: self.section, required: self.required, key: self.key })
    }
}

/// One key of a section, for serde: whatever is wrong with its value is reported from here.
struct Field<'s, 'd> {
    section: &'s Section<'d>,
    required: &'s [String],
    key: &'static str,
}

impl Field<'_, '_> {
    fn report(&self, error: &Error) {
        let Error::Wrong { allowed, hint } = error else { return };
        let findings = self.section.findings;
        match self.section.entry(self.key) {
            Some((value, spot)) => findings.report(&spot, wrong(value.get_ref(), allowed), hint.clone()),
            None => findings.report(&self.section.spot_of(self.key, None), missing(allowed), None),
        }
    }
}

impl<'de> Deserializer<'de> for Field<'_, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let refused = |visitor: V| Err(Error::invalid_type(Unexpected::Unit, &visitor));
        let read = match self.section.entry(self.key).map(|(value, _)| value.get_ref()) {
            Some(DeValue::String(text)) => visitor.visit_str(text),
            Some(DeValue::Integer(number)) => match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => visitor.visit_i128(number),
                Err(_) => refused(visitor),
            },
            Some(DeValue::Float(number)) => match number.as_str().parse() {
                Ok(number) => visitor.visit_f64(number),
                Err(_) => refused(visitor),
            },
            Some(DeValue::Boolean(flag)) => visitor.visit_bool(*flag),
            _ => refused(visitor),
        };
        read.inspect_err(|error| self.report(error))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let section = &self.section.section(self.key);
        Keys { section, required: self.required.to_vec() }.deserialize_struct(name, keys, visitor)
    }

    /// A wrong word is reported, and the first one there is stands in for it.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let entry = self.section.entry(self.key);
        let text = entry.as_ref().and_then(|(value, _)| value.get_ref().as_str());
        let word = words.iter().find(|word| Some(**word) == text);
        if word.is_none() {
            let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
            let hint = text.and_then(|text| did_you_mean(text, words));
            self.report(&Error::Wrong { allowed: one_of(&quoted), hint });
        }
        let word = word.or_else(|| words.first()).copied().unwrap_or_default();
        let word: StrDeserializer<'_, Error> = word.into_deserializer();
        visitor.visit_enum(word)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

/// Why serde could not go on.
#[derive(Debug)]
pub(super) enum Error {
    /// A key without a default, which is not there
    Missing(String),
    /// A value that is not among what is allowed
    Wrong { allowed: String, hint: Hint },
}

impl Display for Error {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Error::Missing(key) => write!(out, "{key} is missing"),
            Error::Wrong { allowed, .. } => write!(out, "allowed: {allowed}"),
        }
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Error::Wrong { allowed: message.to_string(), hint: None }
    }

    fn missing_field(key: &'static str) -> Self {
        Error::Missing(key.to_owned())
    }

    fn invalid_type(_: Unexpected<'_>, allowed: &dyn Expected) -> Self {
        Error::Wrong { allowed: allowed.to_string(), hint: None }
    }

    /// The adapters of `values` give their hint for what was unexpected; an empty one is none.
    fn invalid_value(given: Unexpected<'_>, allowed: &dyn Expected) -> Self {
        let hint = match given {
            Unexpected::Other(hint) if !hint.is_empty() => Some(hint.to_owned()),
            _ => None,
        };
        Error::Wrong { allowed: allowed.to_string(), hint }
    }
}
