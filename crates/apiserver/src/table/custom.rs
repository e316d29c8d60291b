//! Rows of custom resources: by `additionalPrinterColumns`, else name and age.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age::since;
use crate::resource::CustomResource;

pub(super) fn table<'a>(
    definition: &CustomResource,
    objects: impl Iterator<Item = &'a Value>,
    now: Timestamp,
) -> Value {
    let default = [json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"})];
    let columns: &[Value] = if definition.columns.is_empty() { &default } else { &definition.columns };
    let mut definitions =
        vec![json!({"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0})];
    for column in columns {
        let path = column["jsonPath"].as_str().unwrap_or_default();
        let description = column["description"]
            .as_str()
            .map_or_else(|| format!("Custom resource definition column (in JSONPath format): {path}"), str::to_owned);
        definitions.push(json!({
            "name": column["name"], "type": column["type"], "format": column["format"].as_str().unwrap_or_default(),
            "description": description, "priority": column["priority"].as_i64().unwrap_or(0),
        }));
    }
    let rows: Vec<Value> = objects
        .map(|object| {
            let mut cells = vec![object["metadata"]["name"].clone()];
            cells.extend(columns.iter().map(|column| cell(column, object, now)));
            json!({"cells": cells})
        })
        .collect();
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "columnDefinitions": definitions, "rows": rows})
}

fn cell(column: &Value, object: &Value, now: Timestamp) -> Value {
    let found = find(object, column["jsonPath"].as_str().unwrap_or_default());
    let kind = column["type"].as_str().unwrap_or("string");
    let Some(first) = found.first() else { return Value::Null };
    match kind {
        "integer" => first
            .as_i64()
            .map_or_else(|| first.as_f64().map_or(Value::Null, |number| json!(number as i64)), |number| json!(number)),
        "number" => first.as_f64().map_or(Value::Null, |number| json!(number)),
        "boolean" => first.as_bool().map_or(Value::Null, |flag| json!(flag)),
        "date" => match first {
            Value::String(text) if text.parse::<Timestamp>().is_ok() => json!(since(first, now)),
            Value::String(_) => json!("<invalid>"),
            _ => Value::Null,
        },
        // Of several the first is shown (`tableconvertor.go`).
        _ => json!(first.as_str().map_or_else(|| first.to_string(), str::to_owned)),
    }
}

/// The JSON paths that columns use: fields, indexes, `[*]`, and filters `[?(@.a=="b")]`.
fn find<'a>(object: &'a Value, path: &str) -> Vec<&'a Value> {
    let path = path.trim().trim_start_matches('{').trim_end_matches('}').trim_start_matches('$');
    let mut found = vec![object];
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let Some(end) = closing(after) else { return Vec::new() };
            found = bracket(&found, &after[..end]);
            rest = &after[end + 1..];
        } else {
            let body = rest.strip_prefix('.').unwrap_or(rest);
            let mut end = body.len();
            let mut escaped = false;
            for (index, c) in body.char_indices() {
                if !escaped && matches!(c, '.' | '[') {
                    end = index;
                    break;
                }
                escaped = c == '\\' && !escaped;
            }
            let field = body[..end].replace("\\.", ".").replace('\\', "");
            if !field.is_empty() {
                found = found
                    .into_iter()
                    .flat_map(|value| match (field.as_str(), value) {
                        ("*", Value::Array(items)) => items.iter().collect(),
                        ("*", Value::Object(map)) => map.values().collect(),
                        (field, value) => value.get(field).into_iter().collect::<Vec<_>>(),
                    })
                    .collect();
            }
            rest = &body[end..];
        }
    }
    found.retain(|value| !value.is_null());
    found
}

fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0, None);
    for (index, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(index),
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    None
}

fn bracket<'a>(found: &[&'a Value], inside: &str) -> Vec<&'a Value> {
    let inside = inside.trim();
    let items = found.iter().flat_map(|value| value.as_array().into_iter().flatten());
    if inside == "*" {
        return items.collect();
    }
    if let Some(condition) = inside.strip_prefix("?(").and_then(|text| text.strip_suffix(')')) {
        let (left, equal, right) = match (condition.split_once("=="), condition.split_once("!=")) {
            (Some((left, right)), _) => (left, true, right),
            (None, Some((left, right))) => (left, false, right),
            _ => (condition, false, ""),
        };
        let path = left.trim().trim_start_matches('@');
        let wanted = right.trim().trim_matches(['"', '\'']);
        return items
            .filter(|item| {
                let values = find(item, path);
                let matches =
                    values.iter().any(|value| value.as_str().map_or_else(|| *value == wanted, |text| text == wanted));
                if right.is_empty() { !values.is_empty() } else { matches == equal }
            })
            .collect();
    }
    if let Ok(index) = inside.parse::<i64>() {
        return found
            .iter()
            .filter_map(|value| {
                let list = value.as_array()?;
                let index =
                    if index < 0 { list.len().checked_sub(index.unsigned_abs() as usize)? } else { index as usize };
                list.get(index)
            })
            .collect();
    }
    let field = inside.trim_matches(['"', '\'']);
    found.iter().filter_map(|value| value.get(field)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_find_their_values() {
        let object = json!({
            "spec": {"size": 3, "hosts": ["a", "b"]},
            "status": {"conditions": [{"type": "Synced", "status": "False"}, {"type": "Ready", "status": "True"}]},
            "metadata": {"annotations": {"a.b/c": "x"}},
        });
        let one = |path: &str| find(&object, path).first().map(|value| (*value).clone());
        assert_eq!(one(".spec.size"), Some(json!(3)));
        assert_eq!(one(".status.conditions[?(@.type==\"Ready\")].status"), Some(json!("True")));
        assert_eq!(one(".spec.hosts[1]"), Some(json!("b")));
        assert_eq!(find(&object, ".spec.hosts[*]").len(), 2);
        assert_eq!(one(".metadata.annotations.a\\.b/c"), Some(json!("x")));
        assert_eq!(one(".spec.none"), None);
    }
}
