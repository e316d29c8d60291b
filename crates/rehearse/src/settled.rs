//! Fields that are drawn once and stay: what two renderings over a delivered state have alike counts as alike.

use landfall_object::Object;
use landfall_rules::decoded::as_stored;
use serde_json::Value;

type Fields = serde_json::Map<String, Value>;

/// Takes over into `again` what `first` has wherever the two renderings over what `first` delivered, `one` and `other`,
/// are the same; says whether anything was.
pub(crate) fn settle(first: &Object, again: &mut Object, one: &Object, other: &Object) -> bool {
    let mut settled = false;
    // Written as text and read back in base64.
    if let Some(Value::Object(written)) = first.at("/stringData") {
        let stored = [one, other].map(|object| as_stored(object.clone()));
        let [one, other] = stored.each_ref().map(|object| object.at("/data"));
        for (key, value) in written {
            let of = |data: Option<&Value>| data.and_then(|data| data.get(key)).cloned();
            let Some(slot) = again.at_mut("/stringData").and_then(|data| data.get_mut(key)) else { continue };
            if of(one).is_some() && of(one) == of(other) && slot != value {
                *slot = value.clone();
                settled = true;
            }
        }
    }
    let maps = (first.value().as_object(), one.value().as_object(), other.value().as_object());
    let (Some(first), Some(one), Some(other)) = maps else { return settled };
    fields(first, again.map_mut(), one, other) || settled
}

fn fields(first: &Fields, again: &mut Fields, one: &Fields, other: &Fields) -> bool {
    let mut settled = false;
    for (key, value) in first {
        if let (Some(again), Some(one), Some(other)) = (again.get_mut(key), one.get(key), other.get(key)) {
            settled |= leaves(value, again, one, other);
        }
    }
    settled
}

fn leaves(first: &Value, again: &mut Value, one: &Value, other: &Value) -> bool {
    if first == again {
        return false;
    }
    match (first, again, one, other) {
        (Value::Object(first), Value::Object(again), Value::Object(one), Value::Object(other)) => {
            fields(first, again, one, other)
        }
        (Value::Array(first), Value::Array(again), Value::Array(one), Value::Array(other))
            if [again.len(), one.len(), other.len()] == [first.len(); 3] =>
        {
            let pairs = first.iter().zip(again).zip(one.iter().zip(other));
            pairs.fold(false, |settled, ((first, again), (one, other))| leaves(first, again, one, other) || settled)
        }
        (first, again, one, other) if one == other => {
            again.clone_from(first);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(field: &str, kept: &str, drawn: &str) -> Object {
        let value = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, field: {"kept": kept, "drawn": drawn}});
        Object::from_value(value).expect("an object")
    }

    #[test]
    fn a_key_that_is_read_back_settles_and_the_one_beside_it_does_not() {
        let mut again = secret("data", "cQ==", "cg==");
        let (one, other) = (secret("data", "YQ==", "ZA=="), secret("data", "YQ==", "ZQ=="));
        assert!(settle(&secret("data", "YQ==", "Yg=="), &mut again, &one, &other));
        assert_eq!(again, secret("data", "YQ==", "cg=="));
        assert!(!settle(&secret("data", "YQ==", "Yg=="), &mut again, &one, &other));
    }

    #[test]
    fn what_is_written_as_text_settles_by_what_is_stored() {
        let mut again = secret("stringData", "q", "r");
        let (one, other) = (secret("data", "YQ==", "ZA=="), secret("data", "YQ==", "ZQ=="));
        assert!(settle(&secret("stringData", "a", "b"), &mut again, &one, &other));
        assert_eq!(again, secret("stringData", "a", "r"));
    }
}
