//! Canonical JSON, over which metadata is signed: one value, one sequence of bytes.

use serde_json::Value;

/// What has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} has no canonical form: only whole numbers are signed")]
pub struct NotCanonical(String);

/// A JSON value in the canonical form of The Update Framework (OLPC's): keys in order of their bytes, no blanks, strings with
/// nothing escaped but `"` and `\`, whole numbers alone.
///
/// # Errors
/// When a number is not a whole one.
pub fn canonical(value: &Value) -> Result<Vec<u8>, NotCanonical> {
    let mut bytes = Vec::new();
    write(value, &mut bytes)?;
    Ok(bytes)
}

fn write(value: &Value, to: &mut Vec<u8>) -> Result<(), NotCanonical> {
    match value {
        Value::Null => to.extend(b"null"),
        Value::Bool(true) => to.extend(b"true"),
        Value::Bool(false) => to.extend(b"false"),
        Value::Number(number) if number.is_f64() => return Err(NotCanonical(number.to_string())),
        Value::Number(number) => to.extend(number.to_string().bytes()),
        Value::String(text) => string(text, to),
        Value::Array(items) => {
            to.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    to.push(b',');
                }
                write(item, to)?;
            }
            to.push(b']');
        }
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort();
            to.push(b'{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    to.push(b',');
                }
                string(key, to);
                to.push(b':');
                write(&fields[key], to)?;
            }
            to.push(b'}');
        }
    }
    Ok(())
}

fn string(text: &str, to: &mut Vec<u8>) {
    to.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            to.push(b'\\');
        }
        to.push(byte);
    }
    to.push(b'"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_and_nothing_else_is_escaped() {
        let bytes =
            canonical(&json!({"b": [1, -2], "a": {"z": null, "y": "a\"\\\n"}, "ä": true})).expect("whole numbers");
        assert_eq!(
            String::from_utf8(bytes).expect("text"),
            "{\"a\":{\"y\":\"a\\\"\\\\\n\",\"z\":null},\"b\":[1,-2],\"ä\":true}"
        );
    }

    #[test]
    fn a_fraction_is_refused() {
        assert_eq!(canonical(&json!([1.5])), Err(NotCanonical("1.5".to_owned())));
    }
}
