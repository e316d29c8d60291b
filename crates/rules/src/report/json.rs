use landfall_diag::Severity;
use serde_json::{Value, json};

use crate::examine::Examination;

/// Findings as a JSON value; fields are only ever added.
pub fn findings_json(examination: &Examination) -> Value {
    json!({
        "findings": examination.findings,
        "idle_waivers": examination.idle_waivers,
        "counts": {
            "error": examination.count(Severity::Error),
            "warning": examination.count(Severity::Warning),
            "info": examination.count(Severity::Info),
            "waived": examination.findings.iter().filter(|finding| finding.waived.is_some()).count(),
        },
    })
}
