//! What is wrong with a configuration file, told so that all of it can be put right in one go.

use std::cell::RefCell;
use std::collections::HashSet;
use std::error::Error;
use std::fmt;

/// A place in a file. Both count from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line, from 1
    pub line: usize,
    /// The character in the line, from 1
    pub column: usize,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where; `None`: in the file as a whole
    pub place: Option<Place>,
    /// The key with its sections, as in `listener.deadlines.read`; empty where there is none
    pub key: String,
    /// What was given and what is allowed
    pub message: String,
    /// What would put it right, where that can be told
    pub hint: Option<String>,
}

/// All that is wrong with one file, in the order of the file; never empty.
///
/// Its `Display` is for people and editors: `FILE:LINE:COLUMN: key: message` for each problem, a
/// hint indented below it, and their number at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    file: String,
    list: Vec<Problem>,
}

impl Problems {
    /// The only problem there is with `file`, as when it cannot be read.
    pub(super) fn only(file: String, problem: Problem) -> Problems {
        let list = vec![problem];
        Problems { file, list }
    }

    /// The file they are in, as it was named to the parser.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// One by one, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }
}

impl Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.list {
            writeln!(out, "{}:{problem}", self.file)?;
        }
        match self.list.len() {
            1 => write!(out, "1 problem in {}", self.file),
            count => write!(out, "{count} problems in {}", self.file),
        }
    }
}

/// Continues the name of the file: the place, the key, the message, the hint.
impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { line, column }) = self.place {
            write!(out, "{line}:{column}:")?;
        }
        if !self.key.is_empty() {
            write!(out, " {}:", self.key)?;
        }
        write!(out, " {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(out, "\n    {hint}"),
            None => Ok(()),
        }
    }
}

/// A key as it stands in the file: what a problem points at.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub key: String,
    pub place: Place,
}

impl Spot {
    pub fn new(key: impl Into<String>, place: Place) -> Self {
        let key = key.into();
        Spot { key, place }
    }
}

/// Gathers problems while a text is read.
pub(super) struct Findings<'t> {
    pub text: &'t str,
    line_starts: Vec<usize>,
    problems: RefCell<Vec<Problem>>,
    wrong: RefCell<HashSet<Place>>,
}

impl<'t> Findings<'t> {
    pub fn new(text: &'t str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Findings {
            text,
            line_starts: std::iter::once(0).chain(after_newlines).collect(),
            problems: RefCell::default(),
            wrong: RefCell::default(),
        }
    }

    /// The line that `place` is in.
    pub fn line(&self, place: Place) -> &'t str {
        let start = self.line_starts.get(place.line - 1).copied().unwrap_or(0);
        self.text.get(start..).and_then(|text| text.lines().next()).unwrap_or_default()
    }

    /// The place of the byte at `offset`.
    pub fn place(&self, offset: usize) -> Place {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let before = self.text.as_bytes().get(start..offset).unwrap_or_default();
        let column = before.iter().filter(|byte| begins_character(**byte)).count() + 1;
        Place { line, column }
    }

    pub fn report(&self, spot: &Spot, message: String, hint: Option<String>) {
        self.wrong.borrow_mut().insert(spot.place);
        self.problems.borrow_mut().push(Problem {
            place: Some(spot.place),
            key: spot.key.clone(),
            message,
            hint,
        });
    }

    /// Whether what stands at `place` was reported: nothing is to be concluded from it.
    pub fn is_wrong(&self, place: Place) -> bool {
        self.wrong.borrow().contains(&place)
    }

    /// The config, if nothing was found wrong. Without one something was.
    pub fn settle<T>(self, file: &str, config: Option<T>) -> Result<T, Problems> {
        let file = file.to_owned();
        let mut list = self.problems.into_inner();
        match config {
            Some(config) if list.is_empty() => Ok(config),
            _ => {
                list.sort();
                // One wrong default is found again by every listener that inherits it.
                list.dedup();
                Err(Problems { file, list })
            }
        }
    }
}

/// UTF-8: all bytes but the first of a character are 0b10xx_xxxx.
fn begins_character(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let text = "ab\näöü = 1\n\nz";
        let findings = Findings::new(text);
        let table = [(0, 1, 1), (2, 1, 3), (3, 2, 1), (7, 2, 3), (14, 3, 1), (15, 4, 1), (16, 4, 2)];
        for (offset, line, column) in table {
            assert_eq!(findings.place(offset), Place { line, column }, "byte {offset}");
        }
        assert_eq!(findings.line(Place { line: 2, column: 5 }), "äöü = 1");
        assert_eq!(findings.line(Place { line: 4, column: 1 }), "z");
    }

    #[test]
    fn problems_come_once_and_in_the_order_of_the_file() {
        let findings = Findings::new("a\nb\n");
        let report = |key, offset| {
            findings.report(&Spot::new(key, findings.place(offset)), "given".to_owned(), None);
        };
        report("b", 2);
        report("a", 0);
        report("b", 2);
        let problems = findings.settle("FILE", Some(())).expect_err("three were reported");
        assert_eq!(problems.to_string(), "FILE:1:1: a: given\nFILE:2:1: b: given\n2 problems in FILE");
    }
}
