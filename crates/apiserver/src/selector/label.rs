//! Label selectors, as text and as `metav1.LabelSelector`.
//!
//! Grammar and error texts follow apimachinery `pkg/labels/selector.go`.

use serde_json::Value;

use crate::status::Status;
use crate::validate::qualified_name;

/// All requirements must hold; none means everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
    nothing: bool,
}

/// One requirement.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// What must hold for its value.
    pub operator: Operator,
    /// The values to compare with.
    pub values: Vec<String>,
}

/// How a requirement compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// One of the values.
    In,
    /// Absent, or none of the values.
    NotIn,
    /// Present.
    Exists,
    /// Absent.
    DoesNotExist,
    /// A number above the value.
    GreaterThan,
    /// A number below the value.
    LessThan,
}

impl LabelSelector {
    /// Selects everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Selects nothing.
    pub fn nothing() -> Self {
        Self { requirements: Vec::new(), nothing: true }
    }

    /// Selects objects that carry all these labels: a Service's `spec.selector`.
    pub fn from_labels(labels: &Value) -> Self {
        let requirements = labels
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| Requirement {
                key: key.clone(),
                operator: Operator::In,
                values: vec![value.as_str().unwrap_or_default().to_owned()],
            })
            .collect();
        Self { requirements, nothing: false }
    }

    /// From a `metav1.LabelSelector`; null selects nothing, an empty one everything.
    pub fn from_value(selector: &Value) -> Self {
        let Some(selector) = selector.as_object() else { return Self::nothing() };
        let mut out = selector.get("matchLabels").map(Self::from_labels).unwrap_or_default();
        for expression in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
            let operator = match expression["operator"].as_str() {
                Some("In") => Operator::In,
                Some("NotIn") => Operator::NotIn,
                Some("Exists") => Operator::Exists,
                Some("DoesNotExist") => Operator::DoesNotExist,
                _ => return Self::nothing(),
            };
            let values = expression["values"].as_array().into_iter().flatten();
            out.requirements.push(Requirement {
                key: expression["key"].as_str().unwrap_or_default().to_owned(),
                operator,
                values: values.filter_map(Value::as_str).map(str::to_owned).collect(),
            });
        }
        out
    }

    /// Reads the text form, e.g. `app=web,tier in (a,b),!old`; 400 with the real server's words otherwise.
    pub fn parse(text: &str) -> Result<Self, Status> {
        let mut parser = Parser { tokens: lex(text), position: 0 };
        let requirements = parser.parse().map_err(Status::bad_request)?;
        Ok(Self { requirements, nothing: false })
    }

    /// True when nothing is asked for.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty() && !self.nothing
    }

    /// The requirements.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// True when a map of labels satisfies all requirements; null counts as empty.
    pub fn matches(&self, labels: &Value) -> bool {
        !self.nothing && self.requirements.iter().all(|requirement| requirement.matches(labels))
    }
}

/// The text form of a selector, as `/scale` shows it.
impl std::fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut requirements: Vec<&Requirement> = self.requirements.iter().collect();
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        for (index, requirement) in requirements.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            let (key, mut values) = (&requirement.key, requirement.values.clone());
            values.sort();
            match requirement.operator {
                Operator::In if values.len() == 1 => write!(f, "{key}={}", values[0])?,
                Operator::In => write!(f, "{key} in ({})", values.join(","))?,
                Operator::NotIn if values.len() == 1 => write!(f, "{key}!={}", values[0])?,
                Operator::NotIn => write!(f, "{key} notin ({})", values.join(","))?,
                Operator::Exists => write!(f, "{key}")?,
                Operator::DoesNotExist => write!(f, "!{key}")?,
                Operator::GreaterThan => write!(f, "{key}>{}", values.join(","))?,
                Operator::LessThan => write!(f, "{key}<{}", values.join(","))?,
            }
        }
        Ok(())
    }
}

impl Requirement {
    fn matches(&self, labels: &Value) -> bool {
        let value = labels.get(&self.key).and_then(Value::as_str);
        let among = |value: &str| self.values.iter().any(|known| known == value);
        let number = |text: &str| text.parse::<i64>().ok();
        match (self.operator, value) {
            (Operator::In, Some(value)) => among(value),
            (Operator::NotIn, Some(value)) => !among(value),
            (Operator::Exists, value) => value.is_some(),
            (Operator::DoesNotExist, value) => value.is_none(),
            (Operator::NotIn, None) => true,
            (Operator::GreaterThan | Operator::LessThan, Some(value)) => {
                match (number(value), self.values.first().and_then(|bound| number(bound))) {
                    (Some(value), Some(bound)) if self.operator == Operator::GreaterThan => value > bound,
                    (Some(value), Some(bound)) => value < bound,
                    _ => false,
                }
            }
            (Operator::In | Operator::GreaterThan | Operator::LessThan, None) => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    End,
    Word(String),
    Sign(&'static str),
}

impl Token {
    fn literal(&self) -> &str {
        match self {
            Self::End => "",
            Self::Word(word) => word,
            Self::Sign(sign) => sign,
        }
    }
}

fn lex(text: &str) -> Vec<Token> {
    const SIGNS: [&str; 10] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<", " "];
    let mut tokens = Vec::new();
    let mut rest = text;
    'outer: while !rest.is_empty() {
        if rest.starts_with([' ', '\t', '\r', '\n']) {
            rest = &rest[1..];
            continue;
        }
        for sign in SIGNS {
            if let Some(after) = rest.strip_prefix(sign) {
                tokens.push(Token::Sign(sign));
                rest = after;
                continue 'outer;
            }
        }
        let end = rest.find(|c: char| " \t\r\n=!(),><".contains(c)).unwrap_or(rest.len());
        tokens.push(Token::Word(rest[..end].to_owned()));
        rest = &rest[end..];
    }
    tokens.push(Token::End);
    tokens
}

struct Parser {
    tokens: Vec<Token>,
    position: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.position).unwrap_or(&Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.position += 1;
        token
    }

    fn parse(&mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                Token::Word(_) | Token::Sign("!") => {
                    let requirement =
                        self.requirement().map_err(|why| format!("unable to parse requirement: {why}"))?;
                    requirements.push(requirement);
                }
                Token::End => return Ok(requirements),
                other => {
                    return Err(format!("found '{}', expected: !, identifier, or 'end of string'", other.literal()));
                }
            }
            match self.next() {
                Token::End => return Ok(requirements),
                Token::Sign(",") => match self.peek() {
                    Token::Word(_) | Token::Sign("!") => {}
                    other => {
                        return Err(format!("found '{}', expected: identifier after ','", other.literal()));
                    }
                },
                other => return Err(format!("found '{}', expected: ',' or 'end of string'", other.literal())),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let negated = matches!(self.peek(), Token::Sign("!"));
        if negated {
            self.next();
        }
        let key = match self.next() {
            Token::Word(word) => word,
            other => return Err(format!("found '{}', expected: identifier", other.literal())),
        };
        let wrong = qualified_name(&key);
        if !wrong.is_empty() {
            return Err(format!("<nil>: Invalid value: {}: {}", Value::String(key), wrong.join("; ")));
        }
        if negated {
            return Ok(Requirement { key, operator: Operator::DoesNotExist, values: Vec::new() });
        }
        let operator = match self.peek() {
            Token::End | Token::Sign(",") => {
                return Ok(Requirement { key, operator: Operator::Exists, values: Vec::new() });
            }
            Token::Sign("=" | "==") => Operator::In,
            Token::Sign("!=") => Operator::NotIn,
            Token::Sign(">") => Operator::GreaterThan,
            Token::Sign("<") => Operator::LessThan,
            Token::Word(word) if word == "in" => {
                self.next();
                return self.values(key, Operator::In);
            }
            Token::Word(word) if word == "notin" => {
                self.next();
                return self.values(key, Operator::NotIn);
            }
            other => {
                return Err(format!("found '{}', expected: in, notin, =, ==, !=, gt, lt", other.literal()));
            }
        };
        self.next();
        let value = match self.peek() {
            Token::End | Token::Sign(",") => String::new(),
            Token::Word(_) => self.next().literal().to_owned(),
            other => return Err(format!("found '{}', expected: identifier", other.literal())),
        };
        Self::check_value(&key, &value)?;
        if matches!(operator, Operator::GreaterThan | Operator::LessThan) && value.parse::<i64>().is_err() {
            return Err(format!(
                "values[0]: Invalid value: {}: for 'Gt', 'Lt' operators, the value must be an integer",
                Value::String(value)
            ));
        }
        Ok(Requirement { key, operator, values: vec![value] })
    }

    fn values(&mut self, key: String, operator: Operator) -> Result<Requirement, String> {
        match self.next() {
            Token::Sign("(") => {}
            other => return Err(format!("found '{}' expected: '('", other.literal())),
        }
        let mut values = Vec::new();
        loop {
            match self.next() {
                Token::Word(word) => {
                    Self::check_value(&key, &word)?;
                    values.push(word);
                    match self.next() {
                        Token::Sign(",") => {
                            if matches!(self.peek(), Token::Sign(")")) {
                                values.push(String::new());
                            }
                        }
                        Token::Sign(")") => break,
                        other => return Err(format!("found '{}', expected: ',' or ')'", other.literal())),
                    }
                }
                Token::Sign(",") => values.push(String::new()),
                Token::Sign(")") => break,
                other => return Err(format!("found '{}', expected: ',', ')' or identifier", other.literal())),
            }
        }
        if values.is_empty() {
            values.push(String::new());
        }
        Ok(Requirement { key, operator, values })
    }

    fn check_value(key: &str, value: &str) -> Result<(), String> {
        if is_label_value(value) {
            return Ok(());
        }
        Err(format!("values[0][{key}]: Invalid value: {}: {LABEL_VALUE}", Value::String(value.to_owned())))
    }
}

const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

fn is_name_part(part: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = part.as_bytes();
    part.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_name_part(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_select() {
        let labels = json!({"app": "web", "tier": "a"});
        for (text, expected) in [
            ("app=web", true),
            ("app==web,tier=a", true),
            ("app!=web", false),
            ("missing!=web", true),
            ("app in (web, api)", true),
            ("app notin (web)", false),
            ("app", true),
            ("!app", false),
            ("!gone", true),
            ("", true),
        ] {
            assert_eq!(LabelSelector::parse(text).expect(text).matches(&labels), expected, "{text}");
        }
    }

    #[test]
    fn a_bad_selector_is_refused_in_the_real_words() {
        assert_eq!(
            LabelSelector::parse("(a").expect_err("refused").message,
            "found '(', expected: !, identifier, or 'end of string'"
        );
    }

    #[test]
    fn null_selects_nothing_and_empty_everything() {
        assert!(!LabelSelector::from_value(&Value::Null).matches(&json!({})));
        assert!(LabelSelector::from_value(&json!({})).matches(&json!({})));
    }
}
