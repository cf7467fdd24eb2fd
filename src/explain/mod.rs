//! The words of `pulse-echo explain`: what a close reason or verdict means and what to do about it.
//!
//! docs/close-reasons.md is the same text as Markdown; the log messages contain the same sentences.

mod reasons;
mod verdicts;
mod words;

use std::fmt::Write as _;

use words::Words;

use crate::core::{CloseReason, EndedBy, Evidence, Verdict};

/// What there is to know about a word in the log.
#[derive(Debug, Clone, Copy)]
pub struct Explanation {
    /// The word.
    pub name: &'static str,
    /// What it says, as the log message says it.
    pub sentence: &'static str,
    /// Which kind of word it is.
    pub kind: &'static str,
    words: Words,
}

/// Everything that can be explained: the close reasons, then the verdicts.
pub fn all() -> Vec<Explanation> {
    let reasons = CloseReason::ALL.into_iter().map(Explanation::from);
    reasons.chain(Verdict::ALL.into_iter().map(Explanation::from)).collect()
}

impl From<CloseReason> for Explanation {
    fn from(reason: CloseReason) -> Explanation {
        let kind = match reason.ended_by() {
            EndedBy::Peer => "close reason, ended by the peer",
            EndedBy::Server => "close reason, ended by the server",
            EndedBy::Network => "close reason, ended by the network",
        };
        Explanation { name: reason.name(), sentence: reason.sentence(), kind, words: reasons::words(reason) }
    }
}

impl From<Verdict> for Explanation {
    fn from(verdict: Verdict) -> Explanation {
        Explanation {
            name: verdict.name(),
            sentence: verdict.sentence(),
            kind: "verdict",
            words: verdicts::words(verdict),
        }
    }
}

impl Explanation {
    /// The configuration keys that bear on it.
    pub fn settings(&self) -> &'static [&'static str] {
        self.words.settings
    }

    /// Advice, the most helpful first.
    pub fn what_to_do(&self) -> &'static [&'static str] {
        self.words.what_to_do
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let Explanation { name, sentence, kind, words } = self;
        let mut text = format!("{name} ({kind})\n{}\n", indented(sentence, ""));
        section(&mut text, "On the wire", &[words.on_the_wire], "");
        section(&mut text, "Usual causes", words.causes, "- ");
        section(&mut text, "What to do", words.what_to_do, "- ");
        section(&mut text, "Settings", words.settings, "");
        text
    }

    /// For docs/close-reasons.md.
    pub fn markdown(&self) -> String {
        let Explanation { name, sentence, kind, words } = self;
        let settings = words.settings.iter().map(|key| format!("`{key}`"));
        let settings = settings.collect::<Vec<_>>().join(", ");
        let settings = if settings.is_empty() { "none".to_owned() } else { settings };
        format!(
            "### `{name}`\n\n*{kind}*: {sentence}.\n\n**On the wire.** {}\n\n**Usual causes**\n\n{}\n**What to do**\n\n{}\n\
             **Settings:** {settings}\n",
            words.on_the_wire,
            list(words.causes),
            list(words.what_to_do),
        )
    }
}

fn list(items: &[&str]) -> String {
    items.iter().map(|item| format!("- {item}\n")).collect()
}

fn section(text: &mut String, title: &str, paragraphs: &[&str], bullet: &str) {
    if paragraphs.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n  {title}"); // writing to a String cannot fail
    for paragraph in paragraphs {
        let _ = writeln!(text, "{}", indented(paragraph, bullet));
    }
}

/// Breaks a paragraph into lines for a terminal of 80 columns.
fn indented(paragraph: &str, bullet: &str) -> String {
    const WIDTH: usize = 78;
    let mut lines = vec![format!("    {bullet}")];
    for word in paragraph.split_whitespace() {
        let line = lines.last_mut().filter(|line| line.len() + word.len() < WIDTH);
        match line {
            Some(line) if line.ends_with(' ') => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(format!("    {}{word}", " ".repeat(bullet.len()))),
        }
    }
    lines.join("\n")
}

/// The whole page docs/close-reasons.md.
pub fn page() -> String {
    let entries = |explanations: Vec<Explanation>| {
        explanations.iter().map(Explanation::markdown).collect::<Vec<_>>().join("\n")
    };
    format!(
        "# Close reasons and verdicts\n\n\
         What `pulse-echo explain` says, as a page. It is made by `pulse-echo explain --markdown`, and a test keeps it so.\n\n\
         ## Close reasons\n\n{}\n## Verdicts\n\n\
         When the server gives up on a silent or stalled peer (`read_timeout`, `write_timeout`, `heartbeat_timeout`) it also says \
         whose silence it was, from the kernel's `TCP_INFO` right before the close. The evidence is in the same record: \
         {}.\n\n{}",
        entries(CloseReason::ALL.map(Explanation::from).to_vec()),
        Evidence::NAMES.map(|name| format!("`{name}`")).join(", "),
        entries(Verdict::ALL.map(Explanation::from).to_vec()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_causes_and_advice() {
        for Explanation { name, words, .. } in all() {
            assert!(!words.on_the_wire.is_empty(), "{name}");
            assert!(!words.causes.is_empty() && !words.what_to_do.is_empty(), "{name}");
        }
    }

    #[test]
    fn texts_fit_a_terminal() {
        for explanation in all() {
            for line in explanation.text().lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
    }
}
