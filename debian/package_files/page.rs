//! What every manual page has: man-pages(7), and man(7) for the language.

use std::env;

use jiff::Timestamp;
use roff::{Inline, Roff, bold, roman};

/// A page, as far as it is written.
#[derive(Debug, Default)]
pub struct Page(Roff);

impl Page {
    /// Begins with its title and name.
    pub fn new(title: &str, section: &str, about: &str) -> Page {
        let mut page = Page::default();
        let version = concat!("pulse-echo ", env!("CARGO_PKG_VERSION"));
        page.0.control("TH", [title, section, &date(), version]);
        page.section("NAME").text([roman(format!("{title} - {about}"))]);
        page
    }

    /// A section; its heading is in capitals.
    pub fn section(&mut self, heading: &str) -> &mut Page {
        self.0.control("SH", [heading]);
        self
    }

    /// A section of a section.
    pub fn subsection(&mut self, heading: &str) -> &mut Page {
        self.0.control("SS", [heading]);
        self
    }

    /// Text, right behind a heading or a term.
    pub fn text(&mut self, inlines: impl Into<Vec<Inline>>) -> &mut Page {
        self.0.text(inlines);
        self
    }

    /// What follows stands on a line of its own.
    pub fn line_break(&mut self) -> &mut Page {
        self.0.control("br", []);
        self
    }

    /// A paragraph of its own.
    pub fn paragraph(&mut self, text: &str) -> &mut Page {
        self.0.control("PP", []).text([roman(text)]);
        self
    }

    /// A term and what it means.
    pub fn term(&mut self, term: &str, meaning: &str) -> &mut Page {
        self.0.control("TP", []).text([bold(term)]).text([roman(meaning)]);
        self
    }

    /// As it stands, line by line.
    pub fn example(&mut self, lines: &[&str]) -> &mut Page {
        self.0.control("PP", []).control("nf", []).control("RS", ["4"]);
        for line in lines {
            self.0.text([roman(*line)]);
        }
        self.0.control("RE", []).control("fi", []);
        self
    }

    /// In the language of man(7).
    pub fn to_roff(&self) -> String {
        self.0.to_roff()
    }
}

/// The day of the build, or the one it is to be reproduced for (reproducible-builds.org).
fn date() -> String {
    let epoch =
        env::var("SOURCE_DATE_EPOCH").ok().and_then(|epoch| Timestamp::from_second(epoch.parse().ok()?).ok());
    epoch.unwrap_or_else(Timestamp::now).strftime("%Y-%m-%d").to_string()
}
