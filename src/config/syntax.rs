//! From a text to a tree of tables, or to all places where the text is not TOML.

use toml::Spanned;
use toml::de::{DeTable, Error};

use super::problems::{Findings, Spot};
use super::wording::plain;

/// The parser's words for a key that was set before. It keeps the first value and goes on, so
/// what follows is as good as without.
const DUPLICATE_KEY: &str = "duplicate key";

/// How its words begin for a bare `60s`.
const NOT_QUOTED: &str = "string values must be quoted";

/// How its words begin inside a list or an inline table.
const NO_COMMA: &str = "missing comma between";

/// The tree; `None` where the parser lost its way, for then every later finding would be noise.
pub(super) fn parse<'t>(findings: &Findings<'t>) -> Option<Spanned<DeTable<'t>>> {
    let (tree, mut errors) = DeTable::parse_recoverable(findings.text);
    let sound = errors.iter().all(|error| error.message() == DUPLICATE_KEY);
    errors.sort_by_key(start);
    // What follows on the same line is nearly always the parser finding its way back.
    errors.dedup_by_key(|error| findings.line(start(error)));
    // In a list that is not closed every further line lacks a comma.
    let no_comma = |error: &Error| error.message().starts_with(NO_COMMA);
    errors.dedup_by(|error, earlier| no_comma(error) && no_comma(earlier));
    for error in &errors {
        report(error, findings);
    }
    sound.then_some(tree)
}

fn start(error: &Error) -> usize {
    error.span().map_or(0, |span| span.start)
}

fn report(error: &Error, findings: &Findings<'_>) {
    let line = findings.line_text(start(error)).trim();
    let key = line.split_once('=').map_or("", |(key, _)| key.trim_end());
    let given = error.span().and_then(|span| findings.text.get(span)).unwrap_or_default();
    let (key, message, hint) = match error.message() {
        DUPLICATE_KEY => (given, "given a second time, allowed: once".to_owned(), None),
        words if words.starts_with(NOT_QUOTED) => match plain(given).as_str() {
            "" => (key, "given nothing, allowed: a value".to_owned(), None),
            given => (
                key,
                format!("given {given}, allowed: a string in quotes"),
                Some(format!("did you mean \"{given}\"?")),
            ),
        },
        words => (key, format!("not TOML: {words}"), Some(format!("the line: {}", plain(line)))),
    };
    findings.report(&Spot::new(plain(key), start(error)), message, hint);
}
