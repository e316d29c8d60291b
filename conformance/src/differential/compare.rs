//! Where two normalised answers differ.

use std::fmt;

use serde_json::Value;

/// One place where the sides differ.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Difference {
    pub(crate) script: String,
    pub(crate) step: String,
    /// `status`, `headers.content-type`, `body.spec.ports[0].name`, …
    pub(crate) path: String,
    /// What the real server says; `None` where it says nothing.
    pub(crate) real: Option<Value>,
    pub(crate) ours: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { script, step, path, real, ours } = self;
        write!(f, "{script} / {step}: {path}: real {}, ours {}", shown(real.as_ref()), shown(ours.as_ref()))
    }
}

/// A value in one line, cut where it is long.
pub(crate) fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The differences of one answer, in path order.
pub(crate) fn compare(script: &str, step: &str, real: &Value, ours: &Value) -> Vec<Difference> {
    let mut walk = Walk { script, step, path: String::new(), found: Vec::new() };
    walk.value(Some(real), Some(ours));
    walk.found
}

struct Walk<'a> {
    script: &'a str,
    step: &'a str,
    path: String,
    found: Vec<Difference>,
}

impl Walk<'_> {
    fn value(&mut self, real: Option<&Value>, ours: Option<&Value>) {
        match (real, ours) {
            (Some(Value::Object(left)), Some(Value::Object(right))) => {
                let mut keys: Vec<&String> = left.keys().chain(right.keys()).collect();
                keys.sort();
                keys.dedup();
                for key in keys {
                    let part = if self.path.is_empty() { key.clone() } else { format!(".{key}") };
                    self.inside(&part, left.get(key), right.get(key));
                }
            }
            (Some(Value::Array(left)), Some(Value::Array(right))) => {
                for index in 0..left.len().max(right.len()) {
                    self.inside(&format!("[{index}]"), left.get(index), right.get(index));
                }
            }
            (left, right) if left == right => {}
            (left, right) => self.found.push(Difference {
                script: self.script.to_owned(),
                step: self.step.to_owned(),
                path: self.path.clone(),
                real: left.cloned(),
                ours: right.cloned(),
            }),
        }
    }

    fn inside(&mut self, part: &str, real: Option<&Value>, ours: Option<&Value>) {
        let length = self.path.len();
        self.path.push_str(part);
        self.value(real, ours);
        self.path.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_place_is_named() {
        let real = json!({"status": 200, "body": {"a": [1, 2], "b": {"c": "x"}}});
        let ours = json!({"status": 200, "body": {"a": [1], "b": {"c": "y", "d": 1}}});
        let paths: Vec<String> =
            compare("s", "t", &real, &ours).into_iter().map(|difference| difference.path).collect();
        assert_eq!(paths, ["body.a[1]", "body.b.c", "body.b.d"]);
    }
}
