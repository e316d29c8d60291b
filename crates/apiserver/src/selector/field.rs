//! Field selectors and which fields each kind knows.

use serde_json::Value;

use crate::resource::Resource;
use crate::status::Status;

/// All terms must hold; none means everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldSelector {
    terms: Vec<FieldTerm>,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldTerm {
    /// The field's name as the selector writes it, e.g. `spec.nodeName`.
    pub field: String,
    /// The value compared with.
    pub value: String,
    /// True for `!=`.
    pub negated: bool,
}

impl FieldSelector {
    /// Selects everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Reads `a=b,c!=d` for a resource; 400 in the real server's words for what the resource does not know.
    pub fn parse(text: &str, resource: &Resource) -> Result<Self, Status> {
        let mut terms = Vec::new();
        for part in split_terms(text) {
            if part.is_empty() {
                continue;
            }
            let term = parse_term(&part)
                .ok_or_else(|| Status::bad_request(format!("invalid selector: '{part}'; can't understand '{part}'")))?;
            let known = known_fields(resource);
            let selectable = resource
                .custom
                .as_ref()
                .is_some_and(|custom| custom.selectable_fields.iter().any(|path| path[1..] == term.field));
            if !known.contains(&term.field.as_str()) && !selectable {
                return Err(Status::bad_request(unknown_field(resource, &term.field)));
            }
            terms.push(term);
        }
        Ok(Self { terms })
    }

    /// True when nothing is asked for.
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }

    /// The name that `metadata.name=x` asks for.
    pub fn exact_name(&self) -> Option<&str> {
        self.terms.iter().find(|term| term.field == "metadata.name" && !term.negated).map(|term| term.value.as_str())
    }

    /// True when the object satisfies all terms.
    pub fn matches(&self, object: &Value) -> bool {
        self.terms.iter().all(|term| (field_value(object, &term.field) == term.value) != term.negated)
    }
}

fn split_terms(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        match c {
            ',' if !escaped => {
                parts.push(String::new());
                continue;
            }
            _ => {
                if let Some(last) = parts.last_mut() {
                    last.push(c);
                }
            }
        }
        escaped = c == '\\' && !escaped;
    }
    parts
}

fn parse_term(part: &str) -> Option<FieldTerm> {
    let at = part.find(['=', '!'])?;
    let (field, rest) = part.split_at(at);
    let (negated, value) = if let Some(value) = rest.strip_prefix("!=") {
        (true, value)
    } else if let Some(value) = rest.strip_prefix("==") {
        (false, value)
    } else {
        (false, rest.strip_prefix('=')?)
    };
    let mut unescaped = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => unescaped.push(chars.next()?),
            '=' => return None,
            c => unescaped.push(c),
        }
    }
    Some(FieldTerm { field: field.to_owned(), value: unescaped, negated })
}

/// Fields beside `metadata.name` and `metadata.namespace` (pkg/apis/*/v1/conversion.go).
fn own_fields(resource: &Resource) -> &'static [&'static str] {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
            "spec.host",
        ],
        ("", "nodes") => &["spec.unschedulable"],
        ("", "replicationcontrollers") => &["status.replicas"],
        ("", "events") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("events.k8s.io", "events") => &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
        ("", "namespaces") => &["status.phase"],
        ("", "secrets") => &["type"],
        ("", "services") => &["spec.clusterIP", "spec.type"],
        ("batch", "jobs") => &["status.successful"],
        ("resource.k8s.io", "resourceslices") => &["spec.nodeName", "spec.driver"],
        ("certificates.k8s.io", "certificatesigningrequests") => &["spec.signerName"],
        _ => &[],
    }
}

fn known_fields(resource: &Resource) -> Vec<&'static str> {
    let mut known = vec!["metadata.name", "metadata.namespace"];
    known.extend(own_fields(resource));
    known
}

fn unknown_field(resource: &Resource, field: &str) -> String {
    if resource.custom.is_none() && own_fields(resource).is_empty() {
        return format!("\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"");
    }
    format!("field label not supported: {field}")
}

/// A field's value as the selector compares it; absent is the empty string.
fn field_value(object: &Value, field: &str) -> String {
    let field = match field {
        "spec.host" => "spec.nodeName",
        // The store keeps core/v1 events.
        "reportingController" => "reportingComponent",
        "status.successful" => "status.succeeded",
        other => other,
    };
    let renamed;
    let field = match field.strip_prefix("regarding.") {
        Some(rest) => {
            renamed = format!("involvedObject.{rest}");
            renamed.as_str()
        }
        None => field,
    };
    if field == "source" {
        let source = object["source"]["component"].as_str().unwrap_or_default();
        return if source.is_empty() { object["reportingComponent"].as_str().unwrap_or_default() } else { source }
            .to_owned();
    }
    let mut value = object;
    for part in field.split('.') {
        value = &value[part];
    }
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Null => match field {
            "spec.hostNetwork" | "spec.unschedulable" => "false".to_owned(),
            "status.replicas" | "status.succeeded" => "0".to_owned(),
            _ => String::new(),
        },
        Value::Array(items) => {
            items.iter().map(|item| item["ip"].as_str().unwrap_or_default()).collect::<Vec<_>>().join(",")
        }
        Value::Object(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::Registry;

    #[test]
    fn field_selectors_select_and_refuse() {
        let registry = Registry::builtin();
        let pods = registry.stored("pods").expect("served");
        let selector = FieldSelector::parse("status.phase!=Failed,spec.nodeName=", pods).expect("known");
        assert!(selector.matches(&json!({"status": {"phase": "Running"}})));
        assert!(!selector.matches(&json!({"status": {"phase": "Failed"}})));
        let configmaps = registry.stored("configmaps").expect("served");
        assert_eq!(
            FieldSelector::parse("foo=1", configmaps).expect_err("unknown").message,
            "\"foo\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        );
    }
}
