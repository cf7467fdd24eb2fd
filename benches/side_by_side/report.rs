//! Tables: printed, and written into docs/performance.md between its marks.

use std::fmt::{self, Display};
use std::fs;

use anyhow::Context as _;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance.md");
const BEGIN: &str = "<!-- measured: begin -->\n";
const END: &str = "<!-- measured: end -->";

/// A table and what must be known to read it.
pub struct Table {
    /// Its heading.
    pub title: &'static str,
    /// How it was measured.
    pub note: String,
    /// The names of its columns.
    pub columns: Vec<&'static str>,
    /// Its rows, as long as `columns`.
    pub rows: Vec<Vec<String>>,
}

impl Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "### {}\n\n{}\n", self.title, self.note)?;
        let header: Vec<String> = self.columns.iter().map(|column| (*column).to_owned()).collect();
        let width = |column: usize| {
            let cells = std::iter::once(&header).chain(&self.rows).map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        let line = |cells: &[String]| {
            let cells = cells.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
        };
        writeln!(formatter, "{}", line(&header))?;
        let rule = widths.iter().enumerate().map(|(column, width)| match column {
            0 => "-".repeat(*width),
            _ => format!("{}:", "-".repeat(width - 1)),
        });
        writeln!(formatter, "| {} |", rule.collect::<Vec<_>>().join(" | "))?;
        self.rows.iter().try_for_each(|row| writeln!(formatter, "{}", line(row)))
    }
}

/// Replaces what stands between the marks.
pub fn write(heading: &str, tables: &[Table]) -> anyhow::Result<()> {
    rewrite(|_| {
        let tables = tables.iter().map(|table| format!("\n{table}"));
        format!("{heading}{}", tables.collect::<String>())
    })
}

/// Replaces those tables between the marks that are measured anew, each with a heading of its own; a new one comes last.
pub fn write_some(heading: &str, tables: &[Table]) -> anyhow::Result<()> {
    rewrite(|measured| {
        tables.iter().fold(measured.trim().to_owned() + "\n", |page, table| {
            let title = format!("### {}\n", table.title);
            let anew = format!("{table}\n{heading}");
            match page.split_once(&title) {
                None => format!("{page}\n{anew}"),
                Some((before, rest)) => {
                    let after = rest.find("\n### ").map_or("", |end| &rest[end..]);
                    format!("{before}{anew}{after}")
                }
            }
        })
    })
}

fn rewrite(measured: impl FnOnce(&str) -> String) -> anyhow::Result<()> {
    let page = fs::read_to_string(PAGE).context("docs/performance.md")?;
    let (before, rest) = page.split_once(BEGIN).context("docs/performance.md has lost its first mark")?;
    let (former, after) = rest.split_once(END).context("docs/performance.md has lost its last mark")?;
    fs::write(PAGE, format!("{before}{BEGIN}\n{}\n{END}{after}", measured(former)))?;
    Ok(())
}
