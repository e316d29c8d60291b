//! What is taken out before two sides are compared, and in what they differ.
//!
//! The list is closed: times, the namespace's name, generated names and addresses, what a cluster writes into every object
//! by itself, and what Helm's client library logs of its own watches when a wait is cut short.

use std::io::Read as _;
use std::sync::LazyLock;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use serde_json::{Value, json};

static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}", "ANSIC"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d| \+0000 UTC)", "TIME"),
        // A column is as wide as its times, whose fractions differ.
        (r" +\t", "\t"),
        (r"-\d{10}\b", "-SECONDS"),
        (r"kube-api-access-\w{5}", "kube-api-access-X"),
        // client-go logs a watch that the end of the wait cut off in the middle of an event: only when the moment falls so.
        (r"(?m)^[IWE]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ reflector\.go:\d+\] [^\n]*\n", ""),
    ]
    .into_iter()
    .filter_map(|(pattern, text)| Some((Regex::new(pattern).ok()?, text)))
    .collect()
});

/// A text without what differs from run to run.
pub(crate) fn normalised(text: &str, namespace: &str) -> String {
    let mut text = text.replace(namespace, "NAMESPACE");
    for (pattern, with) in RULES.iter() {
        text = pattern.replace_all(&text, *with).into_owned();
    }
    text
}

/// An object without what the cluster itself writes.
pub(crate) fn scrubbed(object: &mut Value) {
    // Helm 4 creates hooks by server-side apply; a hook's object is made anew each time and has no other manager.
    let hook = object["metadata"]["annotations"]["helm.sh/hook"].is_string();
    let managers: Vec<Value> = object["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|entry| entry["manager"] == "helm" && !hook)
        .map(|entry| json!([entry["operation"], entry["subresource"], entry["fieldsV1"]]))
        .collect();
    let generated = |name: &String| name.contains("controller-uid");
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in ["uid", "resourceVersion", "creationTimestamp", "generation"] {
            metadata.remove(field);
        }
        metadata.insert("managedFields".to_owned(), managers.into());
        if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
            labels.retain(|name, _| !generated(name));
        }
    }
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let Some(map) = object.as_object_mut() else { return };
    map.remove("status");
    let Some(spec) = map.get_mut("spec").and_then(Value::as_object_mut) else { return };
    for field in ["clusterIP", "clusterIPs", "volumeName", "nodeName"] {
        spec.remove(field);
    }
    if kind == "Job" {
        spec.remove("selector");
        let labels = spec.get_mut("template").and_then(|template| template.pointer_mut("/metadata/labels"));
        if let Some(labels) = labels.and_then(Value::as_object_mut) {
            labels.retain(|name, _| !generated(name));
        }
    }
}

/// The record in a Secret or ConfigMap, its labels and its type.
pub(crate) fn decoded(holder: &Value) -> anyhow::Result<Value> {
    let text = holder["data"]["release"].as_str().context("a record without data")?;
    let mut bytes = STANDARD.decode(text)?;
    if holder["kind"] == "Secret" {
        bytes = STANDARD.decode(bytes)?;
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain)?;
    let mut record: Value = serde_json::from_slice(&plain)?;
    without_file_times(&mut record["chart"]);
    let mut labels = holder["metadata"]["labels"].clone();
    for label in ["createdAt", "modifiedAt"] {
        if !labels[label].is_null() {
            labels[label] = "TIME".into();
        }
    }
    if let Some(labels) = labels.as_object_mut() {
        labels.retain(|_, value| !value.is_null());
    }
    Ok(json!({"record": record, "labels": labels, "type": holder["type"]}))
}

/// Helm 4 keeps the times of a chart's files.
fn without_file_times(chart: &mut Value) {
    if let Some(map) = chart.as_object_mut() {
        map.remove("modtime");
        map.remove("schemamodtime");
    }
    for list in ["templates", "files"] {
        for file in chart[list].as_array_mut().into_iter().flatten() {
            if let Some(file) = file.as_object_mut() {
                file.remove("modtime");
            }
        }
    }
}

/// In what two values differ, one line a place.
pub(crate) fn differences(peer: &Value, ours: &Value, path: &str, into: &mut Vec<String>) {
    match (peer, ours) {
        (Value::Object(a), Value::Object(b)) => {
            let mut names: Vec<&String> = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))).collect();
            names.sort();
            for name in names {
                match (a.get(name), b.get(name)) {
                    (Some(a), Some(b)) => differences(a, b, &format!("{path}/{name}"), into),
                    (Some(a), None) => into.push(format!("{path}/{name}: only the peer has {}", short(a))),
                    (None, Some(b)) => into.push(format!("{path}/{name}: only we have {}", short(b))),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differences(a, b, &format!("{path}/{index}"), into);
            }
        }
        (a, b) if a != b => into.push(format!("{path}: peer {}, ours {}", short(a), short(b))),
        _ => {}
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 200 { format!("{}…", text.chars().take(199).collect::<String>()) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_the_namespace_are_taken_out_and_nothing_else() {
        let text = "LAST DEPLOYED: Fri Nov 20 12:00:01 2026\tp1\n2026-11-20T12:00:00.1Z web-1234567890 rev 2";
        assert_eq!(normalised(text, "p1"), "LAST DEPLOYED: ANSIC\tNAMESPACE\nTIME web-SECONDS rev 2");
        let log = "I1126 15:45:37.426588    7684 reflector.go:664] \"Warning: watch ended with error\" err=\"context canceled\"\n";
        let of_another_file = log.replace("reflector.go", "wait.go");
        let said = format!("{log}Error: timed out\n{of_another_file}");
        assert_eq!(normalised(&said, "p1"), format!("Error: timed out\n{of_another_file}"));
    }

    #[test]
    fn one_flipped_value_is_seen() {
        let mut found = Vec::new();
        differences(&json!({"a": [1, {"b": "x"}]}), &json!({"a": [1, {"b": "y"}], "c": 1}), "", &mut found);
        assert_eq!(found, ["/a/1/b: peer \"x\", ours \"y\"", "/c: only we have 1"]);
    }
}
