//! Secrets and SealedSecrets as Go writes them: JSON in the order of its structs, YAML in the alphabet's.

use serde_json::{Map, Value};

/// What is printed, where its fields have an order.
#[derive(Clone, Copy)]
enum Shape {
    Object,
    Metadata,
    Owner,
    Spec,
    Template,
    Status,
    Condition,
    /// A map of a user's: by the alphabet.
    Map,
}

impl Shape {
    /// Its fields in Go's order, with what they hold.
    fn fields(self) -> &'static [(&'static str, Shape)] {
        use Shape::{Condition, Map, Metadata, Owner, Spec, Status, Template};
        match self {
            Shape::Object => &[
                ("kind", Map),
                ("apiVersion", Map),
                ("metadata", Metadata),
                ("spec", Spec),
                ("immutable", Map),
                ("data", Map),
                ("stringData", Map),
                ("type", Map),
                ("status", Status),
            ],
            Metadata => &[
                ("name", Map),
                ("generateName", Map),
                ("namespace", Map),
                ("labels", Map),
                ("annotations", Map),
                ("ownerReferences", Owner),
                ("finalizers", Map),
                ("managedFields", Map),
            ],
            Owner => &[("apiVersion", Map), ("kind", Map), ("name", Map), ("uid", Map), ("controller", Map)],
            Spec => &[("template", Template), ("data", Map), ("encryptedData", Map)],
            Template => &[("metadata", Metadata), ("type", Map), ("immutable", Map), ("data", Map)],
            Status => &[("observedGeneration", Map), ("conditions", Condition)],
            Condition => &[
                ("type", Map),
                ("status", Map),
                ("lastUpdateTime", Map),
                ("lastTransitionTime", Map),
                ("reason", Map),
                ("message", Map),
            ],
            Map => &[],
        }
    }
}

/// An object as `kubectl`'s family prints JSON: two spaces a level, `<`, `>` and `&` escaped; ends with a line break.
pub fn go_json(object: &Value) -> String {
    let mut out = String::new();
    write(object, Shape::Object, 0, &mut out);
    out.push('\n');
    out
}

/// An object as YAML.
///
/// # Errors
/// What cannot be written, which JSON always can.
pub fn go_yaml(object: &Value) -> Result<String, landfall_yaml::Error> {
    landfall_yaml::emit(object)
}

fn write(value: &Value, shape: Shape, level: usize, out: &mut String) {
    match value {
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Object(map) => {
            out.push('{');
            for (at, (key, inner)) in ordered(map, shape).into_iter().enumerate() {
                out.push_str(if at == 0 { "\n" } else { ",\n" });
                indent(level + 1, out);
                string(key, out);
                out.push_str(": ");
                write(&map[key], inner, level + 1, out);
            }
            out.push('\n');
            indent(level, out);
            out.push('}');
        }
        Value::Array(list) if list.is_empty() => out.push_str("[]"),
        Value::Array(list) => {
            out.push('[');
            for (at, item) in list.iter().enumerate() {
                out.push_str(if at == 0 { "\n" } else { ",\n" });
                indent(level + 1, out);
                write(item, shape, level + 1, out);
            }
            out.push('\n');
            indent(level, out);
            out.push(']');
        }
        Value::String(text) => string(text, out),
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
    }
}

/// The keys of a map in the order in which they are printed, with the shape of what they hold.
fn ordered(map: &Map<String, Value>, shape: Shape) -> Vec<(&str, Shape)> {
    let known = shape.fields();
    let mut keys: Vec<&str> = map.keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys.sort_by_key(|key| known.iter().position(|(name, _)| name == key).unwrap_or(known.len()));
    keys.into_iter()
        .map(|key| (key, known.iter().find(|(name, _)| *name == key).map_or(Shape::Map, |(_, inner)| *inner)))
        .collect()
}

fn indent(level: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", level));
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..' ' => {
                out.push_str(&format!("\\u{:04x}", u32::from(letter)))
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_in_the_order_of_gos_structs_and_maps_in_the_alphabets() {
        let object = json!({"apiVersion": "v1", "kind": "Secret", "data": {"kind": "YQ==", "a": "<"},
            "metadata": {"namespace": "n", "name": "a", "labels": {}}});
        let wanted = "{\n  \"kind\": \"Secret\",\n  \"apiVersion\": \"v1\",\n  \"metadata\": {\n    \"name\": \"a\",\n    \
                      \"namespace\": \"n\",\n    \"labels\": {}\n  },\n  \"data\": {\n    \"a\": \"\\u003c\",\n    \
                      \"kind\": \"YQ==\"\n  }\n}\n";
        assert_eq!(go_json(&object), wanted);
    }
}
