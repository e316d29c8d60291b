//! What `select(…)` asks of a value: paths, comparisons, and the functions that people write there, with jq's precedence.
//!
//! Only a path gives more than one value, and no place twice; what takes two sides takes one value of each but for the left of a
//! comparison. So what a condition costs is bounded by its length and the value's size.

use std::borrow::Cow;

use regex::Regex;
use serde_json::Value;

use super::{Reader, Step, Word};

/// The condition of a `select`, or a part of it: what it makes of a value.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    /// Each handed to the next.
    Pipe(Vec<Condition>),
    /// `a // b`: this, or that where it is nothing.
    Else(Box<Condition>, Box<Condition>),
    Joined(Box<Condition>, Joint, Box<Condition>),
    /// Both sides are equal, or are not.
    Compares(Box<Condition>, bool, Box<Condition>),
    Path(Vec<Step>),
    Literal(Value),
    Call(Function),
}

/// What joins the truth of two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    Or,
    And,
}

/// A function of one value.
#[derive(Debug, Clone)]
pub(super) enum Function {
    Contains(Value),
    StartsWith(String),
    EndsWith(String),
    Test(Box<Regex>),
    Has(String),
    /// One of these.
    Among(Vec<Value>),
    Not,
    Length,
    Type,
    AsText,
    Lower,
    Upper,
}

/// The most that conditions are nested in each other.
const DEEPEST: usize = 32;

impl Condition {
    /// Whether it holds for a value; what fails in jq holds for nothing.
    pub(super) fn holds(&self, value: &Value) -> bool {
        self.values(Cow::Borrowed(value)).iter().any(|it| is_true(it))
    }

    fn values<'v>(&'v self, value: Cow<'v, Value>) -> Vec<Cow<'v, Value>> {
        let owned = |it: Value| vec![Cow::Owned(it)];
        match self {
            Condition::Pipe(stages) => {
                let mut found = vec![value];
                for stage in stages {
                    found = found.into_iter().flat_map(|it| stage.values(it)).collect();
                }
                found
            }
            Condition::Else(first, second) => {
                let there: Vec<_> = first.values(value.clone()).into_iter().filter(|it| is_true(it)).collect();
                if there.is_empty() { second.values(value) } else { there }
            }
            Condition::Joined(one, joint, other) => {
                let Some(left) = one.one(&value) else { return Vec::new() };
                // The left side may decide it.
                if left == (*joint == Joint::Or) {
                    return owned(left.into());
                }
                other.one(&value).map(|right| owned(right.into())).unwrap_or_default()
            }
            Condition::Compares(left, wanted, right) => {
                let Some(right) = right.values(value.clone()).into_iter().next().map(Cow::into_owned) else {
                    return Vec::new();
                };
                let left = left.values(value);
                left.into_iter().map(|it| Cow::Owned((is_same(&it, &right) == *wanted).into())).collect()
            }
            Condition::Path(steps) => match value {
                Cow::Borrowed(value) => walked(steps, value),
                Cow::Owned(value) => walked(steps, &value).into_iter().map(|it| Cow::Owned(it.into_owned())).collect(),
            },
            Condition::Literal(literal) => vec![Cow::Borrowed(literal)],
            Condition::Call(function) => function.of(&value).map(owned).unwrap_or_default(),
        }
    }

    /// The truth of its one value; none where it fails.
    fn one(&self, value: &Value) -> Option<bool> {
        self.values(Cow::Borrowed(value)).first().map(|it| is_true(it))
    }

    /// Whether it gives one value and never several.
    fn is_one(&self) -> bool {
        match self {
            Condition::Pipe(stages) => stages.iter().all(Condition::is_one),
            Condition::Else(one, other) => one.is_one() && other.is_one(),
            Condition::Compares(left, ..) => left.is_one(),
            Condition::Path(steps) => steps.iter().all(|step| matches!(step, Step::Field(_) | Step::Index(_))),
            Condition::Joined(..) | Condition::Literal(_) | Condition::Call(_) => true,
        }
    }
}

/// Where a path leads; what is not there is nothing, which can be compared.
fn walked<'v>(steps: &[Step], value: &'v Value) -> Vec<Cow<'v, Value>> {
    const NOTHING: &Value = &Value::Null;
    let mut found = vec![value];
    for step in steps {
        let next = |it: &'v Value| match step {
            Step::Field(name) => vec![it.get(name).unwrap_or(NOTHING)],
            Step::Index(index) => vec![it.get(*index).unwrap_or(NOTHING)],
            Step::Each | Step::Select(_) => step.within("", it).into_iter().map(|(_, value)| value).collect(),
        };
        found = found.into_iter().flat_map(next).collect();
    }
    found.into_iter().map(Cow::Borrowed).collect()
}

impl Function {
    /// What it makes of a value; `None` where it fails.
    fn of(&self, value: &Value) -> Option<Value> {
        Some(match self {
            Function::Contains(inner) => contains(value, inner)?.into(),
            Function::StartsWith(start) => value.as_str()?.starts_with(start.as_str()).into(),
            Function::EndsWith(end) => value.as_str()?.ends_with(end.as_str()).into(),
            Function::Test(regex) => regex.is_match(value.as_str()?).into(),
            Function::Has(name) => value.as_object()?.contains_key(name).into(),
            Function::Among(several) => several.iter().any(|it| is_same(it, value)).into(),
            Function::Not => (!is_true(value)).into(),
            Function::Length => match value {
                Value::Null => 0.into(),
                Value::String(text) => text.chars().count().into(),
                Value::Array(items) => items.len().into(),
                Value::Object(map) => map.len().into(),
                Value::Number(_) | Value::Bool(_) => return None,
            },
            Function::Type => match value {
                Value::Null => "null",
                Value::Bool(_) => "boolean",
                Value::Number(_) => "number",
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
            }
            .into(),
            Function::AsText => value.as_str().map_or_else(|| value.to_string(), str::to_owned).into(),
            Function::Lower => value.as_str()?.to_ascii_lowercase().into(),
            Function::Upper => value.as_str()?.to_ascii_uppercase().into(),
        })
    }
}

fn is_true(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

/// Numbers are equal by what they are worth.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other).is_eq(),
        _ => one == other,
    }
}

/// jq's `contains` of a literal: a part of a text; of other kinds the same.
fn contains(value: &Value, inner: &Value) -> Option<bool> {
    Some(match (value, inner) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        (one, other) if std::mem::discriminant(one) == std::mem::discriminant(other) => is_same(one, other),
        _ => return None,
    })
}

impl Reader<'_> {
    /// What stands between the parentheses of `select`, or of any others within.
    pub(super) fn condition(&mut self, depth: usize) -> Option<Condition> {
        let mut stages = vec![self.alternatives(depth)?];
        while self.takes("|") {
            stages.push(self.alternatives(depth)?);
        }
        if stages.len() == 1 { stages.pop() } else { Some(Condition::Pipe(stages)) }
    }

    fn alternatives(&mut self, depth: usize) -> Option<Condition> {
        let mut all = vec![self.either(depth)?];
        while self.takes("//") {
            all.push(self.either(depth)?);
        }
        let mut last = all.pop()?;
        while let Some(before) = all.pop() {
            last = Condition::Else(Box::new(before), Box::new(last));
        }
        Some(last)
    }

    fn either(&mut self, depth: usize) -> Option<Condition> {
        self.joined(Joint::Or, |reader| reader.both(depth))
    }

    fn both(&mut self, depth: usize) -> Option<Condition> {
        self.joined(Joint::And, |reader| reader.comparison(depth))
    }

    /// Sides with the same word between them; each has to be one value.
    fn joined(&mut self, joint: Joint, side: impl Fn(&mut Self) -> Option<Condition>) -> Option<Condition> {
        let word = match joint {
            Joint::Or => "or",
            Joint::And => "and",
        };
        let mut left = side(self)?;
        while self.takes_name(word) {
            let right = side(self)?;
            let are_one = left.is_one() && right.is_one();
            left = are_one.then(|| Condition::Joined(Box::new(left), joint, Box::new(right)))?;
        }
        Some(left)
    }

    fn comparison(&mut self, depth: usize) -> Option<Condition> {
        let left = self.operand(depth)?;
        let wanted = match self.sign() {
            Some("==") => true,
            Some("!=") => false,
            _ => return Some(left),
        };
        self.skip();
        let right = self.operand(depth)?;
        right.is_one().then(|| Condition::Compares(Box::new(left), wanted, Box::new(right)))
    }

    fn operand(&mut self, depth: usize) -> Option<Condition> {
        if self.takes("(") {
            let inner = if depth == DEEPEST { None } else { self.condition(depth + 1) }?;
            return self.takes(")").then_some(inner);
        }
        if let Some(literal) = self.literal() {
            return Some(Condition::Literal(literal));
        }
        if matches!(self.first(), Some(Word::Name(_))) {
            return self.function().map(Condition::Call);
        }
        let mut steps = Vec::new();
        self.path(&mut steps)?;
        Some(Condition::Path(steps))
    }

    fn function(&mut self) -> Option<Function> {
        let Some(Word::Name(name)) = self.first().cloned() else { return None };
        self.skip();
        let simple = match name.as_str() {
            "not" => Some(Function::Not),
            "length" => Some(Function::Length),
            "type" => Some(Function::Type),
            "tostring" => Some(Function::AsText),
            "ascii_downcase" => Some(Function::Lower),
            "ascii_upcase" => Some(Function::Upper),
            _ => None,
        };
        if simple.is_some() {
            return simple;
        }
        self.takes("(").then_some(())?;
        let mut given = vec![self.literal()?];
        while self.takes(",") {
            given.push(self.literal()?);
        }
        self.takes(")").then_some(())?;
        if name == "IN" {
            return Some(Function::Among(given));
        }
        let given = if given.len() == 1 { given.pop() } else { None }?;
        let text = || given.as_str().map(str::to_owned);
        match name.as_str() {
            "contains" => Some(Function::Contains(given)),
            "startswith" => text().map(Function::StartsWith),
            "endswith" => text().map(Function::EndsWith),
            "test" => text().and_then(|it| Regex::new(&it).ok()).map(|it| Function::Test(Box::new(it))),
            "has" => text().map(Function::Has),
            _ => None,
        }
    }

    /// A text, a number, or what is called by a name.
    fn literal(&mut self) -> Option<Value> {
        let value = match self.first()? {
            Word::Literal(value) => value.clone(),
            Word::Name(name) => match name.as_str() {
                "null" => Value::Null,
                "true" => true.into(),
                "false" => false.into(),
                _ => return None,
            },
            _ => return None,
        };
        self.skip();
        Some(value)
    }
}
