//! Strategic merge: lists of maps merge by key, directives replace, delete, retain and order.
//!
//! Follows `k8s.io/apimachinery/pkg/util/strategicpatch/patch.go`, down to the order of list items, because clients
//! see it. Patches are made by [`two_way`] and [`three_way`] and taken by [`apply`].

mod diff;
mod go_sort;
mod order;

use serde_json::{Map, Value};

pub use diff::{three_way, two_way};

use crate::go_print::go_print;
use crate::schema::Node;
use order::{key_equal, normalize, partition};

pub(crate) const DIRECTIVE: &str = "$patch";
pub(crate) const RETAIN_KEYS: &str = "$retainKeys";
pub(crate) const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList";
pub(crate) const SET_ORDER: &str = "$setElementOrder";

/// Why a strategic merge patch could not be made or applied; the words are apimachinery's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrategicError {
    /// A field is not in the schema.
    #[error("unable to find api field in struct {kind} for the json field {field:?}")]
    UnknownField {
        /// The type's short name.
        kind: String,
        /// The field.
        field: String,
    },
    /// An item of a merged list has no key.
    #[error("map: {item} does not contain declared merge key: {key}")]
    NoMergeKey {
        /// The item.
        item: String,
        /// The key it lacks.
        key: String,
    },
    /// A directive that is none.
    #[error("unknown patch type: {directive} in map: {map}")]
    UnknownDirective {
        /// The directive.
        directive: String,
        /// The map it stands in, as Go prints it.
        map: String,
    },
    /// A directive or a value has a wrong form.
    #[error("{0}")]
    Malformed(String),
}

pub(crate) type Fields = Map<String, Value>;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mode {
    /// The patch is applied to an object: parallel lists act, unmatched nulls vanish.
    Apply,
    /// Two patches become one: directives are kept.
    Combine,
}

/// Applies a patch.
pub fn apply(original: &Fields, patch: &Fields, schema: Node<'_>) -> Result<Fields, StrategicError> {
    merge_map(original.clone(), patch.clone(), schema, Mode::Apply)
}

/// The schema of a field that holds a map or list; unknown fields are an error, as in the peer.
pub(crate) fn lookup<'a>(schema: Node<'a>, key: &str) -> Result<Node<'a>, StrategicError> {
    schema.field(key).ok_or_else(|| StrategicError::UnknownField {
        kind: schema.definition().and_then(|name| name.rsplit('.').next()).unwrap_or_default().to_owned(),
        field: key.to_owned(),
    })
}

fn malformed(text: impl Into<String>) -> StrategicError {
    StrategicError::Malformed(text.into())
}

fn as_list(value: Value) -> Result<Vec<Value>, StrategicError> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(malformed(format!("expected a list, but received {}", crate::object::json_type(&other)))),
    }
}

pub(crate) fn merge_map(
    mut original: Fields,
    mut patch: Fields,
    schema: Node<'_>,
    mode: Mode,
) -> Result<Fields, StrategicError> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => {
                patch.remove(DIRECTIVE);
                Ok(patch)
            }
            Some("delete") => Ok(Fields::new()),
            _ => Err(StrategicError::UnknownDirective {
                directive: go_print(directive),
                map: go_print(&Value::Object(patch.clone())),
            }),
        };
    }
    retain_keys(&mut original, &mut patch, mode)?;
    ordered_lists(&mut original, &mut patch, schema, mode)?;
    for (key, value) in patch {
        let mut key = key;
        let mut deletes = false;
        if key.starts_with(DELETE_FROM_LIST) {
            if mode == Mode::Combine {
                original.insert(key, value);
                continue;
            }
            deletes = true;
            key = parallel_key(&key, DELETE_FROM_LIST)?;
        }
        if value.is_null() {
            original.remove(&key);
            if mode == Mode::Apply {
                continue;
            }
        }
        let existing = original.remove(&key);
        let same_type = existing.as_ref().is_some_and(|existing| same_type(existing, &value));
        let Some(existing) = existing.filter(|_| same_type || deletes) else {
            if !deletes {
                insert_new(&mut original, key, value, mode);
            }
            continue;
        };
        if !same_type {
            original.insert(key, existing);
            continue;
        }
        match (existing, value) {
            (Value::Object(before), Value::Object(after)) => {
                let node = lookup(schema, &key)?;
                let merged = if node.patch_replaces() { after } else { merge_map(before, after, node, mode)? };
                original.insert(key, Value::Object(merged));
            }
            (Value::Array(before), Value::Array(after)) => {
                let node = lookup(schema, &key)?;
                original.insert(key, Value::Array(merge_field_list(before, after, node, deletes, mode)?));
            }
            (_, value) => {
                original.insert(key, value);
            }
        }
    }
    Ok(original)
}

fn insert_new(original: &mut Fields, key: String, mut value: Value, mode: Mode) {
    if mode == Mode::Apply {
        discard_nulls(&mut value);
    }
    if let Some(value) = without_directives(value) {
        original.insert(key, value);
    }
}

fn same_type(left: &Value, right: &Value) -> bool {
    std::mem::discriminant(left) == std::mem::discriminant(right)
}

fn parallel_key(key: &str, prefix: &str) -> Result<String, StrategicError> {
    match key.split_once('/') {
        Some((found, rest)) if found == prefix => Ok(rest.to_owned()),
        _ if prefix == DELETE_FROM_LIST => Err(malformed("invalid patch format of primitive list")),
        _ => Err(malformed("invalid patch format of setElementOrder list")),
    }
}

fn retain_keys(original: &mut Fields, patch: &mut Fields, mode: Mode) -> Result<(), StrategicError> {
    let Some(retained) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    if mode == Mode::Combine {
        match original.get(RETAIN_KEYS) {
            Some(known) if *known != retained => {
                return Err(malformed(format!(
                    "{known} and {retained} are not deep equal: this may happen when calculating the 3-way diff patch"
                )));
            }
            _ => {
                original.insert(RETAIN_KEYS.to_owned(), retained);
            }
        }
        return Ok(());
    }
    let wrong = || malformed("invalid patch format of retainKeys");
    let retained: Vec<&str> = retained
        .as_array()
        .ok_or_else(wrong)?
        .iter()
        .map(|key| key.as_str().ok_or_else(wrong))
        .collect::<Result<_, _>>()?;
    let parallel = |key: &str| key.starts_with(DELETE_FROM_LIST) || key.starts_with(SET_ORDER);
    if patch.iter().any(|(key, value)| !value.is_null() && !parallel(key) && !retained.contains(&key.as_str())) {
        return Err(wrong());
    }
    original.retain(|key, _| retained.contains(&key.as_str()));
    Ok(())
}

/// Carries out every `$setElementOrder/…` together with the list it orders.
fn ordered_lists(
    original: &mut Fields,
    patch: &mut Fields,
    schema: Node<'_>,
    mode: Mode,
) -> Result<(), StrategicError> {
    let orders: Vec<String> = patch.keys().filter(|key| key.starts_with(SET_ORDER)).cloned().collect();
    for order_key in orders {
        let Some(order) = patch.remove(&order_key) else { continue };
        if mode == Mode::Combine {
            match original.get(&order_key) {
                Some(known) if *known != order => {
                    return Err(malformed("invalid patch format of setElementOrder list"));
                }
                _ => {
                    original.insert(order_key.clone(), order.clone());
                }
            }
        }
        let order = as_list(order)?;
        let key = parallel_key(&order_key, SET_ORDER)?;
        let before = original.get(&key).cloned().map(as_list).transpose()?;
        let after = patch.get(&key).cloned().map(as_list).transpose()?;
        let node = lookup(schema, &key)?;
        let merge_key = node.patch_strategy().merge_key;
        check_order(after.as_deref().unwrap_or_default(), &order, merge_key)?;
        let merged = match (&before, &after) {
            (Some(before), None) => before.clone(),
            (None, Some(after)) => match without_directives(Value::Array(after.clone())) {
                Some(Value::Array(items)) => items,
                _ => continue,
            },
            (Some(before), Some(after)) => merge_field_list(before.clone(), after.clone(), node, false, mode)?,
            (None, None) => continue,
        };
        let before = before.unwrap_or_default();
        element_kind(&[&before, after.as_deref().unwrap_or_default()])?;
        let (patched, server_only) = partition(merged, &order, merge_key)?;
        let both = normalize(patched, server_only, &order, &before, merge_key)?;
        original.insert(key.clone(), Value::Array(both));
        patch.remove(&key);
    }
    Ok(())
}

/// The patch's items must stand in the order that the directive gives.
fn check_order(items: &[Value], order: &[Value], merge_key: Option<&str>) -> Result<(), StrategicError> {
    if items.is_empty() || order.is_empty() {
        return Ok(());
    }
    let mut wanted = items.iter().filter(|item| item.get(DIRECTIVE).is_none()).peekable();
    for place in order {
        let Some(item) = wanted.peek() else { break };
        if key_equal(item, place, merge_key)? {
            wanted.next();
        }
    }
    match wanted.next() {
        None => Ok(()),
        Some(_) => Err(malformed(format!(
            "The order in patch list:\n{}\n doesn't match {SET_ORDER} list:\n{}\n",
            Value::from(items.to_vec()),
            Value::from(order.to_vec())
        ))),
    }
}

fn merge_field_list(
    before: Vec<Value>,
    after: Vec<Value>,
    node: Node<'_>,
    deletes: bool,
    mode: Mode,
) -> Result<Vec<Value>, StrategicError> {
    let strategy = node.patch_strategy();
    if !strategy.merge && !deletes {
        return Ok(after);
    }
    merge_list(before, after, node, strategy.merge_key, deletes, mode)
}

fn merge_list(
    before: Vec<Value>,
    after: Vec<Value>,
    node: Node<'_>,
    merge_key: Option<&str>,
    deletes: bool,
    mode: Mode,
) -> Result<Vec<Value>, StrategicError> {
    if before.is_empty() && after.is_empty() {
        return Ok(before);
    }
    if element_kind(&[&before, &after])? != Element::Map {
        if deletes && mode == Mode::Apply {
            return Ok(before.into_iter().filter(|item| !after.contains(item)).collect());
        }
        let mut both = before.clone();
        both.extend(after.iter().cloned());
        let merged = order::deduplicated(both);
        let (patched, server_only) = partition(merged, &after, merge_key)?;
        return normalize(patched, server_only, &after, &before, merge_key);
    }
    let item_schema = node.item();
    let Some(merge_key) = merge_key else {
        let kind = item_schema.definition().unwrap_or_default();
        return Err(malformed(format!("cannot merge lists without merge key for {kind}")));
    };
    let (mut merged, after) = special_elements(before, after, merge_key)?;
    let server = merged.len();
    for item in &after {
        let key = item.get(merge_key).ok_or_else(|| no_merge_key(item, merge_key))?;
        match merged.iter().position(|known| known.get(merge_key) == Some(key)) {
            Some(at) => {
                let (Value::Object(known), Value::Object(item)) = (merged[at].take(), item.clone()) else {
                    return Err(malformed("list element types are not identical"));
                };
                merged[at] = Value::Object(merge_map(known, item, item_schema, mode)?);
            }
            None => merged.push(item.clone()),
        }
    }
    let server_order = merged[..server].to_vec();
    let (patched, server_only) = partition(merged, &after, Some(merge_key))?;
    normalize(patched, server_only, &after, &server_order, Some(merge_key))
}

/// Takes `$patch: delete` and `$patch: replace` items out of the patch and acts on them.
fn special_elements(
    before: Vec<Value>,
    after: Vec<Value>,
    merge_key: &str,
) -> Result<(Vec<Value>, Vec<Value>), StrategicError> {
    let (mut before, mut plain, mut replace) = (before, Vec::new(), false);
    for item in after {
        match item.get(DIRECTIVE).map(Value::as_str) {
            None => plain.push(item),
            Some(Some("delete")) => {
                let key = item.get(merge_key).ok_or_else(|| no_merge_key(&item, merge_key))?;
                before.retain(|known| known.get(merge_key) != Some(key));
            }
            Some(Some("replace")) => replace = true,
            Some(Some("merge")) => return Err(malformed("merging lists cannot yet be specified in the patch")),
            Some(_) => return Err(malformed(format!("unknown patch type in list item {item}"))),
        }
    }
    // A list that is replaced starts from nothing; its own items are its result.
    if replace { Ok((plain, Vec::new())) } else { Ok((before, plain)) }
}

pub(crate) fn no_merge_key(item: &Value, key: &str) -> StrategicError {
    StrategicError::NoMergeKey { item: go_print(item), key: key.to_owned() }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Element {
    Map,
    Scalar,
}

/// What the lists hold; they must not be mixed, and hold something.
pub(crate) fn element_kind(lists: &[&[Value]]) -> Result<Element, StrategicError> {
    let mut items = lists.iter().flat_map(|list| list.iter());
    let first = items.next().ok_or_else(|| malformed("no elements in any of the given slices"))?;
    if first.is_array() {
        return Err(malformed("lists of lists are not supported"));
    }
    if items.any(|item| !same_type(first, item)) {
        return Err(malformed("list element types are not identical"));
    }
    Ok(if first.is_object() { Element::Map } else { Element::Scalar })
}

/// Takes out all fields that are null, at any depth; a null in a list stays.
pub fn discard_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(discard_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(discard_nulls),
        _ => {}
    }
}

/// The value without what carries a `$patch` directive; `None` when that is the value itself.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => None,
        Value::Object(map) => Some(Value::Object(
            map.into_iter().filter_map(|(key, value)| Some((key, without_directives(value)?))).collect(),
        )),
        Value::Array(items) => Some(Value::Array(items.into_iter().filter_map(without_directives).collect())),
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Gvk;
    use crate::schema::Schemas;

    fn run(original: Value, patch: Value) -> Result<Value, String> {
        let schemas = Schemas::builtin();
        let node = schemas.kind(&Gvk::new("apps", "v1", "Deployment")).expect("built in");
        let map = |value: &Value| value.as_object().cloned().unwrap_or_default();
        apply(&map(&original), &map(&patch), node).map(Value::Object).map_err(|error| error.to_string())
    }

    fn containers(items: Value) -> Value {
        json!({"spec": {"template": {"spec": {"containers": items}}}})
    }

    #[test]
    fn new_items_come_before_existing_ones_without_an_order() {
        let original = containers(json!([{"name": "c", "env": [{"name": "X", "value": "1"}]}]));
        let patch = containers(json!([{"name": "c", "env": [{"name": "Y", "value": "2"}]}]));
        let expected =
            containers(json!([{"name": "c", "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}]}]));
        assert_eq!(run(original, patch), Ok(expected));
    }

    #[test]
    fn directives_delete_replace_retain_and_order() {
        let original = containers(json!([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]));
        let delete = containers(json!([{"name": "a", "$patch": "delete"}]));
        assert_eq!(run(original.clone(), delete), Ok(containers(json!([{"name": "b", "image": "1"}]))));
        let replace = containers(json!([{"$patch": "replace"}, {"name": "z"}]));
        assert_eq!(run(original.clone(), replace), Ok(containers(json!([{"name": "z"}]))));
        let ordered = json!({"spec": {"template": {"spec": {
            "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "b", "image": "2"}]}}}});
        assert_eq!(
            run(original, ordered),
            Ok(containers(json!([{"name": "b", "image": "2"}, {"name": "a", "image": "1"}])))
        );
        let strategy = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
        let recreate = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});
        assert_eq!(run(strategy, recreate), Ok(json!({"spec": {"strategy": {"type": "Recreate"}}})));
    }

    #[test]
    fn primitive_lists_lose_what_the_parallel_list_names() {
        let original = json!({"metadata": {"finalizers": ["a", "b", "c"]}});
        let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["b"], "finalizers": ["d"]}});
        assert_eq!(run(original, patch), Ok(json!({"metadata": {"finalizers": ["d", "a", "c"]}})));
    }

    #[test]
    fn an_item_without_its_key_is_refused() {
        let error = run(containers(json!([{"name": "a"}])), containers(json!([{"image": "x"}]))).expect_err("no name");
        assert_eq!(error, r#"map: map[image:x] does not contain declared merge key: name"#);
    }
}
