//! What was given with a delivery that was not given with the one before: the values on top of the chart's own, as the
//! release's records have them. An emergency's `--set migrate.enabled=false` is found there, whoever has delivered it.

use serde::Serialize;
use serde_json::{Map, Value};

/// A value that was given otherwise than with the revision before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GivenValue {
    /// `migrate.enabled`; a dot in a key is `\.`.
    pub path: String,
    /// What has become of it.
    pub given: Given,
    /// What it is now, where it is a switch: any other value could be a credential, and is not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<bool>,
}

/// What has become of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Given {
    /// It was not given before.
    Added,
    /// It was another one.
    Changed,
    /// It is no longer given.
    Removed,
}

impl GivenValue {
    /// In a few words: `migrate.enabled=false`, `image.tag`, `migrate.enabled no longer given`.
    pub fn shown(&self) -> String {
        match (self.given, self.now) {
            (Given::Removed, _) => format!("{} no longer given", self.path),
            (_, Some(now)) => format!("{}={now}", self.path),
            (_, None) => self.path.clone(),
        }
    }
}

/// The values that differ between two revisions, switches first, each by its path; a list is one value.
pub(super) fn between(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<GivenValue> {
    let mut found = Vec::new();
    compare(&mut Vec::new(), before, after, &mut found);
    found.sort_by_key(|value| value.now.is_none());
    found
}

fn compare(at: &mut Vec<String>, before: &Map<String, Value>, after: &Map<String, Value>, found: &mut Vec<GivenValue>) {
    let gone = before.iter().filter(|(key, _)| !after.contains_key(*key)).map(|(key, was)| (key, Some(was), None));
    let here = after.iter().map(|(key, now)| (key, before.get(key), Some(now)));
    for (key, was, now) in here.chain(gone) {
        at.push(key.replace('.', "\\."));
        match (was, now) {
            (Some(Value::Object(was)), Some(Value::Object(now))) => compare(at, was, now, found),
            (Some(was), Some(now)) if was != now => leaves(at, now, Given::Changed, found),
            (None, Some(now)) => leaves(at, now, Given::Added, found),
            (Some(was), None) => leaves(at, was, Given::Removed, found),
            (_, _) => {}
        }
        at.pop();
    }
}

/// A value, or those in it.
fn leaves(at: &mut Vec<String>, value: &Value, given: Given, found: &mut Vec<GivenValue>) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (key, below) in entries {
                at.push(key.replace('.', "\\."));
                leaves(at, below, given, found);
                at.pop();
            }
        }
        _ => {
            let now = value.as_bool().filter(|_| given != Given::Removed);
            found.push(GivenValue { path: at.join("."), given, now });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(before: &Value, after: &Value) -> Vec<String> {
        let map = |value: &Value| value.as_object().cloned().expect("a map");
        between(&map(before), &map(after)).iter().map(GivenValue::shown).collect()
    }

    #[test]
    fn switches_come_first_with_what_they_are_and_no_other_value_is_told() {
        let before = json!({"image": {"tag": "v1"}, "same": 1, "keys": ["a"], "token": "hunter2", "old": {"a": 1}});
        let after = json!({"image": {"tag": "v2"}, "same": 1, "keys": ["b"], "token": "hunter3",
            "migrate": {"enabled": false}});
        assert_eq!(
            shown(&before, &after),
            ["migrate.enabled=false", "image.tag", "keys", "token", "old.a no longer given"]
        );
        assert_eq!(shown(&after, &before).last().map(String::as_str), Some("migrate.enabled no longer given"));
        assert!(!shown(&before, &after).concat().contains("hunter"));
    }

    #[test]
    fn the_same_values_are_no_change_and_a_dot_in_a_key_is_told_as_one() {
        let same = json!({"a": {"b": [1, {"c": true}]}, "empty": {}});
        assert_eq!(shown(&same, &same), [] as [String; 0]);
        assert_eq!(shown(&json!({}), &json!({"a.b": {"c": true}, "none": null})), ["a\\.b.c=true", "none"]);
    }
}
