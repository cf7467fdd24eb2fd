//! What is wrong with a configuration file, told so that all of it can be put right in one go.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::error::Error;
use std::fmt;

use crate::ops::text::visible;

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

/// More are only counted: nobody reads a thousand, and a log record has room for some.
pub(super) const MOST_SHOWN: usize = 20;

/// What is wrong with one file, the first of it in the order of the file; never empty.
///
/// Its `Display` is for people and editors: `FILE:LINE:COLUMN: key: message` for each problem, a
/// hint indented below it, and the number of all at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    file: String,
    list: Vec<Problem>,
    more: usize,
}

impl Problems {
    /// The only problem there is with `file`, as when it cannot be read.
    pub(super) fn only(file: String, problem: Problem) -> Problems {
        Problems { file, list: vec![problem], more: 0 }
    }

    /// The file they are in, as it was named to the parser.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The first ones, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }
}

impl Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = visible(&self.file);
        for problem in &self.list {
            writeln!(out, "{file}:{problem}")?;
        }
        match self.more {
            0 => {}
            1 => writeln!(out, "… and 1 more problem")?,
            more => writeln!(out, "… and {more} more problems")?,
        }
        match self.list.len() + self.more {
            1 => write!(out, "1 problem in {file}"),
            count => write!(out, "{count} problems in {file}"),
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

/// A key as it stands in the file: what a problem points at, by the offset of its byte. To count
/// columns for each of many keys of one long line would take for ever; it is done for what is shown.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub key: String,
    pub at: usize,
}

impl Spot {
    pub fn new(key: impl Into<String>, at: usize) -> Self {
        let key = key.into();
        Spot { key, at }
    }
}

/// A problem by its offset, which sorts it into the order of the file.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    at: usize,
    key: String,
    message: String,
    hint: Option<String>,
}

/// Gathers problems while a text is read.
pub(super) struct Findings<'t> {
    pub text: &'t str,
    line_starts: Vec<usize>,
    found: RefCell<Vec<Found>>,
    wrong: RefCell<HashSet<usize>>,
    more: Cell<usize>,
}

impl<'t> Findings<'t> {
    pub fn new(text: &'t str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Findings {
            text,
            line_starts: std::iter::once(0).chain(after_newlines).collect(),
            found: RefCell::default(),
            wrong: RefCell::default(),
            more: Cell::default(),
        }
    }

    /// The number of the line that the byte at `offset` is in.
    pub fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    /// The line that the byte at `offset` is in.
    pub fn line_text(&self, offset: usize) -> &'t str {
        let text = self.text.get(self.line_start(offset)..).unwrap_or_default();
        text.lines().next().unwrap_or_default()
    }

    /// The place of the byte at `offset`.
    pub fn place(&self, offset: usize) -> Place {
        let before = self.text.as_bytes().get(self.line_start(offset)..offset).unwrap_or_default();
        let column = before.iter().filter(|byte| begins_character(**byte)).count() + 1;
        Place { line: self.line(offset), column }
    }

    fn line_start(&self, offset: usize) -> usize {
        self.line_starts.get(self.line(offset) - 1).copied().unwrap_or(0)
    }

    pub fn report(&self, spot: &Spot, message: String, hint: Option<String>) {
        let Spot { key, at } = spot.clone();
        self.wrong.borrow_mut().insert(at);
        self.found.borrow_mut().push(Found { at, key, message, hint });
    }

    /// Adds `more` problems that are not worth their words: enough come before them.
    pub fn count(&self, more: usize) {
        self.more.set(self.more.get() + more);
    }

    /// Whether what `spot` points at was reported: nothing is to be concluded from it.
    pub fn is_wrong(&self, spot: &Spot) -> bool {
        self.wrong.borrow().contains(&spot.at)
    }

    /// The config, if nothing was found wrong. Without one something was.
    pub fn settle<T>(self, file: &str, config: Option<T>) -> Result<T, Problems> {
        let mut found = self.found.take();
        match config {
            Some(config) if found.is_empty() => Ok(config),
            _ => {
                found.sort();
                // One wrong default is found again by every listener that inherits it.
                found.dedup();
                let more = self.more.get() + found.len().saturating_sub(MOST_SHOWN);
                found.truncate(MOST_SHOWN);
                let list = found.into_iter().map(|found| self.problem(found)).collect();
                Err(Problems { file: file.to_owned(), list, more })
            }
        }
    }

    fn problem(&self, Found { at, key, message, hint }: Found) -> Problem {
        Problem { place: Some(self.place(at)), key, message, hint }
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
        assert_eq!(findings.line_text(7), "äöü = 1");
        assert_eq!(findings.line_text(15), "z");
    }

    #[test]
    fn problems_come_once_and_in_the_order_of_the_file() {
        let findings = Findings::new("a\nb\n");
        let report = |key, offset| {
            findings.report(&Spot::new(key, offset), "given".to_owned(), None);
        };
        report("b", 2);
        report("a", 0);
        report("b", 2);
        let problems = findings.settle("FILE", Some(())).expect_err("three were reported");
        assert_eq!(problems.to_string(), "FILE:1:1: a: given\nFILE:2:1: b: given\n2 problems in FILE");
    }

    #[test]
    fn only_the_first_problems_are_shown_and_all_are_counted() {
        for (count, words) in
            [(20, None), (21, Some("… and 1 more problem")), (1_500, Some("… and 1480 more problems"))]
        {
            let text = "\n".repeat(count);
            let findings = Findings::new(&text);
            (0..count).rev().for_each(|at| findings.report(&Spot::new("", at), "given".to_owned(), None));
            let problems = findings.settle("A\u{1b}B", Some(())).expect_err("many were reported").to_string();
            let lines: Vec<&str> = problems.lines().collect();
            assert_eq!(lines[19], "A\\u{1b}B:20:1: given");
            assert_eq!(lines.get(20).filter(|_| lines.len() > 21).copied(), words);
            assert_eq!(lines.last(), Some(&format!("{count} problems in A\\u{{1b}}B").as_str()));
        }
    }
}
