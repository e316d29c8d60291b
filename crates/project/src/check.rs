//! Checks a file's content against the schema of its types and says where it does not fit.

use std::collections::HashSet;

use landfall_diag::{Diagnostic, Place, code, nearest};
use landfall_yaml::{Document, Node, Step};
use serde_json::Value;

use crate::parse::place_of;
use crate::word;

/// What does not fit, in the order of the file's keys.
pub(crate) fn check<'a>(
    file: &'a str,
    document: &'a Document<'a>,
    content: &Value,
    schema: &'a Value,
) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let mut check = Check { file, document, root: schema, findings: &mut findings };
    check.value(&mut Vec::new(), content, schema);
    findings
}

/// Puts findings in the order of the file, each place of it once: what an alias repeats is one fault.
pub(crate) fn in_order(findings: &mut Vec<Diagnostic>) {
    let spot = |finding: &Diagnostic| finding.labels.first().map(|label| (label.place.line, label.place.column));
    findings.sort_by_key(spot);
    let mut told = HashSet::new();
    findings.retain(|finding| match spot(finding) {
        Some((line, column)) if line > 0 => {
            told.insert((finding.code, line, column, finding.labels.first().map(|label| label.text.clone())))
        }
        _ => true,
    });
}

/// Tells that a text is not what its place wants.
fn unfitting(what: &str, text: &str, place: Place, unfit: word::Unfit) -> Diagnostic {
    let finding =
        Diagnostic::error(code::UNFIT, format!("{what} cannot be `{}`", short(text))).primary(place, unfit.wanted);
    match unfit.near {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding,
    }
}

/// A text as it is repeated in a message: its beginning, when it is long.
fn short(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// One step from the root to the value that is being checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum At {
    Key(String),
    Index(usize),
}

struct Check<'a> {
    file: &'a str,
    document: &'a Document<'a>,
    root: &'a Value,
    findings: &'a mut Vec<Diagnostic>,
}

impl<'a> Check<'a> {
    fn value(&mut self, path: &mut Vec<At>, value: &Value, schema: &'a Value) {
        let schema = self.resolve(schema);
        for word in ["anyOf", "oneOf"] {
            if let Some(choices) = schema.get(word).and_then(Value::as_array) {
                self.one_of(path, value, choices);
                return;
            }
        }
        if let Some(fixed) = schema.get("const") {
            if fixed != value {
                self.wrong(path, value, &format!("`{}`", text(fixed)));
            }
            return;
        }
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            if !words.contains(value) {
                self.not_a_word(path, value, words);
            }
            return;
        }
        if let Some(wanted) = schema.get("type")
            && !fits(value, wanted)
        {
            self.wrong(path, value, &type_words(wanted));
            return;
        }
        match value {
            Value::String(text) => self.text(path, text, schema),
            Value::Number(number) => self.number(path, number.as_f64().unwrap_or_default(), schema),
            Value::Object(map) => {
                self.keys(path, map, schema);
                let properties = schema.get("properties").and_then(Value::as_object);
                let rest = schema.get("additionalProperties");
                for (key, value) in map {
                    path.push(At::Key(key.clone()));
                    match (properties.and_then(|known| known.get(key)), rest) {
                        (Some(schema), _) => self.value(path, value, schema),
                        (None, Some(Value::Bool(false))) => {
                            let known = properties.into_iter().flat_map(|known| known.keys().map(String::as_str));
                            self.unknown(path, key, known);
                        }
                        (None, Some(schema @ Value::Object(_))) => self.value(path, value, schema),
                        (None, _) => {}
                    }
                    path.pop();
                }
                let required = schema.get("required").and_then(Value::as_array);
                for key in required.into_iter().flatten().filter_map(Value::as_str) {
                    if !map.contains_key(key) {
                        self.missing(path, key);
                    }
                }
            }
            Value::Array(items) => {
                if items.is_empty() && schema.get("minItems").and_then(Value::as_u64).is_some_and(|least| least > 0) {
                    self.empty(path, "a list of at least one");
                }
                if let Some(schema) = schema.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        path.push(At::Index(index));
                        self.value(path, item, schema);
                        path.pop();
                    }
                }
            }
            _ => {}
        }
    }

    /// Holds a text against the rule that the schema names.
    fn text(&mut self, path: &[At], text: &str, schema: &Value) {
        if let Some(judge) = schema.get(word::RULE).and_then(Value::as_str).and_then(word::judge) {
            if let Err(unfit) = judge(text) {
                let place = self.value_place(path);
                self.findings.push(unfitting(&format!("`{}`", dotted(path)), text, place, unfit));
            }
        } else if text.trim().is_empty() && schema.get("minLength").is_some() {
            self.empty(path, "a text that is not empty");
        }
    }

    /// Holds a map's keys against the rule that the schema names for them.
    fn keys(&mut self, path: &mut Vec<At>, map: &serde_json::Map<String, Value>, schema: &Value) {
        let rule = schema.get("propertyNames").and_then(|names| names.get(word::RULE)).and_then(Value::as_str);
        let Some(judge) = rule.and_then(word::judge) else { return };
        for key in map.keys() {
            if let Err(unfit) = judge(key) {
                let within = dotted(path);
                path.push(At::Key(key.clone()));
                let place = self.key_place(path);
                path.pop();
                self.findings.push(unfitting(&format!("a key of `{within}`"), key, place, unfit));
            }
        }
    }

    fn number(&mut self, path: &[At], number: f64, schema: &Value) {
        let bound = |word: &str| schema.get(word).and_then(Value::as_f64);
        let (least, most) = (bound("minimum"), bound("maximum"));
        if least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most) {
            return;
        }
        let wanted = match (least, most) {
            (Some(least), Some(most)) => format!("from {least} to {most}"),
            (Some(least), None) => format!("{least} or more"),
            (None, most) => format!("{} or less", most.unwrap_or_default()),
        };
        let place = self.value_place(path);
        self.findings.push(
            Diagnostic::error(code::UNFIT, format!("`{}` cannot be {number}", dotted(path)))
                .primary(place, format!("it is {wanted}")),
        );
    }

    fn empty(&mut self, path: &[At], wanted: &str) {
        let place = self.value_place(path);
        self.findings.push(
            Diagnostic::error(code::WRONG_TYPE, format!("`{}` must be {wanted}", dotted(path)))
                .primary(place, "this is empty"),
        );
    }

    /// Takes the choice that the value means: the one of its type, of several the one with the fewest findings.
    fn one_of(&mut self, path: &mut Vec<At>, value: &Value, choices: &'a [Value]) {
        let mut words = Vec::new();
        self.words(choices, &mut words);
        if value.is_string() && !words.is_empty() && !self.takes_any_text(choices) {
            if !words.contains(value) {
                self.not_a_word(path, value, &words);
            }
            return;
        }
        let mut best: Option<Vec<Diagnostic>> = None;
        let mut wanted = Vec::new();
        for choice in choices {
            let resolved = self.resolve(choice);
            if resolved.get("type").is_none() && resolved.get("enum").is_none() && !self.may_be(value, choice) {
                let mut words = Vec::new();
                self.words(std::slice::from_ref(choice), &mut words);
                wanted.extend(words.iter().map(|word| format!("`{}`", text(word))));
                continue;
            }
            if let Some(kind) = resolved.get("type") {
                if !fits(value, kind) {
                    if kind != "null" {
                        wanted.push(type_words(kind));
                    }
                    continue;
                }
            } else if let Some(words) = resolved.get("enum").and_then(Value::as_array)
                && !value.is_string()
            {
                wanted.push(words.iter().map(|word| format!("`{}`", text(word))).collect::<Vec<_>>().join(" or "));
                continue;
            }
            let mut findings = Vec::new();
            let mut check =
                Check { file: self.file, document: self.document, root: self.root, findings: &mut findings };
            check.value(path, value, choice);
            if best.as_ref().is_none_or(|least| findings.len() < least.len()) {
                best = Some(findings);
            }
        }
        match best {
            Some(findings) => self.findings.extend(findings),
            None => self.wrong(path, value, &wanted.join(" or ")),
        }
    }

    /// Whether a value is of a type that the schema takes at all.
    fn may_be(&self, value: &Value, schema: &'a Value) -> bool {
        let schema = self.resolve(schema);
        let same_type = |word: &Value| std::mem::discriminant(word) == std::mem::discriminant(value);
        let choices = ["anyOf", "oneOf"].into_iter().find_map(|word| schema.get(word).and_then(Value::as_array));
        if let Some(choices) = choices {
            return choices.iter().any(|choice| self.may_be(value, choice));
        }
        match (schema.get("const"), schema.get("enum").and_then(Value::as_array), schema.get("type")) {
            (Some(word), ..) => same_type(word),
            (None, Some(words), _) => words.iter().any(same_type),
            (None, None, Some(wanted)) => fits(value, wanted),
            (None, None, None) => true,
        }
    }

    /// The fixed words among choices, however deep they are nested.
    fn words(&self, choices: &'a [Value], words: &mut Vec<Value>) {
        for choice in choices {
            let choice = self.resolve(choice);
            if let Some(word) = choice.get("const") {
                words.push(word.clone());
            }
            for list in ["anyOf", "oneOf"] {
                self.words(choice.get(list).and_then(Value::as_array).map_or(&[], Vec::as_slice), words);
            }
            words.extend(choice.get("enum").and_then(Value::as_array).into_iter().flatten().cloned());
        }
    }

    fn takes_any_text(&self, choices: &'a [Value]) -> bool {
        choices.iter().map(|choice| self.resolve(choice)).any(|choice| {
            choice.get("const").is_none()
                && choice.get("enum").is_none()
                && choice.get("type").is_some_and(|kind| fits(&Value::String(String::new()), kind))
        })
    }

    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let reference = schema.get("$ref").and_then(Value::as_str);
        reference.and_then(|name| self.root.pointer(name.trim_start_matches('#'))).unwrap_or(schema)
    }

    fn unknown<'k>(&mut self, path: &[At], key: &str, known: impl Iterator<Item = &'k str>) {
        let known: Vec<&str> = known.collect();
        let near = nearest(key, known.iter().copied());
        let place = self.key_place(path);
        let mut finding = Diagnostic::error(code::UNKNOWN_KEY, format!("`{key}` is not a key of {}", section(path)))
            .primary(place, "not known here");
        finding = match near {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => finding.help(format!("known keys: {}", known.join(", "))),
        };
        self.findings.push(finding);
    }

    fn missing(&mut self, path: &[At], key: &str) {
        let place = self.value_place(path);
        self.findings.push(
            Diagnostic::error(code::MISSING_KEY, format!("`{key}` is missing in {}", self_name(path)))
                .primary(place, "needed here")
                .help(format!("add `{key}:`")),
        );
    }

    fn wrong(&mut self, path: &[At], value: &Value, wanted: &str) {
        let place = self.value_place(path);
        self.findings.push(
            Diagnostic::error(code::WRONG_TYPE, format!("{} must be {wanted}", self_name(path)))
                .primary(place, format!("this is {}", kind_words(value))),
        );
    }

    fn not_a_word(&mut self, path: &[At], value: &Value, words: &[Value]) {
        let place = self.value_place(path);
        let known: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        let mut finding =
            Diagnostic::error(code::NOT_A_CHOICE, format!("`{}` cannot be `{}`", dotted(path), text(value)))
                .primary(place, "not one of the known words");
        if let Some(near) = value.as_str().and_then(|word| nearest(word, known.iter().copied())) {
            finding = finding.help(format!("did you mean `{near}`?"));
        }
        self.findings.push(finding.note(format!("known: {}", known.join(", "))));
    }

    fn node(&self, path: &[At]) -> Option<Node<'_>> {
        let steps: Vec<Step<'_>> = path
            .iter()
            .map(|at| match at {
                At::Key(key) => Step::Key(key),
                At::Index(index) => Step::Index(*index),
            })
            .collect();
        self.document.at(&steps)
    }

    fn key_place(&self, path: &[At]) -> Place {
        let parent = path.split_last().and_then(|(last, parent)| match last {
            At::Key(key) => self.node(parent).and_then(|node| node.target().get_entry(key)).map(|(key, _)| key),
            At::Index(_) => None,
        });
        match parent {
            Some(key) => self.place(key),
            None => self.value_place(path),
        }
    }

    fn value_place(&self, path: &[At]) -> Place {
        let mut path = path;
        loop {
            if let Some(node) = self.node(path) {
                return self.place(node);
            }
            match path.split_last() {
                Some((_, parent)) => path = parent,
                None => return Place::file(self.file),
            }
        }
    }

    fn place(&self, node: Node<'_>) -> Place {
        place_of(self.file, self.document.source(), node.span())
    }
}

/// The section that a key stands in, for messages.
fn section(path: &[At]) -> String {
    match path.split_last() {
        Some((_, parent)) => self_name(parent),
        None => "`landfall.yaml`".to_owned(),
    }
}

fn self_name(path: &[At]) -> String {
    if path.is_empty() { "`landfall.yaml`".to_owned() } else { format!("`{}`", dotted(path)) }
}

/// A path as people write it: `environments.local.releases[0].chart`.
fn dotted(path: &[At]) -> String {
    let mut out = String::new();
    for at in path {
        match at {
            At::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(key);
            }
            At::Index(index) => out.push_str(&format!("[{index}]")),
        }
    }
    out
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn fits(value: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::String(word) => match word.as_str() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "null" => value.is_null(),
            _ => true,
        },
        Value::Array(words) => words.iter().any(|word| fits(value, word)),
        _ => true,
    }
}

fn type_words(wanted: &Value) -> String {
    match wanted {
        Value::String(word) => match word.as_str() {
            "object" => "a map".to_owned(),
            "array" => "a list".to_owned(),
            "string" => "a text".to_owned(),
            "boolean" => "`true` or `false`".to_owned(),
            "integer" => "a whole number".to_owned(),
            "number" => "a number".to_owned(),
            word => word.to_owned(),
        },
        Value::Array(words) => {
            words.iter().filter(|word| *word != "null").map(type_words).collect::<Vec<_>>().join(" or ")
        }
        _ => "something else".to_owned(),
    }
}

fn kind_words(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "`true` or `false`; put it in quotes if a text is meant",
        Value::Number(_) => "a number; put it in quotes if a text is meant",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
