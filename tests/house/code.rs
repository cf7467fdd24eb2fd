//! What a file's tokens say: its modules, and whom it names.

use std::collections::BTreeSet;

/// `a::b::c`
pub type Path = Vec<String>;

/// The names in one file.
#[derive(Debug, Default)]
pub struct Code {
    /// `mod name;`, and whether it is `pub`.
    pub modules: Vec<(String, bool)>,
    /// `mod name { … }`
    pub modules_inside: Vec<String>,
    /// `use …;`, its groups taken apart.
    pub uses: Vec<Use>,
    /// Other paths of two segments or more.
    pub paths: Vec<Path>,
    /// All words outside of `use` and `mod`.
    pub words: BTreeSet<String>,
}

/// `use path as name;`
#[derive(Debug, PartialEq, Eq)]
pub struct Use {
    pub path: Path,
    /// `*`: everything that is there.
    pub name: String,
    /// `pub use`, be it `pub(super)`.
    pub is_public: bool,
}

impl Code {
    /// Reads it.
    pub fn of(tokens: &[&str]) -> Code {
        let mut code = Code::default();
        let mut at = 0;
        while at < tokens.len() {
            at += code.take(tokens, at);
        }
        code
    }

    /// Takes what begins at a token, and returns how many tokens that were.
    fn take(&mut self, tokens: &[&str], at: usize) -> usize {
        let before = at.checked_sub(1).map(|before| tokens[before]);
        match &tokens[at..] {
            ["use", next, ..] if *next != "<" => {
                let length = 1 + tokens[at..].iter().position(|token| *token == ";").expect("an end of use");
                let is_public = matches!(before, Some("pub" | ")"));
                self.take_use(Vec::new(), &tokens[at + 1..at + length - 1], is_public);
                length
            }
            ["mod", name, ";", ..] => {
                self.modules.push(((*name).to_owned(), before == Some("pub")));
                3
            }
            ["mod", name, "{", ..] => {
                self.modules_inside.push((*name).to_owned());
                3
            }
            _ => self.take_path(&tokens[at..]),
        }
    }

    /// `tokens` are those of a path, or of a group of them in braces, that is meant behind `prefix`.
    fn take_use(&mut self, prefix: Path, tokens: &[&str], is_public: bool) {
        let mut path = prefix;
        let mut at = 0;
        loop {
            match &tokens[at..] {
                ["{", group @ .., "}"] => {
                    let members = split_group(group).into_iter().filter(|member| !member.is_empty());
                    return members.for_each(|member| self.take_use(path.clone(), member, is_public));
                }
                ["::", ..] => {}
                ["as", name] => return self.uses.push(Use { path, name: (*name).to_owned(), is_public }),
                ["self"] if !path.is_empty() => {} // `a::{self}` is `a`
                [segment, ..] => path.push((*segment).to_owned()),
                [] => break,
            }
            at += 1;
        }
        let name = path.last().expect("a path").clone();
        if name == "*" {
            path.pop();
        }
        self.uses.push(Use { path, name, is_public });
    }

    fn take_path(&mut self, tokens: &[&str]) -> usize {
        let is_word = |token: &str| token.starts_with(|first: char| first.is_alphabetic() || first == '_');
        if !is_word(tokens[0]) {
            return 1;
        }
        let mut path = vec![tokens[0].to_owned()];
        while let ["::", segment, ..] = tokens[2 * path.len() - 1..]
            && is_word(segment)
        {
            path.push(segment.to_owned());
        }
        self.words.insert(path[0].clone());
        let length = 2 * path.len() - 1;
        if path.len() > 1 {
            self.paths.push(path);
        }
        length
    }

    /// Everything that is named by a path, in `use` or elsewhere.
    pub fn all_paths(&self) -> impl Iterator<Item = &Path> {
        self.uses.iter().map(|found| &found.path).chain(&self.paths)
    }
}

/// At the commas that are not in braces of their own.
fn split_group<'g, 't>(group: &'g [&'t str]) -> Vec<&'g [&'t str]> {
    let mut depth = 0;
    let is_comma = |token: &&str| {
        match *token {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        *token == "," && depth == 0
    };
    group.split(is_comma).collect()
}

fn code(text: &str) -> Code {
    Code::of(&crate::tokens::tokens(text))
}

fn path(text: &str) -> Path {
    text.split("::").map(str::to_owned).collect()
}

#[test]
fn uses_are_found_whatever_their_form() {
    let code = code(
        "use crate::a::B; pub use c::{self, d as e, f::{G, H},}; pub(super) use i::*; use super::super::j::{k::L};",
    );
    let expected = [
        ("crate::a::B", "B", false),
        ("c", "c", true),
        ("c::d", "e", true),
        ("c::f::G", "G", true),
        ("c::f::H", "H", true),
        ("i", "*", true),
        ("super::super::j::k::L", "L", false),
    ];
    let of =
        |(text, name, is_public): (&str, &str, bool)| Use { path: path(text), name: name.into(), is_public };
    assert_eq!(code.uses, expected.map(of));
    assert!(code.paths.is_empty() && code.words.contains("pub"), "{code:?}");
}

#[test]
fn paths_are_found_wherever_they_stand() {
    let code = code(
        "fn f(a: &super::B) -> impl C + use<'_> { crate::d::e::<F>(self::G, h.i); select! { J::K => 1 } }",
    );
    assert_eq!(code.paths, ["super::B", "crate::d::e", "self::G", "J::K"].map(path));
    assert!(code.words.contains("h") && code.words.contains("F"), "{code:?}");
}

#[test]
fn modules_are_found_with_their_doors() {
    let code = code("mod a; pub mod b; pub(crate) mod c; mod d { }");
    assert_eq!(code.modules, [("a".to_owned(), false), ("b".to_owned(), true), ("c".to_owned(), false)]);
    assert_eq!(code.modules_inside, ["d"]);
}
