//! How far the reading of long files is, for whoever waits at a terminal.

use std::cell::{Cell, OnceCell};
use std::io::{self, IsTerminal as _, Read};
use std::rc::Rc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// What is faster needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// Bytes read of all files together.
#[derive(Debug)]
pub struct Progress {
    begin: Instant,
    is_watched: bool,
    total: Cell<u64>,
    read: Cell<u64>,
    bar: OnceCell<ProgressBar>,
}

impl Progress {
    #[expect(clippy::disallowed_methods, reason = "a person waits; nothing else depends on it")]
    pub fn new() -> Rc<Progress> {
        Rc::new(Progress {
            begin: Instant::now(),
            is_watched: io::stderr().is_terminal(),
            total: Cell::new(0),
            read: Cell::new(0),
            bar: OnceCell::new(),
        })
    }

    pub fn expect(&self, bytes: u64) {
        self.total.set(self.total.get().saturating_add(bytes));
    }

    fn advance(&self, bytes: u64) {
        self.read.set(self.read.get() + bytes);
        if self.is_watched && self.begin.elapsed() > PATIENCE {
            self.bar.get_or_init(|| bar(self.total.get())).set_position(self.read.get());
        }
    }

    pub fn finish(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: u64) -> ProgressBar {
    let template = "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    if total > 0 { ProgressBar::new(total).with_style(style) } else { ProgressBar::new_spinner() }
}

/// A file whose reading is watched.
pub struct Watched<R> {
    pub input: R,
    pub progress: Rc<Progress>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(space)?;
        self.progress.advance(read as u64);
        Ok(read)
    }
}
