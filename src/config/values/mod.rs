//! What a value may be, in the file and in words: numbers, names, durations, addresses.
//!
//! Each kind of value is an adapter for serde's `with`.

mod address;
mod duration;

use std::fmt::{self, Formatter};
use std::marker::PhantomData;
use std::ops::RangeInclusive;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserializer, Serializer};

pub(super) use address::Address;
pub use duration::parse as parse_duration;
pub(super) use duration::{Within, written};

use super::wording::did_you_mean;

/// What would put a value right, where that can be told.
pub(super) type Hint = Option<String>;

/// A value as it stands in the file.
#[derive(Clone, Copy)]
pub(super) enum Scalar<'g> {
    Text(&'g str),
    Whole(i128),
    Fraction(f64),
    Flag(bool),
}

/// A kind of value: what may be given, and what that means.
pub(super) trait Kind: Sized {
    type Value;

    /// What may be given, in words.
    fn allowed() -> String;

    /// What `given` means, or a hint if it is not allowed.
    fn read(given: Scalar<'_>) -> Result<Self::Value, Hint>;

    /// Takes the place of a wrong value, so that the rest can be read.
    fn stand_in() -> Self::Value;

    fn serialize<S: Serializer>(value: &Self::Value, to: S) -> Result<S::Ok, S::Error>;

    fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Self::Value, D::Error> {
        // The reader has reported what is wrong.
        Ok(from.deserialize_any(Reading::<Self>(PhantomData)).unwrap_or_else(|_| Self::stand_in()))
    }
}

struct Reading<K>(PhantomData<K>);

impl<K: Kind> Reading<K> {
    fn read<E: Error>(self, given: Scalar<'_>) -> Result<K::Value, E> {
        let hint = |hint: Hint| E::invalid_value(Unexpected::Other(&hint.unwrap_or_default()), &self);
        K::read(given).map_err(hint)
    }
}

impl<K: Kind> Visitor<'_> for Reading<K> {
    type Value = K::Value;

    fn expecting(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(&K::allowed())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<K::Value, E> {
        self.read(Scalar::Text(text))
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<K::Value, E> {
        self.read(Scalar::Whole(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<K::Value, E> {
        self.read(Scalar::Fraction(number))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<K::Value, E> {
        self.read(Scalar::Flag(flag))
    }
}

/// A whole number in a range.
pub(super) struct Whole<const LEAST: u32, const MOST: u32>;

impl<const LEAST: u32, const MOST: u32> Kind for Whole<LEAST, MOST> {
    type Value = u32;

    fn allowed() -> String {
        format!("{LEAST} to {MOST}")
    }

    fn read(given: Scalar<'_>) -> Result<u32, Hint> {
        whole(given, LEAST..=MOST)
    }

    fn stand_in() -> u32 {
        LEAST
    }

    fn serialize<S: Serializer>(value: &u32, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u32(*value)
    }
}

fn whole<N: TryFrom<i128> + PartialOrd>(given: Scalar<'_>, range: RangeInclusive<N>) -> Result<N, Hint> {
    match given {
        Scalar::Whole(number) => N::try_from(number).ok().filter(|number| range.contains(number)).ok_or(None),
        Scalar::Text(text) if text.parse::<u64>().is_ok() => Err(Some("a number has no quotes".to_owned())),
        _ => Err(None),
    }
}

/// A number, or what suits the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Whatever suits the machine
    Auto,
    /// This many
    Exactly(usize),
}

/// `"auto"`, or a whole number from 1 to this.
pub(super) struct AutoOrUpTo<const MOST: usize>;

impl<const MOST: usize> Kind for AutoOrUpTo<MOST> {
    type Value = Count;

    fn allowed() -> String {
        format!("1 to {MOST}, or \"auto\"")
    }

    fn read(given: Scalar<'_>) -> Result<Count, Hint> {
        match given {
            Scalar::Text("auto") => Ok(Count::Auto),
            _ => whole(given, 1..=MOST).map(Count::Exactly).map_err(|hint| nearly(given, "auto").or(hint)),
        }
    }

    fn stand_in() -> Count {
        Count::Auto
    }

    fn serialize<S: Serializer>(value: &Count, to: S) -> Result<S::Ok, S::Error> {
        match *value {
            Count::Auto => to.serialize_str("auto"),
            Count::Exactly(number) => to.serialize_u64(number as u64),
        }
    }
}

/// `"off"`, or a value of the kind inside.
pub(super) struct OffOr<K>(PhantomData<K>);

impl<K: Kind> Kind for OffOr<K> {
    type Value = Option<K::Value>;

    fn allowed() -> String {
        format!("{}, or \"off\"", K::allowed())
    }

    fn read(given: Scalar<'_>) -> Result<Self::Value, Hint> {
        match given {
            Scalar::Text("off") => Ok(None),
            _ => K::read(given).map(Some).map_err(|hint| nearly(given, "off").or(hint)),
        }
    }

    fn stand_in() -> Self::Value {
        None
    }

    fn serialize<S: Serializer>(value: &Self::Value, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => K::serialize(value, to),
            None => to.serialize_str("off"),
        }
    }
}

/// Asks whether `word` was meant.
fn nearly(given: Scalar<'_>, word: &str) -> Hint {
    match given {
        Scalar::Text(text) => did_you_mean(text, &[word]),
        _ => None,
    }
}

/// Whether something is wanted.
pub(super) struct Switch;

impl Kind for Switch {
    type Value = bool;

    fn allowed() -> String {
        "true or false".to_owned()
    }

    fn read(given: Scalar<'_>) -> Result<bool, Hint> {
        match given {
            Scalar::Flag(flag) => Ok(flag),
            Scalar::Text("true" | "false") => Err(Some("it has no quotes".to_owned())),
            _ => Err(None),
        }
    }

    fn stand_in() -> bool {
        false
    }

    fn serialize<S: Serializer>(value: &bool, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bool(*value)
    }
}

/// A name that needs no quotes in a log line.
pub(super) struct Name;

impl Name {
    const LONGEST: usize = 64;
}

impl Kind for Name {
    type Value = String;

    fn allowed() -> String {
        format!("1 to {} characters of A-Z a-z 0-9 _ . -", Name::LONGEST)
    }

    fn read(given: Scalar<'_>) -> Result<String, Hint> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        match given {
            Scalar::Text(name) if (1..=Name::LONGEST).contains(&name.len()) && name.bytes().all(plain) => {
                Ok(name.to_owned())
            }
            _ => Err(None),
        }
    }

    fn stand_in() -> String {
        String::new()
    }

    fn serialize<S: Serializer>(value: &String, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(value)
    }
}
