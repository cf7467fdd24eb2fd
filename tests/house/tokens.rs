//! Rust source as words and signs. Comments, texts, characters and lifetimes are left out: they name nobody.

/// The words (`crate`, `Session`), `::`, and the other signs one by one.
pub fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = skipped(rest);
        if length > 0 {
            rest = &rest[length..];
            continue;
        }
        let length = match first {
            _ if is_word(first) => end_of(rest, |character| !is_word(character)),
            ':' if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        if !first.is_whitespace() {
            tokens.push(&rest[..length]);
        }
        rest = &rest[length..];
    }
    tokens
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn end_of(text: &str, is_end: impl Fn(char) -> bool) -> usize {
    text.find(is_end).unwrap_or(text.len())
}

/// The length of the comment, string, character or lifetime that `text` begins with; 0: it begins with none.
fn skipped(text: &str) -> usize {
    if text.starts_with("//") {
        end_of(text, |character| character == '\n')
    } else if text.starts_with("/*") {
        block_comment(text)
    } else if text.starts_with('\'') {
        quoted_character(text)
    } else {
        string(text)
    }
}

/// They nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// `'x'`, `'\n'` or `'lifetime`.
fn quoted_character(text: &str) -> usize {
    let mut inside = text[1..].char_indices();
    match (inside.next(), inside.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let after = 1 + at + escaped.len_utf8();
            after + text[after..].find('\'').map_or(0, |quote| quote + 1)
        }
        (Some(_), Some((at, '\''))) => 1 + at + 1,
        _ => 1 + end_of(&text[1..], |character| !is_word(character)),
    }
}

/// `"…"`, `b"…"`, `r#"…"#` and the like.
fn string(text: &str) -> usize {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        let rest = text.strip_prefix(prefix).map(|rest| rest.trim_start_matches('#'));
        rest.is_some_and(|rest| rest.starts_with('"'))
    });
    let Some(prefix) = prefix else { return 0 };
    let hashes = end_of(&text[prefix.len()..], |character| character != '#');
    if hashes > 0 && !prefix.ends_with('r') {
        return 0;
    }
    let start = prefix.len() + hashes + 1;
    if prefix.ends_with('r') {
        let end = format!("\"{}", "#".repeat(hashes));
        return text[start..].find(&end).map_or(text.len(), |at| start + at + end.len());
    }
    let mut escaped = false;
    let is_end = |character: char| {
        let ends = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    };
    text[start..].find(is_end).map_or(text.len(), |at| start + at + 1)
}

/// Without what only tests have: each `#[cfg(test)]` and the item it is about.
pub fn production<'t>(tokens: &[&'t str]) -> Vec<&'t str> {
    const TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].starts_with(&TEST) {
            at += TEST.len() + item(&tokens[at + TEST.len()..]);
        } else {
            kept.push(tokens[at]);
            at += 1;
        }
    }
    kept
}

/// The length of the item that `tokens` begin with: to its semicolon, or to its last brace.
fn item(tokens: &[&str]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        let is_last = *token == "}" && tokens.get(at + 1) != Some(&";");
        if depth == 0 && (*token == ";" || is_last) {
            return at + 1;
        }
    }
    tokens.len()
}

#[test]
fn comments_and_texts_are_left_out() {
    let text = "a // use crate::b;\n/* c /* d */ e */ \"f \\\" // g\" 'h' '\\'' '\\u{69}' b\"j\" r#\"k \" l\"# 'm n::o";
    assert_eq!(tokens(text), ["a", "n", "::", "o"]);
    assert_eq!(tokens("#[attribute] r!()"), ["#", "[", "attribute", "]", "r", "!", "(", ")"]);
}

#[test]
fn what_only_tests_have_is_left_out() {
    let text = "a; #[cfg(test)] mod tests { use b; } #[cfg(test)] mod more; #[cfg(test)] use c::{d, e}; f";
    assert_eq!(production(&tokens(text)), ["a", ";", "f"]);
    let text = "#[cfg(test)] #[derive(Debug)] struct A([u8; 2]); #[cfg(unix)] g";
    assert_eq!(production(&tokens(text)), ["#", "[", "cfg", "(", "unix", ")", "]", "g"]);
}
