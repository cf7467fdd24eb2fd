//! A value on its way from the file to the [`Config`](super::Config), and where it came from.

use super::problems::Spot;

/// A value found in the file.
pub(super) struct Found<T> {
    pub value: T,
    pub spot: Spot,
}

/// A value that is always there: from the file, or inherited.
#[derive(Clone)]
pub(super) struct Setting<T> {
    pub value: T,
    pub origin: Origin,
}

/// Who set a value.
#[derive(Clone)]
pub(super) enum Origin {
    /// Nobody
    BuiltIn,
    /// The file, in a section of defaults
    Inherited(Spot),
    /// The file, in the section itself
    Own(Spot),
    /// The file, but badly, which is reported: the value is a stand-in that proves nothing
    Wrong,
}

impl Origin {
    pub fn own(&self) -> Option<&Spot> {
        match self {
            Origin::Own(spot) => Some(spot),
            _ => None,
        }
    }

    pub fn inherited(&self) -> Option<&Spot> {
        match self {
            Origin::Inherited(spot) => Some(spot),
            _ => None,
        }
    }
}

impl<T> Setting<T> {
    pub const fn built_in(value: T) -> Self {
        let origin = Origin::BuiltIn;
        Setting { value, origin }
    }
}

impl<T: Copy> Setting<T> {
    /// What a section has that does not set the value itself.
    pub fn passed_on(&self) -> Self {
        let value = self.value;
        let origin = match self.origin.clone() {
            Origin::Own(spot) => Origin::Inherited(spot),
            origin => origin,
        };
        Setting { value, origin }
    }
}
