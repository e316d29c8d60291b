//! Annotations and labels of an operator's resource that stand beside `annotations` or `labels`, not below.

use landfall_diag::Finding;
use serde_json::{Map, Value};

use super::RULE;
use crate::operated::is_of_an_operator;
use crate::subject::{Desired, DesiredUnit, Role};

/// Tables whose keys are somebody's own, so that nothing in them stands in the wrong place.
const OF_OWN_KEYS: &[&str] = &[
    "annotations",
    "binaryData",
    "data",
    "labels",
    "limits",
    "matchLabels",
    "nodeSelector",
    "requests",
    "selector",
    "stringData",
];

/// A key that stands beside the table that it belongs to.
struct Beside {
    /// Where both stand.
    path: String,
    /// The key: `prometheus.io/scrape`.
    key: String,
    /// The table: `annotations`.
    table: &'static str,
}

/// The first key of each place that stands beside its table, of those that the chart itself writes.
pub(super) fn beside(unit: &DesiredUnit, desired: &Desired) -> Vec<Finding> {
    let object = &desired.object;
    if desired.role == Role::Definition || !is_of_an_operator(object.group()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    look(object.value(), "", &mut found);
    found.retain(|it| is_of_the_chart(unit, desired, it));
    found.dedup_by(|later, first| later.path == first.path);
    let (kind, name) = (object.kind(), object.name());
    let told = |it: Beside| {
        let Beside { path, key, table } = &it;
        RULE.finding(format!("`{key}` stands beside `{table}` in `{path}` of {kind} `{name}`, not below it"))
            .keyed(format!("{kind}/{name} {path}"))
            .because(format!("what is no field of its kind is dropped or refused, and `{table}` lacks it"))
            .help(format!("indent it by two more than `{table}` (`nindent`)"))
            .at(desired.spot_at(&it.field()))
    };
    found.into_iter().map(told).collect()
}

impl Beside {
    fn field(&self) -> String {
        format!("{}[{}]", self.path, self.key)
    }
}

/// Whether a template itself says what stands there: what is given in values is the user's.
fn is_of_the_chart(unit: &DesiredUnit, desired: &Desired, it: &Beside) -> bool {
    let origin = unit.rendered.origin(&desired.key(), &it.field());
    origin.is_some_and(|it| it.template.is_some() && it.sources.is_empty())
}

/// Looks for such keys in every table of a resource but its own top, which has no tables of this kind.
fn look(value: &Value, path: &str, found: &mut Vec<Beside>) {
    match value {
        Value::Object(map) => {
            if let Some(table) = table_of(map).filter(|_| !path.is_empty()) {
                let keys =
                    map.iter().filter(|(key, value)| is_qualified(key) && !value.is_object() && !value.is_array());
                found.extend(keys.map(|(key, _)| Beside { path: path.to_owned(), key: key.clone(), table }));
            }
            for (key, value) in map.iter().filter(|(key, _)| !OF_OWN_KEYS.contains(&key.as_str())) {
                let path = match (path.is_empty(), key.contains(['.', '/'])) {
                    (true, _) => key.clone(),
                    (false, true) => format!("{path}[{key}]"),
                    (false, false) => format!("{path}.{key}"),
                };
                look(value, &path, found);
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                look(value, &format!("{path}[{at}]"), found);
            }
        }
        _ => {}
    }
}

/// The table of a map that keys with a domain belong to.
fn table_of(map: &Map<String, Value>) -> Option<&'static str> {
    let is_table = |table: &&str| map.get(*table).is_some_and(|it| it.is_object() || it.is_null());
    ["annotations", "labels"].into_iter().find(is_table)
}

/// Whether a key is a name with its domain: `prometheus.io/scrape`.
fn is_qualified(key: &str) -> bool {
    let Some((domain, name)) = key.split_once('/') else { return false };
    let is_word = |text: &str| {
        let has_letters = text.starts_with(|it: char| it.is_ascii_alphanumeric());
        has_letters && text.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.'))
    };
    domain.contains('.') && is_word(domain) && is_word(name) && domain.ends_with(|it: char| it.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(spec: &Value) -> Vec<String> {
        let mut found = Vec::new();
        look(&json!({"metadata": {"name": "a"}, "spec": spec}), "", &mut found);
        found.into_iter().map(|it| format!("{} {} {}", it.path, it.key, it.table)).collect()
    }

    #[test]
    fn a_key_with_a_domain_beside_its_table_is_told() {
        let pod = json!({"annotations": {"a": "b"}, "labels": {}, "ad.example.com/web.check": "x", "image": "a"});
        assert_eq!(of(&json!({"pod": pod})), ["spec.pod ad.example.com/web.check annotations"]);
        assert_eq!(of(&json!([{"labels": null, "example.com/a": "b"}])), ["spec[0] example.com/a labels"]);
    }

    #[test]
    fn what_stands_below_or_has_no_table_beside_it_is_left_alone() {
        for spec in [
            json!({"annotations": {"example.com/a": "b"}}),
            json!({"pod": {"example.com/a": "b"}}),
            json!({"data": {"annotations": {}, "example.com/a": "b"}}),
            json!({"annotations": {}, "example.com/a": {"b": "c"}}),
            json!({"annotations": {}, "a/b": "c", "example.com/": "d", "/example.com": "e"}),
            json!({"annotations": "none", "example.com/a": "b"}),
        ] {
            assert_eq!(of(&spec), [""; 0], "{spec}");
        }
    }
}
