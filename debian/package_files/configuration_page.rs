//! pulse-echo.toml(5): the annotated default file as a page. In it a comment explains what stands right below it.

use roff::roman;

use crate::page::Page;

/// The page on `file`.
pub fn of(file: &str) -> Page {
    let mut page = Page::new("pulse-echo.toml", "5", "configuration file of pulse-echo");
    page.section("DESCRIPTION");
    let mut blocks = file.trim_end().split("\n\n").map(Block::of);
    let about = blocks.next().unwrap_or_default(); // the file as a whole
    for (index, paragraph) in about.paragraphs.iter().enumerate() {
        match index {
            0 => page.text([roman(paragraph)]),
            _ => page.paragraph(paragraph),
        };
    }
    page.section("SETTINGS");
    blocks.for_each(|block| block.write(&mut page));
    page.section("SEE ALSO").text([roman("pulse-echo(8)")]);
    page
}

/// Lines of the file without an empty one between them.
#[derive(Debug, Default)]
struct Block<'a> {
    paragraphs: Vec<String>,
    /// Settings that are commented out.
    suggestions: Vec<&'a str>,
    /// What is no comment.
    lines: Vec<&'a str>,
}

impl<'a> Block<'a> {
    fn of(text: &'a str) -> Block<'a> {
        let mut block = Block::default();
        let mut paragraph = Vec::new();
        for line in text.lines() {
            match line.strip_prefix('#').map(str::trim) {
                None => block.lines.push(line),
                Some("") => block.paragraphs.push(std::mem::take(&mut paragraph).join(" ")),
                Some(comment) if is_setting(comment) => block.suggestions.push(comment),
                Some(comment) => paragraph.push(comment),
            }
        }
        block.paragraphs.push(paragraph.join(" "));
        block
    }

    fn write(&self, page: &mut Page) {
        let text = self.paragraphs.join(" ");
        match *self.lines {
            [heading] if heading.starts_with('[') => {
                page.subsection(heading).text([roman(text)]);
            }
            [setting] => {
                page.term(setting, &text);
            }
            [] => {
                page.paragraph(&text).example(&self.suggestions);
            }
            _ => {
                page.paragraph("A whole section:").example(&self.lines);
            }
        }
    }
}

fn is_setting(comment: &str) -> bool {
    let is_key = |key: &str| key.chars().all(|letter| letter.is_ascii_lowercase() || "._".contains(letter));
    comment.starts_with('[') || comment.split_once(" = ").is_some_and(|(key, _)| is_key(key))
}
