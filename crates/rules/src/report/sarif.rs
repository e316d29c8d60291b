use landfall_diag::{Finding, Place, Severity, Spot};
use serde_json::{Value, json};

use crate::catalogue::RULES;
use crate::examine::Examination;
use crate::place::DOCTOR_RULES;

/// Findings as SARIF 2.1.0; `fallback` is the file for findings that stand in none, `version` our own.
pub fn findings_sarif(examination: &Examination, fallback: &str, version: &str) -> Value {
    let rules: Vec<Value> = RULES
        .iter()
        .chain(DOCTOR_RULES)
        .map(|rule| {
            json!({
                "id": rule.id,
                "shortDescription": {"text": rule.title},
                "fullDescription": {"text": rule.why},
                "help": {"text": rule.advice},
                "defaultConfiguration": {"level": level(rule.severity)},
            })
        })
        .collect();
    let results: Vec<Value> = examination.findings.iter().map(|finding| result(finding, fallback)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "landfall", "version": version, "rules": rules}},
            "results": results,
        }],
    })
}

fn result(finding: &Finding, fallback: &str) -> Value {
    let first = finding.spots.first().cloned().unwrap_or_default();
    let index = RULES.iter().chain(DOCTOR_RULES).position(|rule| rule.id == finding.rule);
    let text = [finding.message.as_str(), finding.cause.as_str(), finding.help.as_str()]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join("\n");
    // One place is named once, however many fields of it are meant.
    let mut related: Vec<Value> = Vec::new();
    for location in finding.spots.iter().skip(1).map(|spot| location(spot, fallback)) {
        if !related.contains(&location) {
            related.push(location);
        }
    }
    let mut result = json!({
        "ruleId": finding.rule,
        "level": level(finding.severity),
        "message": {"text": text},
        "locations": [location(&first, fallback)],
        "relatedLocations": related,
        "partialFingerprints": {"landfallCause/v1": format!("{}:{}", finding.rule, finding.key)},
    });
    if let Some(index) = index {
        result["ruleIndex"] = json!(index);
    }
    if let Some(waived) = &finding.waived {
        result["suppressions"] = json!([{"kind": "external", "justification": waived.reason}]);
    }
    result
}

fn location(spot: &Spot, fallback: &str) -> Value {
    // The user's own file first: the values' line, else the template's.
    let place = spot
        .values
        .iter()
        .rev()
        .find_map(|origin| origin.place.clone())
        .or_else(|| spot.file.clone())
        .or_else(|| spot.template.clone())
        .unwrap_or_else(|| Place::file(fallback));
    let mut physical = json!({"artifactLocation": {"uri": uri(&place.file)}});
    // A region is required to say a line; the whole file is its first.
    physical["region"] = json!({"startLine": place.line.max(1)});
    if place.column > 0 {
        physical["region"]["startColumn"] = json!(place.column);
    }
    let mut location = json!({"physicalLocation": physical});
    if spot.object.is_some() {
        let field = spot.field.as_deref().map(|field| format!(" {field}")).unwrap_or_default();
        location["logicalLocations"] =
            json!([{"fullyQualifiedName": format!("{}{field}", spot.name()), "kind": "resource"}]);
    }
    location
}

/// A path as a URI: relative to the repository, or with the scheme of files.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.strip_prefix("./").unwrap_or(path).bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "note",
        Severity::Warning => "warning",
        Severity::Error | Severity::Refused => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri("./charts/my chart/values:1.yaml"), "charts/my%20chart/values%3A1.yaml");
        assert_eq!(uri("/srv/ü.yaml"), "file:///srv/%C3%BC.yaml");
    }
}
