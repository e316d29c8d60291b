//! The jq expressions by which people name fields whose differences do not count: paths, each item of a list, and those of
//! its items that a comparison selects.

use serde_json::Value;

/// An expression that names fields.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expression(Vec<Step>);

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    Index(usize),
    /// Each item of a list.
    Each,
    /// Only where a field compares so.
    Select {
        path: Vec<String>,
        value: Value,
        equal: bool,
    },
}

impl Expression {
    /// Reads one; `None` for what jq can say besides.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        for part in text.split('|').map(str::trim) {
            match part.strip_prefix("select(").and_then(|rest| rest.strip_suffix(')')) {
                Some(condition) => steps.push(select(condition)?),
                None => steps.extend(path(part)?),
            }
        }
        let names_something = matches!(steps.last(), Some(Step::Field(_) | Step::Index(_)));
        names_something.then_some(Expression(steps))
    }

    /// The fields that it names in a value, as JSON pointers; the last step need not be there.
    pub(crate) fn pointers(&self, value: &Value) -> Vec<String> {
        let mut found = vec![(String::new(), value)];
        let Some((last, above)) = self.0.split_last() else { return Vec::new() };
        for step in above {
            found = found.into_iter().flat_map(|(pointer, value)| step.within(&pointer, value)).collect();
        }
        let ends = found.into_iter().filter_map(|(pointer, value)| match last {
            Step::Field(name) => value.is_object().then(|| format!("{pointer}/{}", escaped(name))),
            Step::Index(index) => value.is_array().then(|| format!("{pointer}/{index}")),
            Step::Each | Step::Select { .. } => None,
        });
        ends.collect()
    }

    /// Puts what stands there in one value into another one that has it, too; items of lists are told apart by their
    /// names, where they have some.
    pub(crate) fn carry(&self, into: &mut Value, from: &Value) {
        carry(&self.0, into, from);
    }
}

impl Step {
    fn within<'v>(&self, pointer: &str, value: &'v Value) -> Vec<(String, &'v Value)> {
        match (self, value) {
            (Step::Field(name), Value::Object(map)) => {
                map.get(name).map(|value| (format!("{pointer}/{}", escaped(name)), value)).into_iter().collect()
            }
            (Step::Index(index), Value::Array(items)) => {
                items.get(*index).map(|value| (format!("{pointer}/{index}"), value)).into_iter().collect()
            }
            (Step::Each, Value::Array(items)) => {
                items.iter().enumerate().map(|(index, value)| (format!("{pointer}/{index}"), value)).collect()
            }
            (Step::Select { .. }, value) if self.selects(value) => vec![(pointer.to_owned(), value)],
            _ => Vec::new(),
        }
    }

    fn selects(&self, value: &Value) -> bool {
        let Step::Select { path, value: wanted, equal } = self else { return true };
        let found = path.iter().try_fold(value, |value, name| value.get(name));
        (found.unwrap_or(&Value::Null) == wanted) == *equal
    }
}

fn carry(steps: &[Step], into: &mut Value, from: &Value) {
    let Some((step, rest)) = steps.split_first() else {
        *into = from.clone();
        return;
    };
    match (step, &mut *into, from) {
        (Step::Field(name), Value::Object(into), Value::Object(from)) => {
            if let (Some(into), Some(from)) = (into.get_mut(name), from.get(name)) {
                carry(rest, into, from);
            }
        }
        (Step::Index(index), Value::Array(into), Value::Array(from)) => {
            if let (Some(into), Some(from)) = (into.get_mut(*index), from.get(*index)) {
                carry(rest, into, from);
            }
        }
        (Step::Each, Value::Array(into), Value::Array(from)) => {
            for (index, item) in into.iter_mut().enumerate() {
                let same = match item.get("name") {
                    Some(name) => from.iter().find(|other| other.get("name") == Some(name)),
                    None => from.get(index),
                };
                if let Some(other) = same {
                    carry(rest, item, other);
                }
            }
        }
        (Step::Select { .. }, into, from) if step.selects(into) => carry(rest, into, from),
        _ => {}
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// `.a."b/c"["d"][0][]?`
fn path(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = text;
    if !rest.starts_with('.') {
        return None;
    }
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('?') {
            rest = after;
            continue;
        }
        let inside = rest.strip_prefix(".[").or_else(|| rest.strip_prefix('['));
        if let Some(inside) = inside {
            if let Some(quoted) = inside.strip_prefix('"') {
                let (name, after) = quoted.split_once("\"]")?;
                steps.push(Step::Field(name.to_owned()));
                rest = after;
            } else {
                let (index, after) = inside.split_once(']')?;
                steps.push(if index.is_empty() { Step::Each } else { Step::Index(index.parse().ok()?) });
                rest = after;
            }
        } else if let Some(quoted) = rest.strip_prefix(".\"") {
            let (name, after) = quoted.split_once('"')?;
            steps.push(Step::Field(name.to_owned()));
            rest = after;
        } else {
            let name = rest.strip_prefix('.')?;
            let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(name.len());
            if end == 0 {
                return None;
            }
            steps.push(Step::Field(name[..end].to_owned()));
            rest = &name[end..];
        }
    }
    Some(steps)
}

/// `.name == "x"`
fn select(condition: &str) -> Option<Step> {
    let (left, right, equal) = match condition.split_once("==") {
        Some((left, right)) => (left, right, true),
        None => {
            let (left, right) = condition.split_once("!=")?;
            (left, right, false)
        }
    };
    let names = path(left.trim())?.into_iter().map(|step| match step {
        Step::Field(name) => Some(name),
        _ => None,
    });
    Some(Step::Select {
        path: names.collect::<Option<Vec<String>>>()?,
        value: serde_json::from_str(right.trim()).ok()?,
        equal,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object() -> Value {
        json!({
            "metadata": {"annotations": {"a/b": "1", "c~d": "2"}},
            "webhooks": [{"name": "x", "clientConfig": {"caBundle": "X"}}, {"name": "y", "clientConfig": {"caBundle": "Y"}}],
            "list": [1, 2],
        })
    }

    #[test]
    fn expressions_name_fields() {
        let object = object();
        for (text, pointers) in [
            (".metadata.annotations.\"a/b\"", vec!["/metadata/annotations/a~1b"]),
            (".metadata.annotations[\"c~d\"]", vec!["/metadata/annotations/c~0d"]),
            (".metadata.none", vec!["/metadata/none"]),
            (
                ".webhooks[]?.clientConfig.caBundle",
                vec!["/webhooks/0/clientConfig/caBundle", "/webhooks/1/clientConfig/caBundle"],
            ),
            (".webhooks[1].clientConfig", vec!["/webhooks/1/clientConfig"]),
            (
                ".webhooks[] | select(.name == \"y\") | .clientConfig.caBundle",
                vec!["/webhooks/1/clientConfig/caBundle"],
            ),
            (".webhooks[] | select(.name != \"y\").clientConfig", vec![]),
            (".[\"list\"][0]", vec!["/list/0"]),
            (".none[].deep", vec![]),
        ] {
            match Expression::parse(text) {
                Some(expression) => assert_eq!(expression.pointers(&object), pointers, "{text}"),
                None => assert!(pointers.is_empty(), "{text}"),
            }
        }
        for other in
            ["", ".", "x", ".a[]", ".a | length", "del(.a)", ".a + .b", ".a-b", "select(.a == 1)", ".[] | to_entries"]
        {
            assert_eq!(Expression::parse(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_named_is_carried_over_item_by_item() {
        let live = object();
        let mut wanted = json!({
            "metadata": {"annotations": {"a/b": "other"}},
            "webhooks": [{"name": "y", "clientConfig": {"caBundle": ""}}, {"name": "x", "clientConfig": {}}],
        });
        for text in [".webhooks[]?.clientConfig.caBundle", ".metadata.annotations.\"a/b\"", ".metadata.labels"] {
            Expression::parse(text).expect("a path").carry(&mut wanted, &live);
        }
        assert_eq!(
            wanted["webhooks"],
            json!([{"name": "y", "clientConfig": {"caBundle": "Y"}}, {"name": "x", "clientConfig": {}}])
        );
        assert_eq!(wanted["metadata"], json!({"annotations": {"a/b": "1"}}));
    }
}
