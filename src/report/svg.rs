//! The report as a picture for an incident report: the time line above, the reasons below. It is readable in print and in
//! dark mode.

use std::fmt::Write as _;

use super::findings::Findings;
use super::kinds::grouped;
use super::times::{self, SECOND};

const WIDTH: usize = 800;
const LEFT: usize = 20;
const CHART_TOP: usize = 84;
const CHART_HEIGHT: usize = 160;
const ROW: usize = 26;
/// About as wide as a letter is.
const LETTER: usize = 8;
const NAMES: usize = 170;
/// Reasons that are shown; a log has no more.
const MOST: usize = 20;

const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1b1f24}.title{font-size:18px;font-weight:600}.quiet{fill:#57606a}\
.closes{fill:#9db4d0}.lost{fill:#c2410c}.axis{stroke:#8c959f}.paper{fill:#fff}.mark{stroke:#57606a;stroke-dasharray:3 3}\
@media screen and (prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9198a1}.closes{fill:#3d5a80}.lost{fill:#f0883e}\
.axis{stroke:#6e7681}.paper{fill:#0d1117}.mark{stroke:#9198a1}}";

/// The whole picture.
pub fn picture(findings: &Findings) -> String {
    let rows = findings.by_reason.len().min(MOST);
    let bars_top = CHART_TOP + CHART_HEIGHT + 84;
    let height = bars_top + rows * ROW + 20;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
         <title>pulse-echo report: {} closes</title>\n<style>{STYLE}</style>\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>\n",
        grouped(findings.closes)
    );
    head(&mut svg, findings);
    chart(&mut svg, findings);
    bars(&mut svg, findings, bars_top);
    svg.push_str("</svg>\n");
    svg
}

// Writing to a String cannot fail, so what that returns is of no interest in this file.

fn text(svg: &mut String, class: &str, x: usize, y: usize, anchor: &str, words: &str) {
    let words = escaped(words);
    let _ =
        writeln!(svg, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{words}</text>");
}

fn head(svg: &mut String, findings: &Findings) {
    let lost: u64 = findings.by_reason.iter().map(|row| row.lost).sum();
    let title = format!("{} closes, {} lost", grouped(findings.closes), grouped(lost));
    text(svg, "title", LEFT, 32, "start", &title);
    if let (Some(since), Some(until)) = (&findings.since, &findings.until) {
        text(svg, "quiet", LEFT, 54, "start", &format!("{since} to {until}"));
    }
}

fn chart(svg: &mut String, findings: &Findings) {
    let line = &findings.timeline;
    let most = line.buckets.iter().map(|bucket| bucket.closes).max().unwrap_or(0).max(1);
    let width = (WIDTH - 2 * LEFT) as f64 / line.buckets.len().max(1) as f64;
    let bottom = (CHART_TOP + CHART_HEIGHT) as f64;
    for (place, bucket) in line.buckets.iter().enumerate() {
        let x = LEFT as f64 + place as f64 * width;
        for (class, count) in [("closes", bucket.closes), ("lost", bucket.lost)] {
            if count > 0 {
                let height = count as f64 / most as f64 * CHART_HEIGHT as f64;
                let _ = writeln!(
                    svg,
                    "<rect class=\"{class}\" x=\"{x:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{height:.2}\"><title>{}: {count}</title></rect>",
                    bottom - height,
                    (width - 1.0).max(0.5),
                    escaped(&bucket.begin)
                );
            }
        }
    }
    marks(svg, findings, width);
    let right = WIDTH - LEFT;
    let _ =
        writeln!(svg, "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{right}\" y2=\"{bottom}\"/>");
    let below = CHART_TOP + CHART_HEIGHT + 18;
    if let Some(first) = line.buckets.first() {
        text(svg, "quiet", LEFT, below, "start", &first.begin);
        text(svg, "quiet", right, below, "end", &line.end);
    }
    let legend = format!(
        "closes per {}, up to {}; lost in orange",
        times::duration(line.bucket_s * SECOND),
        grouped(most)
    );
    text(svg, "quiet", right, 54, "end", &legend);
}

/// Starts, reloads and stalls, as dashed lines with their names, where there is room for them.
fn marks(svg: &mut String, findings: &Findings, column: f64) {
    let line = &findings.timeline;
    let (bottom, right) = (CHART_TOP + CHART_HEIGHT, (WIDTH - LEFT) as f64);
    let (mut last, mut named_until) = (f64::MIN, 0.0);
    for mark in &line.marks {
        let columns = (mark.time_us - line.begin_us) as f64 / (line.bucket_s * SECOND).max(1) as f64;
        let x = LEFT as f64 + columns * column;
        if !(LEFT as f64..=right).contains(&x) || x - last < 1.0 {
            continue;
        }
        last = x;
        let _ = writeln!(
            svg,
            "<line class=\"mark\" x1=\"{x:.2}\" y1=\"{CHART_TOP}\" x2=\"{x:.2}\" y2=\"{bottom}\"><title>{} at {}</title></line>",
            mark.what,
            escaped(&mark.time)
        );
        let width = (mark.what.len() * LETTER) as f64;
        let begin = x.min(right - width);
        if begin >= named_until {
            text(svg, "quiet", begin as usize, CHART_TOP - 6, "start", mark.what);
            named_until = begin + width;
        }
    }
}

fn bars(svg: &mut String, findings: &Findings, top: usize) {
    text(svg, "title", LEFT, top - 16, "start", "Close reasons");
    let most = findings.by_reason.iter().map(|row| row.closes).max().unwrap_or(0).max(1);
    let space = WIDTH - 2 * LEFT - NAMES - 150;
    for (place, row) in findings.by_reason.iter().take(MOST).enumerate() {
        let y = top + place * ROW;
        text(svg, "name", LEFT, y + 15, "start", &row.name);
        let class = if row.lost > 0 { "lost" } else { "closes" };
        let width = row.closes as f64 / most as f64 * space as f64;
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{}\" y=\"{y}\" width=\"{width:.2}\" height=\"18\"/>",
            LEFT + NAMES
        );
        let share = row.closes as f64 / findings.closes.max(1) as f64 * 100.0;
        let label = format!("{} ({share:.1} %)", grouped(row.closes));
        text(svg, "quiet", LEFT + NAMES + width as usize + 8, y + 15, "start", &label);
    }
}

/// XML 1.0, section 2.4; control characters are none of its characters at all.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}
