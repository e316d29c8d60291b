//! JSONPath as kubectl and Helm write it: text with `{…}` in it (Kubernetes: `client-go/util/jsonpath`).

use landfall_gotemplate::format;
use serde_json::Value;

use super::gojson::{self, Shape};

/// Most values that a path may come to; `..` in `..` grows without end otherwise.
const MAX_VALUES: usize = 1_000_000;
/// How deep paths may stand in filters.
const MAX_DEPTH: u8 = 16;

/// A template, read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct JsonPath {
    parts: Vec<Part>,
}

/// What stands between braces, or around them.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Path(Vec<Step>),
    /// `{range …}`: up to its `{end}`.
    Range(Vec<Step>),
    End,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    Wildcard,
    Everything,
    Slice { start: Option<i64>, end: End, step: Option<i64> },
    Filter { left: Vec<Step>, operator: String, right: Vec<Step> },
    Union(Vec<Vec<Step>>),
    Literal(Value),
}

/// Where a slice ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    /// It is one element.
    One,
    At(i64),
    Last,
}

impl JsonPath {
    /// Reads a template.
    ///
    /// # Errors
    /// Kubernetes' words for what cannot be read.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        Self::parse_at(text, 0)
    }

    fn parse_at(text: &str, depth: u8) -> Result<Self, String> {
        if depth > MAX_DEPTH {
            return Err("paths are nested too deeply".to_owned());
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            if open > 0 {
                parts.push(Part::Text(rest[..open].to_owned()));
            }
            let mut reader = Reader { rest: &rest[open + 1..], depth };
            parts.push(reader.action()?);
            rest = reader.rest;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(JsonPath { parts })
    }

    /// The steps of a path that stands alone.
    fn steps(text: &str, depth: u8) -> Result<Vec<Step>, String> {
        match Self::parse_at(&format!("{{{text}}}"), depth + 1)?.parts.into_iter().next() {
            Some(Part::Path(steps) | Part::Range(steps)) => Ok(steps),
            _ => Ok(Vec::new()),
        }
    }

    /// What a template makes of a value.
    ///
    /// # Errors
    /// A key that is not there, or an index out of bounds.
    pub(super) fn write(&self, data: &Value) -> Result<String, String> {
        let mut out = String::new();
        let used = write_parts(&self.parts, data, &mut out, false)?;
        match used < self.parts.len() {
            true => Err("not in range, nothing to end".to_owned()),
            false => Ok(out),
        }
    }
}

/// Writes parts up to the `{end}` that belongs to the range around them; gives how many they were.
fn write_parts(parts: &[Part], data: &Value, out: &mut String, inside: bool) -> Result<usize, String> {
    let mut at = 0;
    while let Some(part) = parts.get(at) {
        at += 1;
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Path(steps) => {
                let found = walk(vec![data.clone()], steps)?;
                let texts: Vec<String> = found.iter().map(shown).collect();
                out.push_str(&texts.join(" "));
            }
            Part::Range(steps) => {
                let length = range_length(&parts[at..]);
                for value in walk(vec![data.clone()], steps)? {
                    write_parts(&parts[at..at + length], &value, out, true)?;
                }
                at += length;
            }
            Part::End if inside => return Ok(at),
            Part::End => return Ok(at - 1),
        }
    }
    Ok(at)
}

/// How many parts belong to a range, its end among them.
fn range_length(parts: &[Part]) -> usize {
    let mut open = 1;
    for (at, part) in parts.iter().enumerate() {
        match part {
            Part::Range(_) => open += 1,
            Part::End => open -= 1,
            _ => {}
        }
        if open == 0 {
            return at + 1;
        }
    }
    parts.len()
}

/// A value as it is printed: what holds others as JSON, all else as Go prints it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => text.clone(),
        // In Go every number of a YAML file is a float.
        Value::Number(number) => {
            let number = landfall_gotemplate::Value::from(number.as_f64().unwrap_or_default());
            String::from_utf8_lossy(&format::display(&number)).into_owned()
        }
        value => gojson::line(value, &Shape::Sorted).trim_end().to_owned(),
    }
}

/// What steps lead to from some values.
fn walk(from: Vec<Value>, steps: &[Step]) -> Result<Vec<Value>, String> {
    let mut values = from;
    for step in steps {
        values = step.from(values)?;
        if values.len() > MAX_VALUES {
            return Err(format!("the path leads to more than {MAX_VALUES} values"));
        }
    }
    Ok(values)
}

/// The values that a value holds.
fn inner(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        Value::Object(map) => map.into_iter().map(|(_, value)| value).collect(),
        _ => Vec::new(),
    }
}

impl Step {
    fn from(&self, values: Vec<Value>) -> Result<Vec<Value>, String> {
        match self {
            Step::Field(name) => {
                if values.is_empty() {
                    return Ok(values);
                }
                let found: Vec<Value> =
                    values.into_iter().filter_map(|value| value.as_object()?.get(name).cloned()).collect();
                if found.is_empty() { Err(format!("{name} is not found")) } else { Ok(found) }
            }
            Step::Wildcard => Ok(values.into_iter().flat_map(inner).collect()),
            Step::Everything => {
                let mut found = Vec::new();
                for value in values {
                    descend(value, &mut found)?;
                }
                Ok(found)
            }
            Step::Slice { start, end, step } => {
                let mut found = Vec::new();
                for value in values {
                    let list = match value {
                        Value::Null => continue,
                        Value::Array(list) => list,
                        other => return Err(format!("{} is not array or slice", kind(&other))),
                    };
                    let Some((start, end)) = bounds(list.len(), *start, *end)? else { return Ok(found) };
                    let step = step.unwrap_or(1);
                    let step = usize::try_from(step).ok().filter(|step| *step > 0).ok_or("step must be > 0")?;
                    found.extend(list.into_iter().take(end).skip(start).step_by(step));
                }
                Ok(found)
            }
            Step::Filter { left, operator, right } => {
                let mut found = Vec::new();
                for value in values {
                    let Value::Array(list) = value else {
                        return Err(format!("{} is not array or slice and cannot be filtered", shown(&value)));
                    };
                    for element in list {
                        if passes(&element, left, operator, right)? {
                            found.push(element);
                        }
                    }
                }
                Ok(found)
            }
            Step::Union(paths) => {
                let mut found = Vec::new();
                for path in paths {
                    found.extend(walk(values.clone(), path)?);
                }
                Ok(found)
            }
            Step::Literal(value) => Ok(values.iter().map(|_| value.clone()).collect()),
        }
    }
}

/// A value and all that it holds, where it holds any.
fn descend(value: Value, into: &mut Vec<Value>) -> Result<(), String> {
    let held = inner(value.clone());
    if held.is_empty() {
        return Ok(());
    }
    if into.len() > MAX_VALUES {
        return Err(format!("the path leads to more than {MAX_VALUES} values"));
    }
    into.push(value);
    held.into_iter().try_for_each(|value| descend(value, into))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "map[string]interface {}",
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        _ => "float64",
    }
}

/// The bounds of a slice in a list; `None` where it is empty.
fn bounds(length: usize, start: Option<i64>, end: End) -> Result<Option<(usize, usize)>, String> {
    let length = length as i64;
    let from_end = |at: i64| if at < 0 { at + length } else { at };
    let first = from_end(start.unwrap_or(0));
    let last = match end {
        // The element before the first one from the end ends at the list's end.
        End::One => match start.unwrap_or(0) + 1 {
            at if at <= 0 => at + length,
            at => at,
        },
        End::At(at) => from_end(at),
        End::Last => length,
    };
    if first == last {
        return Ok(None);
    }
    let outside = |at: i64| Err(format!("array index out of bounds: index {at}, length {length}"));
    if first >= length || first < 0 {
        return outside(first);
    }
    if last > length || last < 0 {
        return outside(last - 1);
    }
    if first > last {
        return Err(format!("starting index {first} is greater than ending index {last}"));
    }
    Ok(Some((first as usize, last as usize)))
}

fn passes(element: &Value, left: &[Step], operator: &str, right: &[Step]) -> Result<bool, String> {
    let left = walk(vec![element.clone()], left);
    if operator == "exists" {
        return Ok(left.is_ok_and(|found| !found.is_empty()));
    }
    let (left, right) = (left?, walk(vec![element.clone()], right)?);
    let (left, right) = match (left.as_slice(), right.as_slice()) {
        ([], _) | (_, []) => return Ok(false),
        ([left], [right]) => (left, right),
        _ => return Err("can only compare one element at a time".to_owned()),
    };
    let order = match (left, right) {
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) if matches!(operator, "==" | "!=") => left.cmp(right),
        (Value::Bool(_), Value::Bool(_)) => return Err("invalid type for comparison".to_owned()),
        // A whole number in a path is an integer, and Go compares none with a float.
        (Value::Number(left), Value::Number(right)) if right.is_f64() => {
            left.as_f64().unwrap_or_default().total_cmp(&right.as_f64().unwrap_or_default())
        }
        _ => return Err("incompatible types for comparison".to_owned()),
    };
    Ok(match operator {
        "<" => order.is_lt(),
        ">" => order.is_gt(),
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<=" => order.is_le(),
        ">=" => order.is_ge(),
        other => return Err(format!("unrecognized filter operator {other}")),
    })
}

struct Reader<'t> {
    rest: &'t str,
    depth: u8,
}

fn ends_a_name(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}

impl<'t> Reader<'t> {
    fn take(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn split(&mut self, at: usize) -> &'t str {
        let (front, rest) = self.rest.split_at(at);
        self.rest = rest;
        front
    }

    /// Reads up to the closing brace, which is taken too.
    fn action(&mut self) -> Result<Part, String> {
        let mut steps = Vec::new();
        let mut word = None;
        loop {
            if let Some(rest) = self.rest.strip_prefix("[?(") {
                self.rest = rest;
                steps.push(self.filter()?);
                continue;
            }
            if let Some(rest) = self.rest.strip_prefix("..") {
                if steps.last() == Some(&Step::Everything) {
                    return Err("invalid multiple recursive descent".to_owned());
                }
                self.rest = rest;
                steps.push(Step::Everything);
                if rest.starts_with(|c: char| c == '_' || c.is_alphanumeric()) {
                    steps.push(self.field());
                }
                continue;
            }
            match self.take() {
                None | Some('\n' | '\r') => return Err("unclosed action".to_owned()),
                Some('}') => break,
                Some(' ' | '@' | '$') => {}
                Some('.') => steps.push(self.field()),
                Some('[') => {
                    let end = self.rest.find([']', '\n']).filter(|at| self.rest[*at..].starts_with(']'));
                    let text = self.split(end.ok_or("unterminated array")?);
                    self.take();
                    self.array(text, &mut steps)?;
                }
                Some(quote @ ('"' | '\'')) => steps.push(Step::Literal(Value::String(self.quoted(quote)?))),
                Some(c) if c == '+' || c == '-' || c.is_ascii_digit() => {
                    let end = self.rest.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(self.rest.len());
                    let text = format!("{c}{}", self.split(end));
                    let whole = text.parse::<i64>().map(Value::from);
                    let number = whole.or_else(|_| text.parse::<f64>().map(Value::from));
                    steps.push(Step::Literal(number.map_err(|_| format!("cannot parse number {text}"))?));
                }
                Some(c) if c == '_' || c.is_alphanumeric() => {
                    let end = self.rest.find(ends_a_name).unwrap_or(self.rest.len());
                    match format!("{c}{}", self.split(end)).as_str() {
                        truth @ ("true" | "false") => steps.push(Step::Literal(Value::Bool(truth == "true"))),
                        known @ ("range" | "end") => word = Some(known == "range"),
                        other => return Err(format!("unrecognized identifier {other}")),
                    }
                }
                Some(c) => return Err(format!("unrecognized character in action: U+{:04X} '{c}'", u32::from(c))),
            }
        }
        Ok(match word {
            None => Part::Path(steps),
            Some(true) => Part::Range(steps),
            Some(false) => Part::End,
        })
    }

    fn field(&mut self) -> Step {
        let mut name = String::new();
        while let Some(c) = self.rest.chars().next() {
            if c == '\\' {
                self.take();
                name.extend(self.take());
            } else if ends_a_name(c) {
                break;
            } else {
                name.push(c);
                self.take();
            }
        }
        if name == "*" { Step::Wildcard } else { Step::Field(name) }
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.take() {
                None | Some('\n') => return Err("unterminated quoted string".to_owned()),
                Some(c) if c == quote => return Ok(text),
                Some('\\') => match self.take() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some(c @ ('\\' | '"' | '\'')) => text.push(c),
                    _ => return Err("unquote string error invalid syntax".to_owned()),
                },
                Some(c) => text.push(c),
            }
        }
    }

    /// What stands between brackets.
    fn array(&self, text: &str, steps: &mut Vec<Step>) -> Result<(), String> {
        if text == "*" {
            steps.push(Step::Slice { start: None, end: End::Last, step: None });
            return Ok(());
        }
        if text.contains(',') {
            let each = |one: &str| JsonPath::steps(&format!("[{}]", one.trim_matches(' ')), self.depth);
            steps.push(Step::Union(text.split(',').map(each).collect::<Result<_, _>>()?));
            return Ok(());
        }
        let key = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).filter(|key| !key.contains('\''));
        if let Some(key) = key {
            steps.extend(JsonPath::steps(&format!(".{key}"), self.depth)?);
            return Ok(());
        }
        let invalid = || format!("invalid array index {text}");
        let numbers: Vec<&str> = text.split(':').collect();
        if numbers.len() > 3 {
            return Err(invalid());
        }
        let number = |at: usize| match numbers.get(at) {
            None | Some(&"") => Ok(None),
            Some(text) => text.parse::<i64>().map(Some).map_err(|_| invalid()),
        };
        let (start, end, step) = (number(0)?, number(1)?, number(2)?);
        let end = match end {
            Some(at) => End::At(at),
            None if numbers.len() > 1 => End::Last,
            None => End::One,
        };
        steps.push(Step::Slice { start, end, step });
        Ok(())
    }

    /// A filter, up to `)]`.
    fn filter(&mut self) -> Result<Step, String> {
        let mut quote = None;
        let mut before = ' ';
        let end = self.rest.char_indices().find(|(_, c)| {
            match (quote, *c) {
                (None, '"' | '\'') => quote = Some(*c),
                (Some(open), c) if c == open && before != '\\' => quote = None,
                (None, ')' | '\n') => return true,
                _ => {}
            }
            before = *c;
            false
        });
        let Some((end, ')')) = end else { return Err("unterminated filter".to_owned()) };
        let text = self.split(end);
        self.rest = self.rest[1..].strip_prefix(']').ok_or("unclosed array expect ]")?;
        let is_operator = |c: char| matches!(c, '!' | '<' | '>' | '=');
        let compared = text.find(is_operator).filter(|at| *at > 0).and_then(|at| {
            let behind = text[at..].find(|c| !is_operator(c))? + at;
            Some((&text[..at], &text[at..behind], &text[behind..]))
        });
        let (left, operator, right) = compared.unwrap_or((text, "exists", ""));
        let (left, right) = (JsonPath::steps(left, self.depth)?, JsonPath::steps(right, self.depth)?);
        Ok(Step::Filter { left, operator: operator.to_owned(), right })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(path: &str) -> Result<String, String> {
        let data = serde_json::json!({
            "image": {"repository": "nginx", "tag": "1.27"},
            "replicas": 3, "big": 1_000_000, "half": 0.5, "on": true, "none": null,
            "ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}, {"name": "admin", "port": 9090.5}],
            "a.b": "dotted",
        });
        JsonPath::parse(path)?.write(&data)
    }

    #[test]
    fn paths_give_what_kubernetes_gives() {
        // Observed with helm 3.22.0: `show values --jsonpath`.
        for (path, text) in [
            ("{.image.tag}", "1.27"),
            ("{.image}", r#"{"repository":"nginx","tag":"1.27"}"#),
            ("{.replicas} of {.big}, {.half}", "3 of 1e+06, 0.5"),
            ("{.on}{.none}", "truenull"),
            ("{.ports[0].name} {.ports[-1].name}", "http admin"),
            ("{.ports[*].name}", "http https admin"),
            ("{.ports[0:2].name}", "http https"),
            ("{.ports[::2].name}", "http admin"),
            ("{.ports[0,2].name}", "http admin"),
            ("{range .ports[*]}{.name}={.port}{\"\\n\"}{end}done", "http=80\nhttps=443\nadmin=9090.5\ndone"),
            ("{.ports[?(@.name==\"https\")].port}", "443"),
            ("{.ports[?(@.port>100.0)].name}", "https admin"),
            ("{..tag}", "1.27"),
            ("{.a\\.b}{['image']['tag']}", "dotted1.27"),
            ("plain", "plain"),
            ("{.image.*}", "nginx 1.27"),
        ] {
            assert_eq!(made(path).as_deref(), Ok(text), "{path}");
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        for (path, words) in [
            ("{.nope}", "nope is not found"),
            ("{.ports[3]}", "array index out of bounds: index 3, length 3"),
            ("{.ports[?(@.port>100)].name}", "incompatible types for comparison"),
            ("{.image", "unclosed action"),
            ("{.ports[", "unterminated array"),
            ("{.ports[x]}", "invalid array index x"),
            ("{end}", "not in range, nothing to end"),
            ("{.....}", "invalid multiple recursive descent"),
        ] {
            assert_eq!(made(path), Err(words.to_owned()), "{path}");
        }
    }
}
