//! Making strategic merge patches: two-way, and three-way as `kubectl apply` and Helm 3 do.

use serde_json::{Map, Value};

use super::go_sort;
use super::order::{key_equal, sorted};
use super::{
    DELETE_FROM_LIST, DIRECTIVE, Element, Fields, Mode, RETAIN_KEYS, SET_ORDER, StrategicError, element_kind, lookup,
    merge_map, no_merge_key,
};
use crate::schema::Node;

#[derive(Clone, Copy)]
struct Options {
    ignore_deletions: bool,
    ignore_changes: bool,
    retain_keys: bool,
}

/// The patch that turns `original` into `modified`; an empty map when they are equal.
pub fn two_way(original: &Fields, modified: &Fields, schema: Node<'_>) -> Result<Fields, StrategicError> {
    let options = Options { ignore_deletions: false, ignore_changes: false, retain_keys: false };
    diff_maps(original, modified, schema, options)
}

/// What to send so that `current` follows a change from `original` to `modified`, overwriting what others changed.
///
/// Changes and additions are taken against `current`, deletions against `original`, so that fields others added stay.
pub fn three_way(
    original: &Fields,
    modified: &Fields,
    current: &Fields,
    schema: Node<'_>,
) -> Result<Fields, StrategicError> {
    let changes = Options { ignore_deletions: true, ignore_changes: false, retain_keys: false };
    let deletions = Options { ignore_deletions: false, ignore_changes: true, retain_keys: false };
    let delta = diff_maps(current, modified, schema, changes)?;
    let deletions = diff_maps(original, modified, schema, deletions)?;
    merge_map(deletions, delta, schema, Mode::Combine)
}

fn diff_maps(
    original: &Fields,
    modified: &Fields,
    schema: Node<'_>,
    options: Options,
) -> Result<Fields, StrategicError> {
    let mut patch = Map::new();
    let inner = Options { retain_keys: false, ..options };
    for (key, after) in modified {
        let Some(before) = original.get(key) else {
            if !options.ignore_changes {
                patch.insert(key.clone(), after.clone());
            }
            continue;
        };
        if key == DIRECTIVE {
            if before != after {
                patch.insert(key.clone(), after.clone());
            }
            continue;
        }
        match (before, after) {
            (Value::Object(before), Value::Object(after)) => map_field(key, before, after, &mut patch, schema, inner)?,
            (Value::Array(before), Value::Array(after)) => list_field(key, before, after, &mut patch, schema, inner)?,
            _ if !options.ignore_changes && before != after => {
                patch.insert(key.clone(), after.clone());
            }
            _ => {}
        }
    }
    if !options.ignore_deletions {
        for key in original.keys().filter(|key| !modified.contains_key(*key)) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    if options.retain_keys {
        let retained: Vec<Value> =
            modified.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| Value::String(key.clone())).collect();
        let removes = original.iter().any(|(key, value)| !value.is_null() && !modified.contains_key(key));
        if !retained.is_empty() && (!patch.is_empty() || removes) {
            patch.insert(RETAIN_KEYS.to_owned(), Value::Array(retained));
        }
    }
    Ok(patch)
}

fn map_field(
    key: &str,
    before: &Fields,
    after: &Fields,
    patch: &mut Fields,
    schema: Node<'_>,
    options: Options,
) -> Result<(), StrategicError> {
    let node = match lookup(schema, key) {
        Ok(node) => node,
        Err(_) if before == after => return Ok(()),
        Err(error) => return Err(error),
    };
    if node.patch_replaces() {
        if !options.ignore_changes {
            patch.insert(key.to_owned(), Value::Object(after.clone()));
        }
        return Ok(());
    }
    let options = Options { retain_keys: node.patch_strategy().retain_keys, ..options };
    let inner = diff_maps(before, after, node, options)?;
    if !inner.is_empty() {
        patch.insert(key.to_owned(), Value::Object(inner));
    }
    Ok(())
}

fn list_field(
    key: &str,
    before: &[Value],
    after: &[Value],
    patch: &mut Fields,
    schema: Node<'_>,
    options: Options,
) -> Result<(), StrategicError> {
    let node = match lookup(schema, key) {
        Ok(node) => node,
        Err(_) if before == after => return Ok(()),
        Err(error) => return Err(error),
    };
    let strategy = node.patch_strategy();
    if !strategy.merge {
        if !options.ignore_changes && before != after {
            patch.insert(key.to_owned(), Value::Array(after.to_vec()));
        }
        return Ok(());
    }
    let options = Options { retain_keys: strategy.retain_keys, ..options };
    let lists = diff_lists(before, after, node.item(), strategy.merge_key, options)?;
    for (list, key) in [
        (lists.items, key.to_owned()),
        (lists.deleted, format!("{DELETE_FROM_LIST}/{key}")),
        (lists.order, format!("{SET_ORDER}/{key}")),
    ] {
        if !list.is_empty() {
            patch.insert(key, Value::Array(list));
        }
    }
    Ok(())
}

#[derive(Default)]
struct Lists {
    items: Vec<Value>,
    deleted: Vec<Value>,
    order: Vec<Value>,
}

fn diff_lists(
    before: &[Value],
    after: &[Value],
    schema: Node<'_>,
    merge_key: Option<&str>,
    options: Options,
) -> Result<Lists, StrategicError> {
    if before.is_empty() {
        let items = if options.ignore_changes { Vec::new() } else { after.to_vec() };
        return Ok(Lists { items, ..Lists::default() });
    }
    let kind = element_kind(&[before, after])?;
    let Some(key) = merge_key.filter(|_| kind == Element::Map) else {
        let (items, deleted) = diff_scalars(before, after, options);
        let items = sorted(items, after, None)?;
        let reorders = !options.ignore_deletions && !deleted.is_empty() || !options.ignore_changes && before != after;
        let order = if reorders { after.to_vec() } else { Vec::new() };
        return Ok(Lists { items, deleted, order });
    };
    let (items, deleted) = diff_items(before, after, schema, key, options)?;
    let mut items = sorted(items, after, Some(key))?;
    let mut same_order = before.len() == after.len();
    for (before, after) in before.iter().zip(after) {
        same_order = same_order && key_equal(before, after, Some(key))?;
    }
    items.extend(deleted);
    let reorders =
        !options.ignore_changes && (!items.is_empty() || !same_order) || !options.ignore_deletions && !items.is_empty();
    let order = if reorders {
        after.iter().map(|item| keyed(key, item.get(key).cloned().unwrap_or(Value::Null))).collect()
    } else {
        Vec::new()
    };
    Ok(Lists { items, deleted: Vec::new(), order })
}

fn keyed(key: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(key.to_owned(), value)]))
}

/// How Go prints a scalar with `%v`: what lists are sorted by.
fn printed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

fn diff_scalars(before: &[Value], after: &[Value], options: Options) -> (Vec<Value>, Vec<Value>) {
    let by_text = |list: &[Value]| {
        let mut list: Vec<(String, Value)> = list.iter().map(|value| (printed(value), value.clone())).collect();
        list.sort_by(|a, b| a.0.cmp(&b.0));
        list.into_iter().peekable()
    };
    let (mut before, mut after) = (by_text(before), by_text(after));
    let (mut added, mut deleted) = (Vec::new(), Vec::new());
    loop {
        let ordering = match (before.peek(), after.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(before), Some(after)) => before.0.cmp(&after.0),
        };
        let (old, new) = match ordering {
            std::cmp::Ordering::Less => (before.next(), None),
            std::cmp::Ordering::Greater => (None, after.next()),
            std::cmp::Ordering::Equal => {
                before.next();
                after.next();
                (None, None)
            }
        };
        deleted.extend(old.filter(|_| !options.ignore_deletions).map(|(_, value)| value));
        added.extend(new.filter(|_| !options.ignore_changes).map(|(_, value)| value));
    }
    deleted.dedup();
    (added, deleted)
}

fn diff_items(
    before: &[Value],
    after: &[Value],
    schema: Node<'_>,
    key: &str,
    options: Options,
) -> Result<(Vec<Value>, Vec<Value>), StrategicError> {
    let by_key = |list: &[Value]| -> Result<Vec<(String, Value)>, StrategicError> {
        let mut keyed = Vec::with_capacity(list.len());
        for item in list {
            keyed.push((printed(item.get(key).ok_or_else(|| no_merge_key(item, key))?), item.clone()));
        }
        // The peer's comparison; of entries with one key it is the swaps that decide.
        go_sort::sort(&mut keyed, |a, b| a.0 <= b.0);
        Ok(keyed)
    };
    let (mut before, mut after) = (by_key(before)?.into_iter().peekable(), by_key(after)?.into_iter().peekable());
    let (mut patch, mut deleted) = (Vec::new(), Vec::new());
    loop {
        let ordering = match (before.peek(), after.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(before), Some(after)) => before.0.cmp(&after.0),
        };
        match ordering {
            std::cmp::Ordering::Equal => {
                if let (Some((_, Value::Object(old))), Some((_, Value::Object(new)))) = (before.next(), after.next()) {
                    let mut inner = diff_maps(&old, &new, schema, options)?;
                    if !inner.is_empty() {
                        inner.insert(key.to_owned(), new.get(key).cloned().unwrap_or(Value::Null));
                        patch.push(Value::Object(inner));
                    }
                }
            }
            std::cmp::Ordering::Greater => {
                patch.extend(after.next().filter(|_| !options.ignore_changes).map(|(_, item)| item));
            }
            std::cmp::Ordering::Less => {
                if let Some((_, item)) = before.next().filter(|_| !options.ignore_deletions) {
                    let mut directive = keyed(key, item.get(key).cloned().unwrap_or(Value::Null));
                    directive[DIRECTIVE] = "delete".into();
                    deleted.push(directive);
                }
            }
        }
    }
    Ok((patch, deleted))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Gvk;
    use crate::schema::Schemas;

    fn map(value: Value) -> Fields {
        value.as_object().cloned().unwrap_or_default()
    }

    fn pod(containers: Value) -> Fields {
        map(json!({"spec": {"containers": containers}}))
    }

    #[test]
    fn a_two_way_patch_applied_gives_the_modified_object() {
        let schemas = Schemas::builtin();
        let node = schemas.kind(&Gvk::new("", "v1", "Pod")).expect("built in");
        let lists = [
            json!([]),
            json!([{"name": "a", "image": "1"}]),
            json!([{"name": "a", "image": "2", "args": ["x"]}, {"name": "b"}]),
            json!([{"name": "b", "env": [{"name": "E", "value": "1"}]}, {"name": "a", "image": "1"}]),
            json!([{"name": "c"}, {"name": "b", "env": [{"name": "F", "value": "1"}, {"name": "E", "value": "2"}]}]),
        ];
        for from in &lists {
            for to in &lists {
                let (from, to) = (pod(from.clone()), pod(to.clone()));
                let patch = two_way(&from, &to, node).expect("diffs");
                let result = super::super::apply(&from, &patch, node).expect("applies");
                assert_eq!(result, to, "{patch:?}");
                assert_eq!(patch.is_empty(), from == to);
            }
        }
    }

    #[test]
    fn three_way_keeps_items_others_added() {
        let schemas = Schemas::builtin();
        let node = schemas.kind(&Gvk::new("", "v1", "Pod")).expect("built in");
        let original = pod(json!([{"name": "a", "image": "1", "tty": true}, {"name": "gone"}]));
        let modified = pod(json!([{"name": "a", "image": "2"}]));
        let current = pod(json!([{"name": "a", "image": "1", "tty": true}, {"name": "gone"}, {"name": "sidecar"}]));
        let patch = three_way(&original, &modified, &current, node).expect("diffs");
        let result = super::super::apply(&current, &patch, node).expect("applies");
        assert_eq!(result, pod(json!([{"name": "a", "image": "2"}, {"name": "sidecar"}])));
    }
}
