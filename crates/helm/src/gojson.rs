//! JSON as Go's `encoding/json` writes it: structures in their own order, maps sorted, `<`, `>` and `&` escaped.

use std::fmt::Write as _;

use serde_json::Value;

/// In which order the entries of a value are written.
pub(super) enum Shape {
    /// A map: by name.
    Sorted,
    /// A list of such values.
    List(&'static Shape),
    /// A structure: these first, in this order, and what is not among them behind, by name.
    Fields(&'static [(&'static str, Shape)]),
}

use Shape::{Fields, List, Sorted};

const DEPENDENCY: Shape = Fields(&[
    ("name", Sorted),
    ("version", Sorted),
    ("repository", Sorted),
    ("condition", Sorted),
    ("tags", Sorted),
    ("enabled", Sorted),
    ("import-values", Sorted),
    ("alias", Sorted),
]);

const FILES: Shape = List(&Fields(&[("name", Sorted), ("data", Sorted)]));

/// What a chart says about itself (pkg/chart/metadata.go).
pub(super) const METADATA: Shape = Fields(&[
    ("name", Sorted),
    ("home", Sorted),
    ("sources", Sorted),
    ("version", Sorted),
    ("description", Sorted),
    ("keywords", Sorted),
    ("maintainers", List(&Fields(&[("name", Sorted), ("email", Sorted), ("url", Sorted)]))),
    ("icon", Sorted),
    ("apiVersion", Sorted),
    ("condition", Sorted),
    ("tags", Sorted),
    ("appVersion", Sorted),
    ("deprecated", Sorted),
    ("annotations", Sorted),
    ("kubeVersion", Sorted),
    ("dependencies", List(&DEPENDENCY)),
    ("type", Sorted),
]);

const INFO: Shape = Fields(&[
    ("first_deployed", Sorted),
    ("last_deployed", Sorted),
    ("deleted", Sorted),
    ("description", Sorted),
    ("status", Sorted),
    ("rollback_revision", Sorted),
    ("notes", Sorted),
    ("resources", Sorted),
]);

const HOOK: Shape = Fields(&[
    ("name", Sorted),
    ("kind", Sorted),
    ("path", Sorted),
    ("manifest", Sorted),
    ("events", Sorted),
    ("last_run", Fields(&[("started_at", Sorted), ("completed_at", Sorted), ("phase", Sorted)])),
    ("weight", Sorted),
    ("delete_policies", Sorted),
    ("output_log_policies", Sorted),
]);

/// A release's record (pkg/release/release.go).
pub(super) const RELEASE: Shape = Fields(&[
    ("name", Sorted),
    ("info", INFO),
    (
        "chart",
        Fields(&[
            ("metadata", METADATA),
            ("lock", Fields(&[("generated", Sorted), ("digest", Sorted), ("dependencies", List(&DEPENDENCY))])),
            ("templates", FILES),
            ("values", Sorted),
            ("schema", Sorted),
            ("files", FILES),
        ]),
    ),
    ("config", Sorted),
    ("manifest", Sorted),
    ("hooks", List(&HOOK)),
    ("version", Sorted),
    ("namespace", Sorted),
]);

/// Lines of `history`.
pub(super) const HISTORY: Shape = List(&Fields(&[
    ("revision", Sorted),
    ("updated", Sorted),
    ("status", Sorted),
    ("chart", Sorted),
    ("app_version", Sorted),
    ("rollback_revision", Sorted),
    ("description", Sorted),
]));

/// Lines of `repo list`.
pub(super) const LISTED_REPOSITORIES: Shape = List(&Fields(&[("name", Sorted), ("url", Sorted)]));

/// Lines of `search repo`.
pub(super) const FOUND_CHARTS: Shape =
    List(&Fields(&[("name", Sorted), ("version", Sorted), ("app_version", Sorted), ("description", Sorted)]));

/// Lines of `list`.
pub(super) const LISTING: Shape = List(&Fields(&[
    ("name", Sorted),
    ("namespace", Sorted),
    ("revision", Sorted),
    ("updated", Sorted),
    ("status", Sorted),
    ("chart", Sorted),
    ("app_version", Sorted),
]));

/// What `get metadata` shows.
pub(super) const SUMMARY: Shape = Fields(&[
    ("name", Sorted),
    ("chart", Sorted),
    ("version", Sorted),
    ("appVersion", Sorted),
    ("annotations", Sorted),
    ("labels", Sorted),
    ("dependencies", List(&DEPENDENCY)),
    ("namespace", Sorted),
    ("revision", Sorted),
    ("status", Sorted),
    ("deployedAt", Sorted),
]);

/// A value on one line, with the newline that Go's encoder ends with.
pub(super) fn line(value: &Value, shape: &Shape) -> String {
    let mut out = String::new();
    write(value, shape, &mut out);
    out.push('\n');
    out
}

fn write(value: &Value, shape: &Shape, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            let inner = if let List(inner) = shape { inner } else { &Sorted };
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, inner, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let fields: &[(&str, Shape)] = if let Fields(fields) = shape { fields } else { &[] };
            let known = fields.iter().filter_map(|(name, shape)| Some((*name, map.get(*name)?, shape)));
            let others = map
                .iter()
                .filter(|(name, _)| !fields.iter().any(|(known, _)| known == name))
                .map(|(name, value)| (name.as_str(), value, &Sorted));
            out.push('{');
            for (index, (name, value, shape)) in known.chain(others).enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(name, out);
                out.push(':');
                write(value, shape, out);
            }
            out.push('}');
        }
    }
}

/// Floats as ECMAScript writes them, which is what Go's encoder does.
fn write_number(number: &serde_json::Number, out: &mut String) {
    let _infallible = match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) if float != 0.0 && !(1e-6..1e21).contains(&float.abs()) => {
            let text = format!("{float:e}");
            match text.split_once('e') {
                Some((digits, exponent)) if !exponent.starts_with('-') => write!(out, "{digits}e+{exponent}"),
                _ => write!(out, "{text}"),
            }
        }
        Some(float) => write!(out, "{float}"),
        None => write!(out, "{number}"),
    };
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _infallible = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn structures_keep_their_order_and_maps_are_sorted() {
        let value = json!({"namespace": "n", "name": "a<b", "info": {"status": "x", "deleted": ""}, "config": {"z": 1, "a": 1e21}});
        assert_eq!(
            line(&value, &RELEASE),
            "{\"name\":\"a\\u003cb\",\"info\":{\"deleted\":\"\",\"status\":\"x\"},\"config\":{\"a\":1e+21,\"z\":1},\"namespace\":\"n\"}\n"
        );
    }
}
