//! Label selectors, as `metav1.LabelSelector` and as the plain maps of services.

use serde_json::{Map, Value};

use super::fields::{list, map, text};

/// Whether the labels of `object` match a `metav1.LabelSelector`; an absent selector matches nothing, an empty one all.
pub(crate) fn matches(selector: Option<&Value>, object: &Value) -> bool {
    let Some(selector) = selector.filter(|s| s.is_object()) else { return false };
    labels_match(selector, map(object, "/metadata/labels"))
}

/// Whether a label set matches a `metav1.LabelSelector`.
pub(crate) fn labels_match(selector: &Value, labels: Option<&Map<String, Value>>) -> bool {
    let get = |key: &str| labels.and_then(|l| l.get(key)).and_then(Value::as_str);
    let wanted = map(selector, "/matchLabels").into_iter().flatten();
    wanted.into_iter().all(|(k, v)| get(k) == v.as_str())
        && list(selector, "/matchExpressions").iter().all(|e| expression_matches(e, get(text(e, "/key"))))
}

/// Whether a label value satisfies one requirement; also the operators of node selectors.
pub(crate) fn expression_matches(requirement: &Value, value: Option<&str>) -> bool {
    let values = || list(requirement, "/values").iter().filter_map(Value::as_str);
    let compare = |wanted: fn(i64, i64) -> bool| {
        let number = |s: &str| s.parse::<i64>().ok();
        match (value.and_then(number), values().next().and_then(number)) {
            (Some(have), Some(bound)) => wanted(have, bound),
            _ => false,
        }
    };
    match text(requirement, "/operator") {
        "In" => value.is_some_and(|v| values().any(|w| w == v)),
        "NotIn" => value.is_none_or(|v| values().all(|w| w != v)),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compare(|have, bound| have > bound),
        "Lt" => compare(|have, bound| have < bound),
        _ => false,
    }
}

/// Whether the labels of `object` contain all pairs of a service's selector; an empty selector matches nothing.
pub(crate) fn map_matches(selector: Option<&Map<String, Value>>, object: &Value) -> bool {
    let Some(selector) = selector.filter(|s| !s.is_empty()) else { return false };
    let labels = map(object, "/metadata/labels");
    selector.iter().all(|(k, v)| labels.and_then(|l| l.get(k)) == Some(v))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expressions_follow_the_four_operators() {
        let object = json!({"metadata": {"labels": {"tier": "web", "n": "3"}}});
        let check = |e: Value| matches(Some(&json!({"matchExpressions": [e]})), &object);
        assert!(check(json!({"key": "tier", "operator": "In", "values": ["web", "api"]})));
        assert!(!check(json!({"key": "tier", "operator": "NotIn", "values": ["web"]})));
        assert!(check(json!({"key": "other", "operator": "NotIn", "values": ["web"]})));
        assert!(check(json!({"key": "tier", "operator": "Exists"})));
        assert!(check(json!({"key": "zone", "operator": "DoesNotExist"})));
        assert!(check(json!({"key": "n", "operator": "Gt", "values": ["2"]})));
    }

    #[test]
    fn an_absent_selector_matches_nothing_and_an_empty_one_all() {
        let object = json!({"metadata": {"labels": {"a": "b"}}});
        assert!(!matches(None, &object));
        assert!(matches(Some(&json!({})), &object));
        assert!(!map_matches(Some(&Map::new()), &object));
    }
}
