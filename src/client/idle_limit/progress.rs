//! How far a search is, for whoever waits at a terminal.

use std::time::Duration;

use indicatif::{FormattedDuration, ProgressBar, ProgressStyle};

use super::outcome::seconds;
use super::search::Search;
use crate::ops::units::milliseconds;

/// On standard error, if that is a terminal; nothing elsewhere.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// At its beginning.
    pub fn new() -> Progress {
        let style = ProgressStyle::with_template("{bar:30} {msg}");
        Progress(ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    /// What is known after `elapsed`.
    pub fn show(&self, search: &Search, elapsed: Duration) {
        let ends = search.ends().unwrap_or(elapsed).max(elapsed);
        self.0.set_length(milliseconds(ends));
        self.0.set_position(milliseconds(elapsed));
        self.0.set_message(format!("{}, at most {} left", known(search), FormattedDuration(ends - elapsed)));
    }

    /// Prints something where the bar stands.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }

    /// There is nothing more to wait for.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

fn known(search: &Search) -> String {
    let open = search.open_connections();
    let lived = search.findings.lived().map(|lived| format!("alive after {}", seconds(lived)));
    let died = search.findings.died().map(|died| format!("dead after {}", seconds(died)));
    let known: Vec<_> = [Some(format!("{open} silent")), lived, died].into_iter().flatten().collect();
    known.join(", ")
}
