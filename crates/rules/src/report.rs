//! Findings as people and programs read them.

mod json;
mod sarif;
mod text;

pub use json::findings_json;
pub use sarif::findings_sarif;
pub use text::findings_text;

use landfall_diag::Place;

/// How many of the lines that set a finding's field are told to people; programs get them all.
pub const VALUES_SHOWN: usize = 3;

/// `values.yaml:12:3`, or as much of it as is known.
pub fn place_text(place: &Place) -> String {
    match (place.line, place.column) {
        (0, _) => place.file.clone(),
        (line, 0) => format!("{}:{line}", place.file),
        (line, column) => format!("{}:{line}:{column}", place.file),
    }
}

/// `1 error, 2 warnings`, or `no findings`.
pub fn counted(examination: &crate::Examination) -> String {
    use landfall_diag::Severity;
    let parts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Info]
        .into_iter()
        .filter_map(|severity| {
            let count = examination.count(severity);
            let plural = if count == 1 || severity == Severity::Info { "" } else { "s" };
            (count > 0).then(|| format!("{count} {}{plural}", severity.word()))
        })
        .collect();
    let waived = examination.findings.iter().filter(|finding| finding.waived.is_some()).count();
    let waived = if waived > 0 { format!(" ({waived} waived)") } else { String::new() };
    if parts.is_empty() { format!("no findings{waived}") } else { format!("{}{waived}", parts.join(", ")) }
}
