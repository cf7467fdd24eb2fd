//! How messages put things: what was given, in what words, and which word was meant.

use toml::de::DeValue;

use crate::ops::text::visible;

/// Longer texts are cut in messages, by characters.
const LONGEST_EXCERPT: usize = 64;

/// Longer texts were meant for no key and no word, all of which are shorter.
const LONGEST_TYPO: usize = 32;

/// Words less alike than this are not suggested; 1 is equal, `worker` and `workers` are 0.97.
const NEAR: f64 = 0.8;

/// A value as a message shows it: on one line, and not all of a long one.
pub(super) fn given(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(number) => excerpt(&number.to_string()),
        DeValue::Float(number) => excerpt(&number.to_string()),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(list) if list.is_empty() => "an empty list".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a section".to_owned(),
    }
}

/// A key as a message shows it: quoted where TOML needs it.
pub(super) fn key_text(key: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !key.is_empty() && key.bytes().all(bare) { excerpt(key) } else { quoted(key) }
}

/// `text` in quotes, what cannot be seen written as escapes.
fn quoted(text: &str) -> String {
    format!("{:?}", excerpt(text))
}

/// The beginning of `text` as it is, but on one line, what cannot be seen written as escapes.
pub(super) fn plain(text: &str) -> String {
    visible(&excerpt(text))
}

/// The beginning of `text`, all of it if it is short.
fn excerpt(text: &str) -> String {
    match text.char_indices().nth(LONGEST_EXCERPT) {
        Some((end, _)) => format!("{}…", text.split_at(end).0),
        None => text.to_owned(),
    }
}

/// `a, b or c`
pub(super) fn one_of<W: AsRef<str>>(words: &[W]) -> String {
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => {
            let rest: Vec<&str> = rest.iter().map(AsRef::as_ref).collect();
            format!("{} or {}", rest.join(", "), last.as_ref())
        }
        _ => words.iter().map(AsRef::as_ref).collect(),
    }
}

/// The question for the word nearest to `given`, if one is near.
pub(super) fn did_you_mean(given: &str, words: &[&str]) -> Option<String> {
    if given.len() > LONGEST_TYPO {
        return None;
    }
    let given = given.to_lowercase();
    words
        .iter()
        .map(|word| (strsim::jaro_winkler(&given, word), word))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, word)| format!("did you mean {word:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(one_of(&["a"]), "a");
        assert_eq!(one_of(&["a", "b"]), "a or b");
        assert_eq!(one_of(&["a", "b", "c"]), "a, b or c");
        assert_eq!(one_of::<&str>(&[]), "");
    }

    #[test]
    fn excerpts_are_short_and_harmless() {
        let long = "ä".repeat(1_000);
        assert_eq!(excerpt(&long).chars().count(), LONGEST_EXCERPT + 1);
        assert_eq!(quoted("\u{1b}[31m\n"), r#""\u{1b}[31m\n""#);
        assert_eq!(plain("a = \"\u{1b}\""), r#"a = "\u{1b}""#);
        assert_eq!(key_text("max-missed_1"), "max-missed_1");
        assert_eq!(key_text("two words"), "\"two words\"");
        assert_eq!(key_text(""), "\"\"");
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let levels = ["error", "warn", "info"];
        assert_eq!(did_you_mean("WARNING", &levels).as_deref(), Some("did you mean \"warn\"?"));
        assert_eq!(did_you_mean("inof", &levels).as_deref(), Some("did you mean \"info\"?"));
        assert_eq!(did_you_mean("loud", &levels), None);
        assert_eq!(did_you_mean("", &levels), None);
        assert_eq!(did_you_mean("x", &[]), None);
        assert_eq!(did_you_mean(&"info".repeat(9), &levels), None);
    }
}
