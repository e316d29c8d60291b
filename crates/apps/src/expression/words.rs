//! The words of a jq expression, as far as fields are named by them.

use serde_json::Value;

/// One word.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    /// `.name`, `."a/b"`: a field, with its point.
    Field(String),
    /// A point alone.
    Point,
    /// `name`: a function, or an operator.
    Name(String),
    /// A text or a number.
    Literal(Value),
    /// `==`, `|`, `[`, …
    Sign(&'static str),
}

/// The longest first: what begins alike is told apart by its length.
const SIGNS: &[&str] = &["==", "!=", "<=", ">=", "//", "<", ">", "|", ",", "(", ")", "[", "]", "?"];

/// The words of a text; `None` where something else stands.
pub(super) fn words(text: &str) -> Option<Vec<Word>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '.' => field(&rest[1..])?,
            '"' => quoted(rest)?,
            '-' | '0'..='9' => number(rest)?,
            'a'..='z' | 'A'..='Z' | '_' => {
                let end = end_of_name(rest);
                (Word::Name(rest[..end].to_owned()), &rest[end..])
            }
            _ => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign))?;
                (Word::Sign(sign), &rest[sign.len()..])
            }
        };
        found.push(word);
        rest = after.trim_start();
    }
    Some(found)
}

/// What stands behind a point.
fn field(rest: &str) -> Option<(Word, &str)> {
    match rest.chars().next() {
        Some('"') => match quoted(rest)? {
            (Word::Literal(Value::String(name)), after) => Some((Word::Field(name), after)),
            _ => None,
        },
        Some(first) if first.is_ascii_alphabetic() || first == '_' => {
            let end = end_of_name(rest);
            Some((Word::Field(rest[..end].to_owned()), &rest[end..]))
        }
        // `..`, and numbers that begin with a point.
        Some(first) if first == '.' || first.is_ascii_digit() => None,
        _ => Some((Word::Point, rest)),
    }
}

/// A text as JSON has it; one in which something is put in (`\(…)`) is none.
fn quoted(rest: &str) -> Option<(Word, &str)> {
    let mut read = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let text = read.next()?.ok()?;
    Some((Word::Literal(Value::String(text)), &rest[read.byte_offset()..]))
}

fn number(rest: &str) -> Option<(Word, &str)> {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
    let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
    let number: serde_json::Number = serde_json::from_str(&rest[..end]).ok()?;
    Some((Word::Literal(Value::Number(number)), &rest[end..]))
}

fn end_of_name(rest: &str) -> usize {
    rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len())
}
