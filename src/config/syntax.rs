//! From a text to a tree of tables, or to all places where the text is not TOML.

use toml::Spanned;
use toml::de::{DeTable, Error};

use super::problems::{Findings, MOST_SHOWN, Spot};
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
    let (tree, errors) = DeTable::parse_recoverable(findings.text);
    let harmless = |error: &Error| error.message() == DUPLICATE_KEY && !opens_list(error, findings);
    let sound = errors.iter().all(harmless);
    // There may be as many as characters, and they are large: their order is found without moving them.
    let mut order: Vec<(usize, &Error)> = errors.iter().map(|error| (start(error), error)).collect();
    order.sort_by_key(|(start, _)| *start);
    // What follows on the same line is nearly always the parser finding its way back.
    order.dedup_by_key(|(start, _)| findings.line(*start));
    // In a list that is not closed every further line lacks a comma.
    let no_comma = |error: &Error| error.message().starts_with(NO_COMMA);
    order.dedup_by(|(_, error), (_, earlier)| no_comma(error) && no_comma(earlier));
    let (first, more) = order.split_at(order.len().min(MOST_SHOWN));
    first.iter().for_each(|(_, error)| report(error, findings));
    findings.count(more.len());
    sound.then_some(tree)
}

fn start(error: &Error) -> usize {
    error.span().map_or(0, |span| span.start)
}

/// Whether it is about a `[[name]]`: the key was no list before, and all of that is left out of the tree.
fn opens_list(error: &Error, findings: &Findings<'_>) -> bool {
    let before = findings.text.get(..start(error));
    before.is_some_and(|before| before.trim_end_matches([' ', '\t']).ends_with("[["))
}

fn report(error: &Error, findings: &Findings<'_>) {
    // Other blanks than these are no part of TOML: they are shown.
    let line = findings.line_text(start(error)).trim_matches([' ', '\t', '\r']);
    let key = line.split_once('=').map_or("", |(key, _)| key.trim_end());
    let given = error.span().and_then(|span| findings.text.get(span)).unwrap_or_default();
    let (key, message, hint) = match error.message() {
        DUPLICATE_KEY if opens_list(error, findings) => (
            given,
            format!("given below a section of its own, allowed: [[{}]] first", plain(given)),
            Some("the sections of a listener follow its [[listener]]".to_owned()),
        ),
        DUPLICATE_KEY => (given, "given a second time, allowed: once".to_owned(), None),
        words if words.starts_with(NOT_QUOTED) => match given {
            "" => (key, "given nothing, allowed: a value".to_owned(), None),
            given => (
                key,
                format!("given {}, allowed: a string in quotes", plain(given)),
                Some(strange(given).unwrap_or_else(|| format!("did you mean \"{}\"?", plain(given)))),
            ),
        },
        words => {
            let strange = strange(line).map(|words| format!("; {words}")).unwrap_or_default();
            (key, format!("not TOML: {words}"), Some(format!("the line: {}{strange}", plain(line))))
        }
    };
    findings.report(&Spot::new(plain(key), start(error)), message, hint);
}

/// What text editors and web pages put in place of quotes and blanks, by name.
fn strange(text: &str) -> Option<String> {
    let what = |character: char| match character {
        '“' | '”' | '„' | '‟' | '‘' | '’' | '‚' | '«' | '»' => {
            Some("use plain quotes".to_owned())
        }
        '\u{a0}' | '\u{202f}' => {
            Some(format!("{} is a no-break space: use a plain one", character.escape_debug()))
        }
        '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => {
            Some(format!("{} is an invisible character: delete it", character.escape_debug()))
        }
        blank if blank.is_whitespace() && !blank.is_ascii() => {
            Some(format!("{} is a Unicode space: use a plain one", blank.escape_debug()))
        }
        _ => None,
    };
    text.chars().find_map(what)
}
