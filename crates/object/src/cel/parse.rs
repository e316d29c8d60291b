//! From text to expression.

use super::{Expr, Literal, Loop, LoopKind, Presence, Wrap};

/// Expressions nested deeper than this are refused.
const DEEPEST: usize = 80;
/// Longer expressions are refused.
const LONGEST: usize = 65_536;

/// An expression with what it names.
pub(super) struct Parsed {
    pub(super) root: Expr,
    pub(super) calls: Vec<String>,
    pub(super) names: Vec<String>,
    pub(super) patterns: Vec<String>,
}

pub(super) fn parse(text: &str) -> Result<Parsed, String> {
    if text.len() > LONGEST {
        return Err("expression code point size exceeds limit".to_owned());
    }
    let mut parser =
        Parser { tokens: tokens(text)?, at: 0, depth: 0, calls: Vec::new(), names: Vec::new(), patterns: Vec::new() };
    let root = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(Parsed { root, calls: parser.calls, names: parser.names, patterns: parser.patterns }),
        other => Err(format!("Syntax error: extraneous input {other:?}")),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    /// A name in backquotes: always a field.
    Quoted(String),
    Value(Literal),
    Mark(&'static str),
    End,
}

const MARKS: [&str; 26] = [
    "&&", "||", "<=", ">=", "==", "!=", ".?", "[?", "(", ")", "[", "]", "{", "}", ".", ",", "?", ":", "+", "-", "*",
    "/", "%", "!", "<", ">",
];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
            continue;
        }
        let Some(first) = rest.chars().next() else { break };
        if let Some((literal, after)) = quoted(rest)? {
            tokens.push(Token::Value(literal));
            rest = after;
        } else if first.is_ascii_digit() || first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()) {
            let (literal, after) = number(rest)?;
            tokens.push(Token::Value(literal));
            rest = after;
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(match &rest[..end] {
                "true" => Token::Value(Literal::Bool(true)),
                "false" => Token::Value(Literal::Bool(false)),
                "null" => Token::Value(Literal::Null),
                "in" => Token::Mark("in"),
                name => Token::Name(name.to_owned()),
            });
            rest = &rest[end..];
        } else if let Some(after) = rest.strip_prefix('`') {
            let (name, after) = after.split_once('`').ok_or("Syntax error: unterminated `")?;
            tokens.push(Token::Quoted(name.to_owned()));
            rest = after;
        } else if let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) {
            tokens.push(Token::Mark(mark));
            rest = &rest[mark.len()..];
        } else {
            return Err(format!("Syntax error: token recognition error at: '{first}'"));
        }
    }
    tokens.push(Token::End);
    Ok(tokens)
}

fn number(text: &str) -> Result<(Literal, &str), String> {
    let wrong = |text: &str| format!("invalid number {text}");
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
        let value = u64::from_str_radix(&hex[..end], 16).map_err(|_| wrong(text))?;
        return whole(value, &hex[end..]).ok_or_else(|| wrong(text));
    }
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let mut end = digits(text);
    let mut float = false;
    if text[end..].starts_with('.') && text[end + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        float = true;
        end += 1 + digits(&text[end + 1..]);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(&text[end + 1 + sign..]);
        if exponent > 0 {
            float = true;
            end += 1 + sign + exponent;
        }
    }
    if float {
        let value = text[..end].parse().map_err(|_| wrong(&text[..end]))?;
        return Ok((Literal::Double(value), &text[end..]));
    }
    let value = text[..end].parse().map_err(|_| wrong(&text[..end]))?;
    whole(value, &text[end..]).ok_or_else(|| wrong(&text[..end]))
}

/// The one number that is no integer but with a minus before it keeps its bits.
fn whole(value: u64, rest: &str) -> Option<(Literal, &str)> {
    if let Some(after) = rest.strip_prefix(['u', 'U']) {
        return Some((Literal::Uint(value), after));
    }
    let int = if value == 1 << 63 { i64::MIN } else { i64::try_from(value).ok()? };
    Some((Literal::Int(int), rest))
}

/// A text or bytes literal, if one begins here.
fn quoted(text: &str) -> Result<Option<(Literal, &str)>, String> {
    let prefix = text.find(|c: char| !"rRbB".contains(c)).unwrap_or(text.len());
    let rest = &text[prefix..];
    if prefix > 2 || !rest.starts_with(['"', '\'']) {
        return Ok(None);
    }
    let (raw, bytes) = (text[..prefix].contains(['r', 'R']), text[..prefix].contains(['b', 'B']));
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| rest.starts_with(quote)).unwrap_or("\"");
    let body = &rest[quote.len()..];
    let mut end = 0;
    loop {
        let left = &body[end..];
        if left.starts_with(quote) {
            break;
        }
        let step = if left.starts_with('\\') && !raw { 1 } else { 0 };
        let Some(next) = left.chars().nth(step).filter(|c| quote.len() == 3 || *c != '\n') else {
            return Err("Syntax error: unterminated string".to_owned());
        };
        end += step + next.len_utf8();
    }
    let (inside, after) = (&body[..end], &body[end + quote.len()..]);
    let literal = match (raw, bytes) {
        (true, false) => Literal::Text(inside.to_owned()),
        (true, true) => Literal::Bytes(inside.as_bytes().to_vec()),
        (false, _) => {
            let read = super::text::unescape(inside).ok_or("Syntax error: invalid escape sequence")?;
            if bytes { Literal::Bytes(read.into_bytes()) } else { Literal::Text(read) }
        }
    };
    Ok(Some((literal, after)))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    calls: Vec<String>,
    names: Vec<String>,
    patterns: Vec<String>,
}

type Read = Result<Expr, String>;

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn take(&mut self, mark: &str) -> bool {
        let found = matches!(self.peek(), Token::Mark(found) if *found == mark);
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, mark: &str) -> Result<(), String> {
        if self.take(mark) { Ok(()) } else { Err(format!("Syntax error: expected '{mark}', found {:?}", self.peek())) }
    }

    fn expression(&mut self) -> Read {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("expression recursion limit exceeded".to_owned());
        }
        let condition = self.or()?;
        let result = if self.take("?") {
            let then = self.or()?;
            self.need(":")?;
            let otherwise = self.expression()?;
            Ok(Expr::Choice(condition.into(), then.into(), otherwise.into()))
        } else {
            Ok(condition)
        };
        self.depth -= 1;
        result
    }

    fn or(&mut self) -> Read {
        let mut terms = vec![self.and()?];
        while self.take("||") {
            terms.push(self.and()?);
        }
        Ok(balanced(terms, &|left, right| Expr::Or(left.into(), right.into())))
    }

    fn and(&mut self) -> Read {
        let mut terms = vec![self.relation()?];
        while self.take("&&") {
            terms.push(self.relation()?);
        }
        Ok(balanced(terms, &|left, right| Expr::And(left.into(), right.into())))
    }

    fn relation(&mut self) -> Read {
        self.chain(&["==", "!=", "<=", ">=", "<", ">", "in"], Self::sum)
    }

    fn sum(&mut self) -> Read {
        self.chain(&["+", "-"], Self::product)
    }

    fn product(&mut self) -> Read {
        self.chain(&["*", "/", "%"], Self::unary)
    }

    fn chain(&mut self, marks: &[&'static str], operand: fn(&mut Self) -> Read) -> Read {
        let mut left = operand(self)?;
        let mut links = 0;
        while let Some(mark) = marks.iter().find(|mark| self.take(mark)) {
            links += 1;
            if links > DEEPEST {
                return Err("expression recursion limit exceeded".to_owned());
            }
            let right = operand(self)?;
            left = Expr::Call(None, (*mark).to_owned(), vec![left, right]);
        }
        Ok(left)
    }

    fn unary(&mut self) -> Read {
        let mut signs = Vec::new();
        while let Some(mark) = ["!", "-"].into_iter().find(|mark| self.take(mark)) {
            signs.push(mark);
        }
        let mut operand = self.member()?;
        if signs.len() > DEEPEST {
            return Err("expression recursion limit exceeded".to_owned());
        }
        while let Some(mark) = signs.pop() {
            operand = match (mark, operand) {
                ("-", Expr::Literal(Literal::Int(value))) => Expr::Literal(Literal::Int(value.wrapping_neg())),
                ("-", Expr::Literal(Literal::Double(value))) => Expr::Literal(Literal::Double(-value)),
                ("-", other) => Expr::Call(None, "-_".to_owned(), vec![other]),
                (_, other) => Expr::Call(None, "!".to_owned(), vec![other]),
            };
        }
        Ok(operand)
    }

    fn member(&mut self) -> Read {
        let mut value = self.primary()?;
        let mut links = 0;
        loop {
            links += 1;
            if links > DEEPEST {
                return Err("expression recursion limit exceeded".to_owned());
            }
            if self.take(".?") {
                value = Expr::Select(value.into(), self.field()?, Presence::Optional);
            } else if self.take(".") {
                let plain = matches!(self.peek(), Token::Name(_));
                let name = self.field()?;
                value = if plain && self.take("(") {
                    self.method(value, name)?
                } else {
                    Expr::Select(value.into(), name, Presence::Needed)
                };
            } else if self.take("[?") {
                value = Expr::Index(value.into(), self.expression()?.into(), Presence::Optional);
                self.need("]")?;
            } else if self.take("[") {
                value = Expr::Index(value.into(), self.expression()?.into(), Presence::Needed);
                self.need("]")?;
            } else {
                return Ok(value);
            }
        }
    }

    fn field(&mut self) -> Result<String, String> {
        match self.next() {
            Token::Name(name) | Token::Quoted(name) => Ok(name),
            // Only the two words that are marks or values here may still be fields.
            Token::Mark("in") => Ok("in".to_owned()),
            other => Err(format!("Syntax error: expected a field, found {other:?}")),
        }
    }

    fn primary(&mut self) -> Read {
        match self.next() {
            Token::Value(literal) => Ok(Expr::Literal(literal)),
            Token::Name(name) if self.take("(") => {
                let arguments = self.arguments(")")?;
                self.call(name, arguments)
            }
            Token::Name(name) => {
                self.names.push(name.clone());
                Ok(Expr::Name(name))
            }
            Token::Mark("(") => {
                let inner = self.expression()?;
                self.need(")")?;
                Ok(inner)
            }
            Token::Mark("[") => self.list(),
            // An optional first item is read as one mark.
            Token::Mark("[?") => {
                self.at -= 1;
                self.tokens[self.at] = Token::Mark("?");
                self.list()
            }
            Token::Mark("{") => self.map(),
            Token::Mark(".") => match self.next() {
                Token::Name(name) => Ok(Expr::Name(name)),
                other => Err(format!("Syntax error: unexpected {other:?}")),
            },
            other => Err(format!("Syntax error: mismatched input {other:?}")),
        }
    }

    fn list(&mut self) -> Read {
        let mut items = Vec::new();
        while !self.take("]") {
            let presence = if self.take("?") { Presence::Optional } else { Presence::Needed };
            items.push((presence, self.expression()?));
            if !self.take(",") {
                self.need("]")?;
                break;
            }
        }
        Ok(Expr::List(items))
    }

    fn map(&mut self) -> Read {
        let mut entries = Vec::new();
        while !self.take("}") {
            let presence = if self.take("?") { Presence::Optional } else { Presence::Needed };
            let key = self.expression()?;
            self.need(":")?;
            entries.push((presence, key, self.expression()?));
            if !self.take(",") {
                self.need("}")?;
                break;
            }
        }
        Ok(Expr::Map(entries))
    }

    fn arguments(&mut self, end: &str) -> Result<Vec<Expr>, String> {
        let mut arguments = Vec::new();
        if self.take(end) {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression()?);
            if !self.take(",") {
                self.need(end)?;
                return Ok(arguments);
            }
        }
    }

    fn call(&mut self, name: String, mut arguments: Vec<Expr>) -> Read {
        if name == "has" && arguments.len() == 1 {
            return match arguments.remove(0) {
                Expr::Select(of, field, Presence::Needed) => Ok(Expr::Has(of, field)),
                _ => Err("invalid argument to has() macro".to_owned()),
            };
        }
        self.calls.push(name.clone());
        Ok(Expr::Call(None, name, arguments))
    }

    fn method(&mut self, target: Expr, name: String) -> Read {
        let mut arguments = self.arguments(")")?;
        let kind = match (name.as_str(), arguments.len()) {
            ("all", 2 | 3) => Some(LoopKind::All),
            ("exists", 2 | 3) => Some(LoopKind::Exists),
            ("exists_one" | "existsOne", 2 | 3) => Some(LoopKind::ExistsOne),
            ("map", 2 | 3) => Some(LoopKind::Map),
            ("filter", 2) => Some(LoopKind::Filter),
            ("transformList", 3 | 4) => Some(LoopKind::TransformList),
            ("transformMap", 3 | 4) => Some(LoopKind::TransformMap),
            ("transformMapEntry", 3 | 4) => Some(LoopKind::TransformMapEntry),
            _ => None,
        };
        if let Some(kind) = kind {
            let body = arguments.pop().ok_or("a comprehension without a body")?;
            let names = match (kind, arguments.len()) {
                (LoopKind::Map | LoopKind::Filter, _) => 1,
                (LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne, given) => given,
                _ => 2,
            };
            let filter = (arguments.len() > names).then(|| arguments.pop()).flatten();
            let variables = arguments.into_iter().map(variable).collect::<Result<_, _>>()?;
            return Ok(Expr::Loop(Box::new(Loop { kind, range: target, variables, filter, body })));
        }
        if matches!(name.as_str(), "optMap" | "optFlatMap") && arguments.len() == 2 {
            let body = arguments.remove(1);
            let wrap = if name == "optMap" { Wrap::Optional } else { Wrap::AsItIs };
            return Ok(Expr::OnValue(target.into(), variable(arguments.remove(0))?, body.into(), wrap));
        }
        // A namespace before a function is part of its name.
        if let Expr::Name(space) = &target
            && matches!(space.as_str(), "optional" | "sets" | "ip" | "cidr" | "strings" | "math" | "base64" | "format")
        {
            let qualified = format!("{space}.{name}");
            if super::functions::is_known(&qualified) || !super::functions::is_known(&name) {
                self.calls.push(qualified.clone());
                return Ok(Expr::Call(None, qualified, arguments));
            }
        }
        if let (true, Some(Expr::Literal(Literal::Text(pattern)))) =
            (matches!(name.as_str(), "matches" | "find" | "findAll"), arguments.first())
        {
            self.patterns.push(pattern.clone());
        }
        self.calls.push(name.clone());
        Ok(Expr::Call(Some(target.into()), name, arguments))
    }
}

fn variable(expression: Expr) -> Result<String, String> {
    match expression {
        Expr::Name(name) => Ok(name),
        _ => Err("argument must be a simple name".to_owned()),
    }
}

/// Long chains of one operator as a tree of little depth.
fn balanced(mut terms: Vec<Expr>, join: &dyn Fn(Expr, Expr) -> Expr) -> Expr {
    match terms.len() {
        0 => Expr::Literal(Literal::Null),
        1 => terms.remove(0),
        length => {
            let right = terms.split_off(length / 2);
            join(balanced(terms, join), balanced(right, join))
        }
    }
}
