//! What a value may be: words, numbers, names. Durations and addresses have files of their own.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde::de::{Deserialize, IntoDeserializer};
use toml::Spanned;
use toml::de::DeValue;

use super::Count;
use super::wording::{did_you_mean, one_of};

/// A value as it stands in the file.
pub(super) type Given<'d> = Spanned<DeValue<'d>>;

/// What would put a value right, where that can be told.
pub(super) type Hint = Option<String>;

/// A kind of value: what may be given, and what that means.
pub(super) trait Kind {
    type Value;

    /// What may be given, in words.
    fn allowed(&self) -> String;

    /// What `given` means, or a hint if it is not allowed.
    fn read(&self, given: &Given<'_>) -> Result<Self::Value, Hint>;
}

/// One of a few words.
pub(super) struct Word<T: 'static> {
    pub all: &'static [T],
    pub name: fn(T) -> &'static str,
}

impl<T: Copy> Word<T> {
    fn words(&self) -> Vec<&'static str> {
        self.all.iter().map(|value| (self.name)(*value)).collect()
    }
}

impl<T: Copy> Kind for Word<T> {
    type Value = T;

    fn allowed(&self) -> String {
        let quoted: Vec<String> = self.words().iter().map(|word| format!("{word:?}")).collect();
        one_of(&quoted)
    }

    fn read(&self, given: &Given<'_>) -> Result<T, Hint> {
        let word = text(given)?;
        let value = self.all.iter().find(|value| (self.name)(**value) == word);
        value.copied().ok_or_else(|| did_you_mean(word, &self.words()))
    }
}

/// A whole number in a range.
pub(super) struct Whole<N>(pub RangeInclusive<N>);

impl<N> Kind for Whole<N>
where
    N: PartialOrd + Display + for<'de> Deserialize<'de>,
{
    type Value = N;

    fn allowed(&self) -> String {
        format!("{} to {}", self.0.start(), self.0.end())
    }

    fn read(&self, given: &Given<'_>) -> Result<N, Hint> {
        match given.get_ref() {
            DeValue::Integer(_) => N::deserialize(given.clone().into_deserializer())
                .ok()
                .filter(|number| self.0.contains(number))
                .ok_or(None),
            DeValue::String(text) if text.parse::<u64>().is_ok() => {
                Err(Some("a number has no quotes".to_owned()))
            }
            _ => Err(None),
        }
    }
}

/// `"auto"`, or a whole number from 1 to this.
pub(super) struct AutoOrUpTo(pub usize);

impl AutoOrUpTo {
    fn number(&self) -> Whole<usize> {
        Whole(1..=self.0)
    }
}

impl Kind for AutoOrUpTo {
    type Value = Count;

    fn allowed(&self) -> String {
        format!("{}, or \"auto\"", self.number().allowed())
    }

    fn read(&self, given: &Given<'_>) -> Result<Count, Hint> {
        match given.get_ref().as_str() {
            Some("auto") => Ok(Count::Auto),
            _ => match self.number().read(given) {
                Ok(number) => Ok(Count::Exactly(number)),
                Err(hint) => Err(nearly(given, "auto").or(hint)),
            },
        }
    }
}

/// `"off"`, or a value of the kind inside.
pub(super) struct OffOr<K>(pub K);

impl<K: Kind> Kind for OffOr<K> {
    type Value = Option<K::Value>;

    fn allowed(&self) -> String {
        format!("{}, or \"off\"", self.0.allowed())
    }

    fn read(&self, given: &Given<'_>) -> Result<Self::Value, Hint> {
        match given.get_ref().as_str() {
            Some("off") => Ok(None),
            _ => match self.0.read(given) {
                Ok(value) => Ok(Some(value)),
                Err(hint) => Err(nearly(given, "off").or(hint)),
            },
        }
    }
}

/// A name that needs no quotes in a log line.
pub(super) struct Name;

impl Name {
    const LONGEST: usize = 64;
}

impl Kind for Name {
    type Value = String;

    fn allowed(&self) -> String {
        format!("1 to {} characters of A-Z a-z 0-9 _ . -", Name::LONGEST)
    }

    fn read(&self, given: &Given<'_>) -> Result<String, Hint> {
        let name = text(given)?;
        let fits = (1..=Name::LONGEST).contains(&name.len());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if fits && name.bytes().all(plain) { Ok(name.to_owned()) } else { Err(None) }
    }
}

/// The string that was given, if it is one.
pub(super) fn text<'g>(given: &'g Given<'_>) -> Result<&'g str, Hint> {
    given.get_ref().as_str().ok_or(None)
}

/// Asks whether `word` was meant.
fn nearly(given: &Given<'_>, word: &str) -> Hint {
    did_you_mean(given.get_ref().as_str()?, &[word])
}
