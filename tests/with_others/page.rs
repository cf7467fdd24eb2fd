//! The page: what its sections quote, and whether what they show is so.

use std::collections::BTreeSet;

use crate::support::record::{Record, text};

const PAGE: &str = include_str!("../../docs/with-others.md");

/// Whose snippets a test runs. Output is not among them.
const PROVED: [&str; 10] = [
    "The pulse-echo of this page",
    "HAProxy",
    "nginx",
    "stunnel",
    "Nagios and Icinga",
    "Prometheus",
    "monit",
    "Limits by source",
    "Raw behind a proxy",
    "Two behind one HAProxy",
];

/// What an excerpt of a log leaves open: no two runs agree on it.
const VOLATILE: [&str; 4] = ["peer", "proxy", "idle_ms", "lifetime_ms"];

/// A section under a heading of the second level.
pub struct Section(&'static str);

#[track_caller]
pub fn section(title: &str) -> Section {
    assert!(PROVED.contains(&title), "list the section {title}");
    let found = sections().find(|(heading, _)| *heading == title);
    Section(found.unwrap_or_else(|| panic!("no section {title}")).1)
}

fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGE.split("\n## ").skip(1).map(|section| section.split_once('\n').expect("a text below the heading"))
}

/// Fenced blocks: their language, and what is in them.
fn blocks(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let fenced = text.split("```").skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').expect("a language, and lines"))
}

impl Section {
    /// All its snippets.
    #[track_caller]
    pub fn snippets<const N: usize>(&self) -> [&'static str; N] {
        let all: Vec<_> =
            blocks(self.0).filter(|(language, _)| *language != "text").map(|(_, snippet)| snippet).collect();
        all.try_into().unwrap_or_else(|all| panic!("{N} snippets are run, not all of these: {all:#?}"))
    }

    /// Whether its output has this line.
    #[track_caller]
    pub fn shows_line(&self, wanted: &str) {
        let has = self.output().any(|line| line == wanted);
        assert!(has, "the page does not show\n{wanted}");
    }

    /// Whether its output has this record: its level, its message, and fields that are so.
    #[track_caller]
    pub fn shows(&self, record: &Record) {
        let has = self.output().any(|line| tells(line, record).is_some());
        assert!(has, "the page does not show {record}");
    }

    fn output(&self) -> impl Iterator<Item = &'static str> {
        blocks(self.0).filter(|(language, _)| *language == "text").flat_map(|(_, output)| output.lines())
    }
}

/// `LEVEL ADDRESS: message field=value …`
fn tells(line: &str, record: &Record) -> Option<()> {
    let message = text(record, "message");
    let said = message.strip_prefix(text(record, "peer")).unwrap_or(message);
    let rest = line.trim_start().strip_prefix(text(record, "level"))?.trim_start();
    let (_, fields) = rest.split_once(said)?;
    let is_so = |field: &str| {
        let (name, value) = field.split_once('=')?;
        let real = record.get(name)?;
        let real = real.as_str().map_or_else(|| real.to_string(), str::to_owned);
        (VOLATILE.contains(&name) || real == value).then_some(())
    };
    fields.split_whitespace().try_for_each(is_so)
}

#[test]
fn every_section_with_a_snippet_is_proved() {
    let quotes = |text| blocks(text).any(|(language, _)| language != "text");
    let with_snippets: BTreeSet<_> =
        sections().filter(|(_, text)| quotes(*text)).map(|(title, _)| title).collect();
    assert_eq!(with_snippets, BTreeSet::from(PROVED));
}

#[test]
fn an_excerpt_must_agree_with_the_record() {
    let record = serde_json::json!({ "level": "WARN", "message": "192.0.2.7:1: gone", "peer": "192.0.2.7:1", "reason": "read_timeout", "rx_bytes": 6 });
    for (line, expected) in [
        ("WARN 192.0.2.9:9: gone reason=read_timeout rx_bytes=6 peer=192.0.2.9:9", true),
        (" INFO 192.0.2.7:1: gone reason=read_timeout", false),
        ("WARN 192.0.2.7:1: here", false),
        ("WARN 192.0.2.7:1: gone rx_bytes=7", false),
        ("WARN 192.0.2.7:1: gone idle_ms=7", false),
    ] {
        assert_eq!(tells(line, &record).is_some(), expected, "{line}");
    }
}
