//! Where in an object that is which its kind cannot read: the decoder says it without the numbers of lists and the keys of maps.

use landfall_object::Quantity;
use serde_json::Value;

/// The field of an object that a decoder's words are about.
pub(super) fn field(object: &Value, words: &str) -> Option<String> {
    if let Some((wrong, rest)) =
        words.split_once("json: cannot unmarshal ").and_then(|(_, rest)| rest.split_once(" into Go struct field "))
    {
        // `EnvVar.spec.template.spec.containers.env.value of type string`: the type's name comes first.
        let (_, path) = rest.split(" of type ").next()?.split_once('.')?;
        let steps: Vec<&str> = path.split('.').collect();
        let is_wrong = |value: &Value| kind_of(value) == wrong.split_whitespace().next().unwrap_or_default();
        // Of a kind's own top the name is the kind's, and of a map's entry the key is not told.
        return find(object, &steps, String::new(), &is_wrong);
    }
    if words.contains("quantities must match") || words.contains("unable to parse quantity") {
        return resources(object, String::new());
    }
    if words.contains("illegal base64 data") {
        let data = object.get("data")?.as_object()?;
        return data
            .iter()
            .find(|(_, value)| !value.as_str().is_some_and(is_base64))
            .map(|(key, _)| entry("data", key));
    }
    None
}

/// A value of a type along a path, through lists, and into the map at its end.
fn find(value: &Value, steps: &[&str], path: String, is_wrong: &dyn Fn(&Value) -> bool) -> Option<String> {
    if let Value::Array(items) = value
        && !(steps.is_empty() && is_wrong(value))
    {
        return items.iter().enumerate().find_map(|(at, item)| find(item, steps, format!("{path}[{at}]"), is_wrong));
    }
    match steps.split_first() {
        Some((step, rest)) => {
            let below = value.get(step)?;
            let path = if path.is_empty() { (*step).to_owned() } else { format!("{path}.{step}") };
            find(below, rest, path, is_wrong)
        }
        None if is_wrong(value) => Some(path),
        None => {
            let map = value.as_object()?;
            map.iter().find(|(_, value)| is_wrong(value)).map(|(key, _)| entry(&path, key))
        }
    }
}

/// An amount below `requests`, `limits`, `capacity` or `hard` that is none.
fn resources(value: &Value, path: String) -> Option<String> {
    match value {
        Value::Object(map) => map.iter().find_map(|(key, below)| {
            let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            if matches!(key.as_str(), "requests" | "limits" | "capacity" | "hard") {
                let wrong = below.as_object()?.iter().find(|(_, amount)| Quantity::from_json(amount).is_err());
                return wrong.map(|(name, _)| entry(&here, name));
            }
            resources(below, here)
        }),
        Value::Array(items) => items.iter().enumerate().find_map(|(at, item)| resources(item, format!("{path}[{at}]"))),
        _ => None,
    }
}

fn entry(path: &str, key: &str) -> String {
    if key.contains(['.', '/']) { format!("{path}[{key}]") } else { format!("{path}.{key}") }
}

/// What a decoder calls the type of a value.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_base64(text: &str) -> bool {
    let text: Vec<u8> = text.bytes().filter(|it| !matches!(it, b'\n' | b'\r')).collect();
    let filled = text.iter().rev().take_while(|it| **it == b'=').count();
    let is_letter = |it: &u8| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/');
    text.len().is_multiple_of(4) && filled <= 2 && text[..text.len() - filled].iter().all(is_letter)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_found_through_lists_and_maps() {
        let pod = json!({"spec": {"template": {"spec": {"containers": [
            {"env": [{"name": "A", "value": "a"}, {"name": "B", "value": 8080}], "resources": {"limits": {"memory": "128MB"}}},
        ]}}}});
        let words = "json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string";
        assert_eq!(field(&pod, words).as_deref(), Some("spec.template.spec.containers[0].env[1].value"));
        let words = "quantities must match the regular expression";
        assert_eq!(field(&pod, words).as_deref(), Some("spec.template.spec.containers[0].resources.limits.memory"));
        let map = json!({"data": {"a": "x", "b.c": 8080}, "metadata": {"annotations": {"helm.sh/hook-weight": 5}}});
        let words = "json: cannot unmarshal number into Go struct field ConfigMap.data of type string";
        assert_eq!(field(&map, words).as_deref(), Some("data[b.c]"));
        let words = "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.annotations of type string";
        assert_eq!(field(&map, words).as_deref(), Some("metadata.annotations[helm.sh/hook-weight]"));
        let secret = json!({"data": {"a": "eA==", "b": "no text"}});
        assert_eq!(field(&secret, "illegal base64 data at input byte 2").as_deref(), Some("data.b"));
    }
}
