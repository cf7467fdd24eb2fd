//! The report for programs: one JSON object with stable names.

use super::findings::Findings;

/// The whole of it.
pub fn document(findings: &Findings) -> String {
    // Names are texts and nothing refuses to be written, so this cannot fail.
    let mut text = serde_json::to_string_pretty(findings).unwrap_or_default();
    text.push('\n');
    text
}
