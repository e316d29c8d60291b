//! Values that are given and change nothing: a chart that is rendered without one of them prints the same.

use std::borrow::Cow;

use landfall_chart::{Tracing, ValueLayers, values_over, values_to_json};
use landfall_delivery::{RenderedUnit, Unit, UnitSource};
use landfall_object::Object;
use serde_json::Value;

use crate::study::{Conditions, installed};

/// So many values are looked at, and fewer of a chart that prints many objects.
const MOST: usize = 40;
const MOST_OBJECTS: usize = 1000;

/// What switches a part of a chart off.
const SWITCHES: &[&str] = &["enabled", "create", "install", "deploy"];

/// The values of a release that change nothing, as paths. What belongs to a part that is switched off is none of them, nor what
/// is given as the chart has it anyway.
pub(crate) fn idle_values(unit: &Unit, conditions: &Conditions) -> Vec<Vec<String>> {
    let [UnitSource::Chart(source)] = unit.sources.as_slice() else { return Vec::new() };
    let Some(given) = source.values.merge().ok().filter(|_| !source.values.is_empty()) else { return Vec::new() };
    let all = values_to_json(&values_over(&given, &source.chart.values).0);
    let (given, declared) = (values_to_json(&given), values_to_json(&source.chart.values));
    let parts: Vec<&str> = source.chart.declared().flat_map(|it| [&*it.name, &*it.alias]).collect();
    let mut leaves = Vec::new();
    walk(&given, &mut Vec::new(), &mut leaves);
    leaves.retain(|path| {
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        !parts.contains(&steps[0])
            && steps[0] != "global"
            && at(&given, &steps) != at(&declared, &steps)
            && is_on(&all, &steps)
    });
    if leaves.is_empty() {
        return leaves;
    }
    let conditions = &conditions.again_and_again();
    let Some(usual) = rendered(unit, &given, conditions) else { return Vec::new() };
    let objects = usual.all_objects().count().max(1);
    leaves.truncate(MOST.min(MOST_OBJECTS / objects));
    let is_alike = |values: &Value| {
        rendered(unit, values, conditions)
            .is_some_and(|other| other.all_objects().map(without_sums).eq(usual.all_objects().map(without_sums)))
    };
    leaves.retain(|path| {
        let (mut without, mut nothing) = (given.clone(), given.clone());
        let Some(value) = take(&mut without, path) else { return false };
        // What is taken for nothing does not bring the chart's own value back.
        let is_zero = value.as_f64() == Some(0.0) && put(&mut nothing, path, Value::Null);
        is_alike(&without) || (is_zero && is_alike(&nothing))
    });
    leaves
}

/// An object without the checksums in its annotations and its pods': of a value that is read nowhere else they say nothing.
fn without_sums(object: &Object) -> Cow<'_, Value> {
    fn names_sum(value: &Value) -> bool {
        value.as_object().is_some_and(|map| map.keys().any(|key| key.contains("checksum")))
    }
    const PLACES: &[&str] = &["/metadata/annotations", "/spec/template/metadata/annotations"];
    let value = object.value();
    if !PLACES.iter().any(|place| value.pointer(place).is_some_and(names_sum)) {
        return Cow::Borrowed(value);
    }
    let mut value = value.clone();
    for place in PLACES {
        if let Some(annotations) = value.pointer_mut(place).and_then(Value::as_object_mut) {
            annotations.retain(|key, _| !key.contains("checksum"));
        }
    }
    Cow::Owned(value)
}

/// The unit under other values than its own, given as one file, so that their numbers are read alike.
fn rendered(unit: &Unit, values: &Value, conditions: &Conditions) -> Option<RenderedUnit> {
    let mut other = unit.clone();
    for source in &mut other.sources {
        if let UnitSource::Chart(source) = source {
            source.values = ValueLayers::default();
            source.values.file("values", values.to_string());
        }
    }
    installed(&other, conditions, Tracing::Off).ok()
}

fn at<'v>(values: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(values, |here, step| match here {
        Value::Array(items) => items.get(place(step)?),
        here => here.get(*step),
    })
}

/// The place in a list that a step of a path names: `[0]`.
fn place(step: &str) -> Option<usize> {
    step.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

fn table<'v>(values: &'v mut Value, path: &[String]) -> Option<&'v mut serde_json::Map<String, Value>> {
    let here = path.iter().try_fold(values, |here, step| match here {
        Value::Array(items) => items.get_mut(place(step)?),
        here => here.get_mut(step),
    });
    here?.as_object_mut()
}

fn put(values: &mut Value, path: &[String], value: Value) -> bool {
    let Some((key, tables)) = path.split_last() else { return false };
    table(values, tables).is_some_and(|table| table.insert(key.clone(), value).is_some())
}

/// Whether nothing that a path stands in is switched off; an account's name is heard of one that is not made here, too.
fn is_on(values: &Value, path: &[&str]) -> bool {
    let Some((key, tables)) = path.split_last() else { return false };
    (1..=tables.len()).all(|depth| {
        let table = at(values, &tables[..depth]);
        let is_off = |switch: &&&str| *key != **switch && !(*key == "name" && **switch == "create");
        let switches = SWITCHES.iter().filter(is_off);
        switches.into_iter().all(|switch| table.and_then(|it| it.get(*switch)) != Some(&Value::Bool(false)))
    })
}

/// The leaves of what is given; what takes a default away is none.
fn walk(value: &Value, path: &mut Vec<String>, leaves: &mut Vec<Vec<String>>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                path.push(key.clone());
                walk(value, path, leaves);
                path.pop();
            }
        }
        // Of a list of tables the first says what is read of each.
        Value::Array(items) if items.first().is_some_and(Value::is_object) => {
            path.push("[0]".to_owned());
            walk(&items[0], path, leaves);
            path.pop();
        }
        Value::Object(_) | Value::Null => {}
        _ if path.is_empty() => {}
        _ => leaves.push(path.clone()),
    }
}

/// Takes a leaf away; none where it is not there.
fn take(values: &mut Value, path: &[String]) -> Option<Value> {
    let (key, tables) = path.split_last()?;
    table(values, tables)?.remove(key)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_belongs_to_a_part_that_is_off_is_not_looked_at() {
        let values =
            json!({"ingress": {"enabled": false, "hosts": []}, "web": {"port": 1}, "account": {"create": false}});
        assert!(!is_on(&values, &["ingress", "hosts"]) && !is_on(&values, &["ingress", "tls", "x"]));
        assert!(is_on(&values, &["ingress", "enabled"]) && is_on(&values, &["web", "port"]));
        assert!(is_on(&values, &["account", "name"]) && !is_on(&values, &["account", "annotations"]));
    }

    #[test]
    fn leaves_are_taken_away_one_by_one() {
        let mut values = json!({"a": {"b": 1, "c": null, "d": {}}, "e": [1], "f": [{"g": 2}, {"h": 3}]});
        let mut leaves = Vec::new();
        walk(&values, &mut Vec::new(), &mut leaves);
        assert_eq!(leaves.iter().map(|it| it.join(".")).collect::<Vec<_>>(), ["a.b", "e", "f.[0].g"]);
        assert_eq!(take(&mut values, &leaves[0]), Some(json!(1)));
        assert_eq!(take(&mut values, &leaves[0]), None);
        assert_eq!(take(&mut values, &leaves[2]), Some(json!(2)));
        assert!(put(&mut values, &leaves[1], Value::Null) && !put(&mut values, &leaves[0], Value::Null));
        assert_eq!(values, json!({"a": {"b": null, "c": null, "d": {}}, "e": null, "f": [{}, {"h": 3}]}));
    }
}
