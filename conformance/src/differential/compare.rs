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

/// Lists of names: each is compared by itself, so that one more does not shift all that follow.
const SETS: [&str; 1] = ["body.paths"];

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
            (Some(Value::Array(left)), Some(Value::Array(right))) if SETS.contains(&self.path.as_str()) => {
                let named = |list: &[Value]| -> Vec<String> {
                    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
                };
                let (left, right) = (named(left), named(right));
                let mut all: Vec<&String> = left.iter().chain(&right).collect();
                all.sort();
                all.dedup();
                for name in all {
                    let on = |list: &[String]| list.contains(name).then(|| Value::from(name.as_str()));
                    self.inside(&format!("[{name}]"), on(&left).as_ref(), on(&right).as_ref());
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
    fn a_name_more_does_not_shift_the_others() {
        let real = json!({"body": {"paths": ["/a", "/b", "/c"]}});
        let ours = json!({"body": {"paths": ["/a", "/c", "/d"]}});
        let paths: Vec<String> = compare("s", "t", &real, &ours).into_iter().map(|found| found.path).collect();
        assert_eq!(paths, ["body.paths[/b]", "body.paths[/d]"]);
    }

    #[test]
    fn each_place_is_named() {
        let real = json!({"status": 200, "body": {"a": [1, 2], "b": {"c": "x"}}});
        let ours = json!({"status": 200, "body": {"a": [1], "b": {"c": "y", "d": 1}}});
        let paths: Vec<String> =
            compare("s", "t", &real, &ours).into_iter().map(|difference| difference.path).collect();
        assert_eq!(paths, ["body.a[1]", "body.b.c", "body.b.d"]);
    }
}
