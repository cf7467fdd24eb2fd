//! Closed lists: enums that know all their variants.

/// Declares an enum whose `ALL` holds every variant, each at the index that `as usize` gives it.
macro_rules! listed {
    ($(#[$attribute:meta])* pub enum $Name:ident { $($(#[$words:meta])* $Variant:ident,)+ }) => {
        $(#[$attribute])*
        pub enum $Name {
            $($(#[$words])* $Variant,)+
        }

        impl $Name {
            /// All of them, each at the index that `as usize` gives it.
            pub const ALL: [$Name; [$($Name::$Variant),+].len()] = [$($Name::$Variant),+];
        }
    };
}

pub(super) use listed;
