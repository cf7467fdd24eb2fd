//! What a word is explained by.

/// The longer words, which are of use to a person only.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    /// What happened, as a packet capture would show it.
    pub on_the_wire: &'static str,
    pub causes: &'static [&'static str],
    pub what_to_do: &'static [&'static str],
    /// Configuration keys that bear on it.
    pub settings: &'static [&'static str],
}
