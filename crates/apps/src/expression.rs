//! The jq expressions by which people name fields whose differences do not count: paths, each item of a list, and those of
//! its items that a condition selects.
//!
//! Whoever writes an Application writes them, so that none may take long: there is nothing in them that repeats, makes a value larger,
//! or defines anything.

mod condition;
mod words;

use serde_json::Value;

use condition::Condition;
use words::{Word, words};

/// An expression that names fields, and items of lists.
#[derive(Debug, Clone)]
pub(crate) struct Expression(Vec<Vec<Step>>);

#[derive(Debug, Clone)]
enum Step {
    Field(String),
    Index(usize),
    /// Each item of a list.
    Each,
    /// Only where this holds.
    Select(Box<Condition>),
}

/// The longest that is read.
const LONGEST: usize = 1024;

impl Expression {
    /// Reads one; `None` for what jq can say besides.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let words = words(text).filter(|_| text.len() <= LONGEST)?;
        let mut reader = Reader { words: &words };
        let mut paths = Vec::new();
        loop {
            paths.push(reader.pipe()?);
            if !reader.takes(",") {
                break;
            }
        }
        reader.words.is_empty().then_some(Expression(paths))
    }

    /// The fields that it names in a value, as JSON pointers; the last step need not be there.
    pub(crate) fn pointers(&self, value: &Value) -> Vec<String> {
        self.0.iter().flat_map(|steps| pointers(steps, value)).collect()
    }

    /// Whether it names items of lists, whose places say nothing of which they are.
    pub(crate) fn names_items(&self) -> bool {
        let is_item = |steps: &Vec<Step>| matches!(steps.last(), Some(Step::Each | Step::Select(_)));
        self.0.iter().any(is_item)
    }

    /// Puts what stands there in one value into another one that has it, too; items of lists are told apart by their
    /// names, where they have some.
    pub(crate) fn carry(&self, into: &mut Value, from: &Value) {
        self.0.iter().for_each(|steps| carry(steps, into, from));
    }
}

fn pointers(steps: &[Step], value: &Value) -> Vec<String> {
    let mut found = vec![(String::new(), value)];
    let Some((last, above)) = steps.split_last() else { return Vec::new() };
    for step in above {
        found = found.into_iter().flat_map(|(pointer, value)| step.within(&pointer, value)).collect();
    }
    let ends = found.into_iter().flat_map(|(pointer, value)| match last {
        Step::Field(name) => {
            value.is_object().then(|| format!("{pointer}/{}", escaped(name))).into_iter().collect::<Vec<_>>()
        }
        Step::Index(index) => value.is_array().then(|| format!("{pointer}/{index}")).into_iter().collect(),
        Step::Each | Step::Select(_) => last.within(&pointer, value).into_iter().map(|(pointer, _)| pointer).collect(),
    });
    ends.collect()
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
            (Step::Each, Value::Object(map)) => {
                map.iter().map(|(key, value)| (format!("{pointer}/{}", escaped(key)), value)).collect()
            }
            (Step::Select(condition), value) if condition.holds(value) => vec![(pointer.to_owned(), value)],
            _ => Vec::new(),
        }
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
        (Step::Each, Value::Object(into), Value::Object(from)) => {
            for (key, value) in into {
                if let Some(other) = from.get(key) {
                    carry(rest, value, other);
                }
            }
        }
        (Step::Select(condition), into, from) if condition.holds(into) => carry(rest, into, from),
        _ => {}
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The words of an expression, read from the front.
struct Reader<'w> {
    words: &'w [Word],
}

impl Reader<'_> {
    fn first(&self) -> Option<&Word> {
        self.words.first()
    }

    fn second(&self) -> Option<&Word> {
        self.words.get(1)
    }

    fn sign(&self) -> Option<&'static str> {
        match self.first() {
            Some(Word::Sign(sign)) => Some(sign),
            _ => None,
        }
    }

    fn skip(&mut self) {
        self.words = self.words.get(1..).unwrap_or_default();
    }

    fn takes(&mut self, wanted: &str) -> bool {
        let is_there = self.sign() == Some(wanted);
        if is_there {
            self.skip();
        }
        is_there
    }

    fn takes_name(&mut self, wanted: &str) -> bool {
        let is_there = matches!(self.first(), Some(Word::Name(name)) if name == wanted);
        if is_there {
            self.skip();
        }
        is_there
    }

    /// `.a[] | select(…) | .b`: at least one step, and the first one from the value itself.
    fn pipe(&mut self) -> Option<Vec<Step>> {
        let mut steps = Vec::new();
        let mut paths = 0;
        loop {
            if self.takes_name("select") {
                let condition = self.takes("(").then(|| self.condition(0))??;
                self.takes(")").then_some(())?;
                steps.push(Step::Select(Box::new(condition)));
                // `select(…).a` and `select(…)[0]`, too.
                self.further(&mut steps)?;
            } else {
                paths += 1;
                self.path(&mut steps)?;
            }
            if !self.takes("|") {
                break;
            }
        }
        // What is selected of the whole alone would be all of it, or nothing.
        let names_something = steps.iter().any(|step| !matches!(step, Step::Select(_)));
        (names_something && paths > 0).then_some(steps)
    }

    /// `.a."b/c"["d"][0][]?`, or the value itself.
    fn path(&mut self, steps: &mut Vec<Step>) -> Option<()> {
        match self.first()? {
            Word::Point => self.skip(),
            Word::Field(_) => {}
            _ => return None,
        }
        self.further(steps)
    }

    fn further(&mut self, steps: &mut Vec<Step>) -> Option<()> {
        loop {
            match self.first() {
                Some(Word::Field(name)) => {
                    steps.push(Step::Field(name.clone()));
                    self.skip();
                }
                // `.a.[0]`
                Some(Word::Point) if matches!(self.second(), Some(Word::Sign("["))) => self.skip(),
                Some(Word::Sign("?")) => self.skip(),
                Some(Word::Sign("[")) => {
                    self.skip();
                    let step = match self.first()? {
                        Word::Sign("]") => Step::Each,
                        Word::Literal(Value::String(name)) => Step::Field(name.clone()),
                        Word::Literal(Value::Number(index)) => Step::Index(usize::try_from(index.as_u64()?).ok()?),
                        _ => return None,
                    };
                    if !matches!(step, Step::Each) {
                        self.skip();
                    }
                    self.takes("]").then_some(())?;
                    steps.push(step);
                }
                _ => return Some(()),
            }
        }
    }
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
            (".webhooks[] | select(.name != \"y\").clientConfig", vec!["/webhooks/0/clientConfig"]),
            (".[\"list\"][0]", vec!["/list/0"]),
            (".none[].deep", vec![]),
        ] {
            match Expression::parse(text) {
                Some(expression) => assert_eq!(expression.pointers(&object), pointers, "{text}"),
                None => assert!(pointers.is_empty(), "{text}"),
            }
        }
        for other in [
            "",
            ".",
            "x",
            ".a | length",
            "del(.a)",
            ".a + .b",
            ".a-b",
            "select(.a == 1)",
            ".[] | to_entries",
            ".. | .a?",
            ".a[1:2]",
            ".a[-1]",
            ".a |= 1",
            "until(true==false; [.] + [1])",
            ".a[] | select(.b == (.c, .d))",
            ".a[] | select(.b == .c[])",
            ".a[] | select(.b | test(\"(\"))",
            ".a[] | select(.name == \"missing-quote)",
            ".a[] | select(\"\\(.b)\" == \"x\")",
            ".a[] | select(.b",
            ".a[] | select(env)",
        ] {
            assert!(Expression::parse(other).is_none(), "{other}");
        }
        let deep = format!(".a[] | select({}.b{})", "(".repeat(1000), ")".repeat(1000));
        assert!(Expression::parse(&deep).is_none(), "too deep");
    }

    #[test]
    fn conditions_select_items() {
        let object = json!({"containers": [
            {"name": "web", "image": "registry/web:1", "env": [{"name": "A"}, {"name": "B"}], "ports": [{"nodePort": 1}]},
            {"name": "istio-proxy", "image": "istio/proxy:2", "restartPolicy": "Always", "tty": true},
        ]});
        for (condition, selected) in [
            (".name == \"web\"", "0"),
            ("\"web\" == .name", "0"),
            (".name != \"web\"", "1"),
            (".name | startswith(\"istio-\")", "1"),
            (".image | endswith(\":1\")", "0"),
            (".image|contains(\"istio\")", "1"),
            (".name | test(\"^(web|other)$\")", "0"),
            ("has(\"tty\")", "1"),
            ("has(\"tty\") | not", "0"),
            (".tty", "1"),
            (".tty | not", "0"),
            (".tty // false | not", "0"),
            (".tty // true", "01"),
            (".name == \"web\" | not", "1"),
            ("has(\"tty\") and .tty | not", "0"),
            (".ports[0] | .nodePort == 1", "0"),
            (".name | startswith(\"w\") or startswith(\"i\")", "01"),
            (".restartPolicy == null", "0"),
            (".restartPolicy != null", "1"),
            (".env[]?.name == \"B\"", "0"),
            (".ports[0].nodePort == 1.0", "0"),
            (".env | length == 2", "0"),
            (".name == \"web\" and .tty == null", "0"),
            (".name == \"web\" or .tty == true", "01"),
            ("(.name == \"web\" or .tty == true) | not", ""),
            (".name | IN(\"web\", \"x\")", "0"),
            (".name | ascii_upcase == \"WEB\"", "0"),
            (".env | type == \"array\"", "0"),
            ("(.name | startswith(\"i\")) and (.image | contains(\"proxy\"))", "1"),
            (".name | startswith(1)", "-"),
            (".none | startswith(\"a\")", ""),
        ] {
            let text = format!(".containers[] | select({condition})");
            let Some(expression) = Expression::parse(&text) else {
                assert_eq!(selected, "-", "{text}");
                continue;
            };
            let pointers: Vec<String> = selected.chars().map(|at| format!("/containers/{at}")).collect();
            assert_eq!(expression.pointers(&object), pointers, "{text}");
            assert!(expression.names_items(), "{text}");
        }
        let inner = ".containers[] | select(.name == \"web\") | .env[] | select(.name == \"B\")";
        assert_eq!(Expression::parse(inner).expect("read").pointers(&object), ["/containers/0/env/1"]);
        let several = ".containers[0].image, .containers[1].image";
        let pointers = Expression::parse(several).expect("read").pointers(&object);
        assert_eq!(pointers, ["/containers/0/image", "/containers/1/image"]);
        assert_eq!(Expression::parse(".containers[]").expect("read").pointers(&object).len(), 2);
        assert!(!Expression::parse(several).expect("read").names_items());
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
