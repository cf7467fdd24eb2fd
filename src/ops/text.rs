//! Words that quote what others wrote (a path, a variable, an argument), made fit for a terminal and a log.

/// More is cut: with each character escaped a line of it stays below the 48 KiB where journald breaks one (`LineMax=`, see
/// journald.conf(5)).
const LONGEST: usize = 20 * 1024;

/// `text` as it is, but on one line, what cannot be seen written as escapes.
pub fn visible(text: &str) -> String {
    escaped(text, |_| false)
}

/// `text` with its lines, what cannot be seen written as escapes, and not longer than a record should be.
pub fn fit(text: &str) -> String {
    let mut fitting = escaped(text, |character| character == '\n');
    if fitting.len() > LONGEST {
        fitting.truncate(fitting.floor_char_boundary(LONGEST));
        fitting.push_str("… (shortened)");
    }
    fitting
}

fn escaped(text: &str, kept: impl Fn(char) -> bool) -> String {
    let seen = |character: char| match character {
        '"' | '\'' | '\\' => character.to_string(),
        other if kept(other) => other.to_string(),
        other => other.escape_debug().to_string(),
    };
    text.chars().map(seen).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_escaped_and_the_rest_is_as_it_was() {
        assert_eq!(
            visible("a \"b\" \\ ä\u{1b}[31m\n\u{9b}\u{202e}"),
            "a \"b\" \\ ä\\u{1b}[31m\\n\\u{9b}\\u{202e}"
        );
        assert_eq!(fit("two\nlines\r\n"), "two\nlines\\r\n");
    }

    #[test]
    fn what_is_long_is_cut_with_a_word() {
        let long = fit(&"ä\u{1b}".repeat(LONGEST));
        assert!(long.ends_with("… (shortened)") && long.len() < LONGEST + 20, "{}", long.len());
        let whole = "a".repeat(LONGEST);
        assert_eq!(fit(&whole), whole);
    }
}
