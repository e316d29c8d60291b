//! JSON Patch (RFC 6902), with the liberties of the library kube-apiserver uses (`evanphx/json-patch` v4): negative indices; `replace` makes a
//! field that is not there; `test` and `copy` take such a field for null; the whole document can only be replaced and tested.

use serde_json::Value;

/// A patch may not hold more operations than this (kube-apiserver's limit).
pub const MOST_OPERATIONS: usize = 10_000;

/// All that one patch copies may not be more than this, in bytes of JSON (kube-apiserver's `JSONPatchMaxCopyBytes`): each
/// copy can hold all earlier ones, so that sixty of them would fill any machine.
pub const MOST_COPIED: usize = 3 * 1024 * 1024;

/// One operation of a patch.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    verb: Verb,
    path: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Verb {
    Add(Value),
    Remove,
    Replace(Value),
    Move(Vec<String>),
    Copy(Vec<String>),
    Test(Value),
}

/// Why a patch could not be read or applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonPatchError {
    /// The document is no list of operations.
    #[error("the patch must be a list of operations")]
    NotAList,
    /// An operation lacks a member or has one of a wrong type.
    #[error("operation {index}: {reason}")]
    Malformed {
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A path leads nowhere.
    #[error("operation {verb}: no such path {path:?}")]
    NoSuchPath {
        /// The operation.
        verb: &'static str,
        /// The JSON pointer.
        path: String,
    },
    /// The copies of a patch came to more than [`MOST_COPIED`].
    #[error("Unable to copy, the accumulated size increase of copy is {copied}, exceeding the limit {MOST_COPIED}")]
    TooMuchCopied {
        /// What they came to, in bytes.
        copied: usize,
    },
    /// A `test` found something else.
    #[error("testing value {path} failed")]
    TestFailed {
        /// The JSON pointer.
        path: String,
    },
}

/// Reads a patch document.
pub fn parse(patch: &Value) -> Result<Vec<Operation>, JsonPatchError> {
    let operations = patch.as_array().ok_or(JsonPatchError::NotAList)?;
    operations.iter().enumerate().map(|(index, operation)| parse_operation(index, operation)).collect()
}

fn parse_operation(index: usize, operation: &Value) -> Result<Operation, JsonPatchError> {
    let malformed = |reason| JsonPatchError::Malformed { index, reason };
    let map = operation.as_object().ok_or(malformed("not a map"))?;
    let pointer =
        |field: &str, reason| map.get(field).and_then(Value::as_str).and_then(parse_pointer).ok_or(malformed(reason));
    // What is not given is null.
    let value = || map.get("value").cloned().unwrap_or(Value::Null);
    let path = pointer("path", "path is missing or no JSON pointer")?;
    let verb = match map.get("op").and_then(Value::as_str) {
        Some("add") => Verb::Add(value()),
        Some("remove") => Verb::Remove,
        Some("replace") => Verb::Replace(value()),
        Some("move") => Verb::Move(pointer("from", "from is missing or no JSON pointer")?),
        Some("copy") => Verb::Copy(pointer("from", "from is missing or no JSON pointer")?),
        Some("test") => Verb::Test(value()),
        _ => return Err(malformed("op is none of add, remove, replace, move, copy, test")),
    };
    Ok(Operation { verb, path })
}

/// What stands before the first `/` is not looked at, as in the server's library.
fn parse_pointer(text: &str) -> Option<Vec<String>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let (_, tokens) = text.split_once('/')?;
    Some(tokens.split('/').map(|token| token.replace("~1", "/").replace("~0", "~")).collect())
}

/// Applies the operations in order; the document is not changed when one fails.
pub fn apply(document: &Value, operations: &[Operation]) -> Result<Value, JsonPatchError> {
    let mut result = document.clone();
    let mut copied = 0;
    for operation in operations {
        let path = &operation.path;
        match &operation.verb {
            Verb::Add(value) => add(&mut result, "add", path, value.clone())?,
            Verb::Remove => drop(remove(&mut result, "remove", path)?),
            Verb::Replace(value) => replace(&mut result, path, value)?,
            Verb::Move(from) => {
                let value = remove(&mut result, "move", from)?;
                add(&mut result, "move", path, value)?;
            }
            Verb::Copy(from) => {
                let value = found(&result, "copy", from)?.unwrap_or(&Value::Null);
                copied += size_of(value);
                if copied > MOST_COPIED {
                    return Err(JsonPatchError::TooMuchCopied { copied });
                }
                let value = value.clone();
                add(&mut result, "copy", path, value)?;
            }
            Verb::Test(expected) => {
                let found = if path.is_empty() { Some(&result) } else { found(&result, "test", path)? };
                if found.unwrap_or(&Value::Null) != expected {
                    return Err(JsonPatchError::TestFailed { path: pointer_text(path) });
                }
            }
        }
    }
    Ok(result)
}

/// How many bytes a value has as JSON.
fn size_of(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).expect("a value in memory is JSON, and counting does not fail");
    count.0
}

fn no_such_path(verb: &'static str, path: &[String]) -> JsonPatchError {
    JsonPatchError::NoSuchPath { verb, path: pointer_text(path) }
}

fn pointer_text(path: &[String]) -> String {
    path.iter().map(|token| format!("/{}", token.replace('~', "~0").replace('/', "~1"))).collect()
}

/// A list index: decimal without leading zeros; negative ones count from the end.
fn index(token: &str, length: usize) -> Option<usize> {
    if let Some(back) = token.strip_prefix('-') {
        return length.checked_sub(back.parse().ok()?);
    }
    if token.len() > 1 && token.starts_with('0') || !token.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    token.parse().ok()
}

/// The value at a path; none where only the last field of a map is missing.
fn found<'a>(document: &'a Value, verb: &'static str, path: &[String]) -> Result<Option<&'a Value>, JsonPatchError> {
    let nowhere = || no_such_path(verb, path);
    let (last, parents) = path.split_last().ok_or_else(nowhere)?;
    let parent = parents.iter().try_fold(document, |value, token| match value {
        Value::Object(map) => map.get(token),
        Value::Array(items) => items.get(index(token, items.len())?),
        _ => None,
    });
    match parent.ok_or_else(nowhere)? {
        Value::Object(map) => Ok(map.get(last)),
        Value::Array(items) => index(last, items.len()).and_then(|at| items.get(at)).map(Some).ok_or_else(nowhere),
        _ => Err(nowhere()),
    }
}

fn find_mut<'a>(document: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(document, |value, token| match value {
        Value::Object(map) => map.get_mut(token),
        Value::Array(items) => {
            let at = index(token, items.len())?;
            items.get_mut(at)
        }
        _ => None,
    })
}

fn replace(document: &mut Value, path: &[String], value: &Value) -> Result<(), JsonPatchError> {
    let nowhere = || no_such_path("replace", path);
    let Some((last, parents)) = path.split_last() else {
        if !value.is_object() && !value.is_array() {
            return Err(nowhere());
        }
        *document = value.clone();
        return Ok(());
    };
    match find_mut(document, parents) {
        Some(Value::Object(map)) => {
            map.insert(last.clone(), value.clone());
        }
        Some(Value::Array(items)) => {
            let at = index(last, items.len()).filter(|at| *at < items.len()).ok_or_else(nowhere)?;
            items[at] = value.clone();
        }
        _ => return Err(nowhere()),
    }
    Ok(())
}

fn add(document: &mut Value, verb: &'static str, path: &[String], value: Value) -> Result<(), JsonPatchError> {
    let Some((last, parents)) = path.split_last() else { return Err(no_such_path(verb, path)) };
    match find_mut(document, parents) {
        Some(Value::Object(map)) => {
            map.insert(last.clone(), value);
            Ok(())
        }
        Some(Value::Array(items)) => {
            let at = if last == "-" {
                Some(items.len())
            } else {
                index(last, items.len() + usize::from(last.starts_with('-')))
            };
            match at {
                Some(at) if at <= items.len() => {
                    items.insert(at, value);
                    Ok(())
                }
                _ => Err(no_such_path(verb, path)),
            }
        }
        _ => Err(no_such_path(verb, path)),
    }
}

fn remove(document: &mut Value, verb: &'static str, path: &[String]) -> Result<Value, JsonPatchError> {
    let Some((last, parents)) = path.split_last() else { return Err(no_such_path(verb, path)) };
    let removed = match find_mut(document, parents) {
        Some(Value::Object(map)) => map.remove(last),
        Some(Value::Array(items)) => index(last, items.len()).filter(|at| *at < items.len()).map(|at| items.remove(at)),
        _ => None,
    };
    removed.ok_or_else(|| no_such_path(verb, path))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(document: Value, patch: Value) -> Result<Value, JsonPatchError> {
        apply(&document, &parse(&patch)?)
    }

    #[test]
    fn copies_that_double_end_at_the_servers_limit() {
        let document = json!({"data": {"a": "x".repeat(100_000)}});
        let copy = |to: usize| json!({"op": "copy", "from": "/data", "path": format!("/data/{to}")});
        let apply = |count: usize| {
            let patch = Value::Array((0..count).map(copy).collect());
            apply(&document, &parse(&patch).expect("read"))
        };
        let told = apply(60).expect_err("refused").to_string();
        assert!(told.starts_with("Unable to copy, the accumulated size increase of copy is "), "{told}");
        assert!(apply(4).is_ok(), "a few copies of something small are nobody's harm");
    }

    #[test]
    fn operations_follow_the_rfc() {
        for (document, patch, result) in [
            (json!({"a": [1, 3]}), json!([{"op": "add", "path": "/a/1", "value": 2}]), json!({"a": [1, 2, 3]})),
            (json!({"a": [1]}), json!([{"op": "add", "path": "/a/-", "value": 2}]), json!({"a": [1, 2]})),
            (json!({"a": {"b/c": 1}}), json!([{"op": "remove", "path": "/a/b~1c"}]), json!({"a": {}})),
            (json!({"a": 1}), json!([{"op": "move", "from": "/a", "path": "/b"}]), json!({"b": 1})),
            (json!({"a": 1}), json!([{"op": "copy", "from": "/a", "path": "/b"}]), json!({"a": 1, "b": 1})),
            (
                json!({"a": 1}),
                json!([{"op": "test", "path": "/a", "value": 1}, {"op": "replace", "path": "/a", "value": 2}]),
                json!({"a": 2}),
            ),
            (json!({}), json!([{"op": "test", "path": "/none", "value": null}]), json!({})),
            (json!({"a": [1, 2]}), json!([{"op": "remove", "path": "/a/-1"}]), json!({"a": [1]})),
            (json!({}), json!([{"op": "replace", "path": "/x", "value": 1}]), json!({"x": 1})),
            (json!({}), json!([{"op": "add", "path": "/x"}]), json!({"x": null})),
            (json!({}), json!([{"op": "copy", "from": "/none", "path": "/x"}]), json!({"x": null})),
            (json!({"a": 1}), json!([{"op": "replace", "path": "", "value": {"b": 2}}]), json!({"b": 2})),
            (json!({"a": 1}), json!([{"op": "test", "path": "", "value": {"a": 1}}]), json!({"a": 1})),
        ] {
            assert_eq!(run(document, patch.clone()), Ok(result), "{patch}");
        }
    }

    #[test]
    fn the_whole_document_is_only_replaced_or_tested() {
        for patch in [
            json!([{"op": "remove", "path": ""}]),
            json!([{"op": "add", "path": "", "value": {}}]),
            json!([{"op": "move", "from": "", "path": "/b"}]),
            json!([{"op": "copy", "from": "", "path": "/b"}]),
            json!([{"op": "replace", "path": "", "value": 1}]),
            json!([{"op": "test", "path": "", "value": {}}]),
        ] {
            assert!(run(json!({"a": 1}), patch.clone()).is_err(), "{patch}");
        }
    }

    #[test]
    fn a_path_that_leads_nowhere_fails() {
        for patch in [
            json!([{"op": "replace", "path": "/x/y", "value": 1}]),
            json!([{"op": "replace", "path": "/a/7", "value": 1}]),
            json!([{"op": "remove", "path": "/x"}]),
            json!([{"op": "remove", "path": "/a/7"}]),
            json!([{"op": "add", "path": "/x/y", "value": 1}]),
            json!([{"op": "add", "path": "/a/9", "value": 1}]),
            json!([{"op": "test", "path": "/a", "value": 1}]),
            json!([{"op": "test", "path": "/a/0", "value": 1.0}]),
            json!([{"op": "test", "path": "/x/y", "value": null}]),
            json!([{"op": "twist", "path": "/a"}]),
            json!([{"op": "add", "path": "a", "value": 1}]),
            json!({"a": 1}),
        ] {
            assert!(run(json!({"a": [1]}), patch.clone()).is_err(), "{patch}");
        }
    }
}
