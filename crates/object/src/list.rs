use serde_json::Value;

/// The objects that a document holds: itself, or the items of a list.
///
/// As clients of Kubernetes take lists apart (cli-runtime: `FlattenListVisitor`): a list is what has `items`, whatever
/// its kind is called; lists in lists come after what stands beside them, and an item without kind and `apiVersion` has
/// those of its list.
#[must_use]
pub fn flattened(document: Value) -> Vec<Value> {
    let mut objects = Vec::new();
    let mut open = vec![document];
    while !open.is_empty() {
        let mut inner = Vec::new();
        for mut value in open {
            match value.get_mut("items").map(Value::take) {
                None => objects.push(value),
                Some(Value::Null) => {}
                Some(Value::Array(items)) => inner.extend(items.into_iter().map(|item| named_after(&value, item))),
                Some(other) => {
                    value["items"] = other;
                    objects.push(value);
                }
            }
        }
        open = inner;
    }
    objects
}

/// An item with the kind that its list's kind tells, where it has none itself.
fn named_after(list: &Value, mut item: Value) -> Value {
    let is_unset = |field: &str| item.get(field).and_then(Value::as_str).unwrap_or_default().is_empty();
    if is_unset("kind")
        && is_unset("apiVersion")
        && let Some(fields) = item.as_object_mut()
    {
        let kind = list["kind"].as_str().unwrap_or_default();
        fields.insert("kind".to_owned(), kind.strip_suffix("List").unwrap_or(kind).into());
        fields.insert("apiVersion".to_owned(), list["apiVersion"].clone());
    }
    item
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_taken_apart_and_lists_in_them_last() {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [
            {"kind": "List", "items": [{"kind": "A"}]},
            {"kind": "B"},
        ]});
        assert_eq!(flattened(list), [json!({"kind": "B"}), json!({"kind": "A"})]);
        assert_eq!(flattened(json!({"kind": "A"})), [json!({"kind": "A"})]);
        assert_eq!(flattened(json!({"kind": "A", "items": null})), Vec::<Value>::new());
        assert_eq!(flattened(json!({"kind": "A", "items": {}})), [json!({"kind": "A", "items": {}})]);
    }

    #[test]
    fn an_item_has_the_kind_of_its_list_where_it_has_none() {
        let list = json!({"apiVersion": "v1", "kind": "ConfigMapList", "items": [{"data": {}}]});
        assert_eq!(flattened(list), [json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {}})]);
    }
}
