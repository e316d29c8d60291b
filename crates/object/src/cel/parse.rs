//! From text to expression.

use super::tokens::{Placed, Token, tokens};
use super::trouble::Trouble;
use super::{Expr, Literal, Loop, LoopKind, Presence, Wrap};

/// Expressions nested deeper than this are refused.
const DEEPEST: usize = 80;
/// Longer expressions are refused.
const LONGEST: usize = 65_536;

/// An expression with what it names.
pub(super) struct Parsed {
    pub(super) root: Expr,
    /// Functions, each where its arguments begin.
    pub(super) calls: Vec<Named>,
    /// Variables that no comprehension binds.
    pub(super) names: Vec<Named>,
    /// Fields of chains of plain names, `request.kind`, each where its last point stands.
    pub(super) fields: Vec<Named>,
    pub(super) patterns: Vec<String>,
}

/// A name, and the byte at which it stands.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) at: usize,
}

pub(super) fn parse(text: &str) -> Result<Parsed, Vec<Trouble>> {
    if text.len() > LONGEST {
        return Err(vec![Trouble { at: 0, what: "expression code point size exceeds limit".to_owned() }]);
    }
    let (tokens, mut troubles) = tokens(text);
    let mut parser = Parser {
        text,
        tokens,
        at: 0,
        depth: 0,
        blame: None,
        calls: Vec::new(),
        names: Vec::new(),
        fields: Vec::new(),
        patterns: Vec::new(),
    };
    match parser.whole() {
        Ok(root) if troubles.is_empty() => {
            let Parser { calls, names, fields, patterns, .. } = parser;
            Ok(Parsed { root, calls, names, fields, patterns })
        }
        Ok(_) => Err(troubles),
        Err(what) => {
            troubles.push(Trouble { at: parser.place(), what });
            troubles.sort_by_key(|trouble| trouble.at);
            Err(troubles)
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Placed>,
    at: usize,
    depth: usize,
    /// Where the trouble is, when it is not where the parser stands.
    blame: Option<usize>,
    calls: Vec<Named>,
    names: Vec<Named>,
    fields: Vec<Named>,
    patterns: Vec<String>,
}

type Read = Result<Expr, String>;

impl Parser<'_> {
    fn whole(&mut self) -> Read {
        let root = self.expression()?;
        match self.peek() {
            Token::End => Ok(root),
            _ => Err(self.unexpected("<EOF>", |next| *next == Token::End)),
        }
    }

    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |placed| &placed.token)
    }

    /// Where the next token begins.
    fn here(&self) -> usize {
        self.tokens.get(self.at).map_or(self.text.len(), |placed| placed.from)
    }

    fn place(&self) -> usize {
        self.blame.unwrap_or_else(|| self.here())
    }

    /// The next token as messages show it.
    fn shown(&self) -> &str {
        match self.tokens.get(self.at) {
            Some(placed) if placed.token != Token::End => &self.text[placed.from..placed.to],
            _ => "<EOF>",
        }
    }

    /// The words for a token that does not fit; one that stands before a fitting one is extraneous.
    fn unexpected(&self, wanted: &str, fits: impl Fn(&Token) -> bool) -> String {
        let next = self.tokens.get(self.at + 1).map_or(&Token::End, |placed| &placed.token);
        let at_end = *self.peek() == Token::End;
        let what = if !at_end && fits(next) { "extraneous" } else { "mismatched" };
        format!("Syntax error: {what} input '{}' expecting {wanted}", self.shown())
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    /// Goes back to the token just taken, which does not fit.
    fn back(&mut self) {
        self.at = self.at.saturating_sub(1);
    }

    fn take(&mut self, mark: &str) -> bool {
        let found = matches!(self.peek(), Token::Mark(found) if *found == mark);
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, mark: &str) -> Result<(), String> {
        if self.take(mark) {
            return Ok(());
        }
        // What may end an expression may be missing at its end.
        if matches!(mark, ")" | "]") && *self.peek() == Token::End {
            return Err(format!("Syntax error: missing '{mark}' at '<EOF>'"));
        }
        Err(self.unexpected(&format!("'{mark}'"), |next| matches!(next, Token::Mark(found) if *found == mark)))
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
            let at = self.here();
            if self.take(".?") {
                value = Expr::Select(value.into(), self.field()?, Presence::Optional);
            } else if self.take(".") {
                let plain = matches!(self.peek(), Token::Name(_));
                let name = self.field()?;
                value = if plain && *self.peek() == Token::Mark("(") {
                    self.method(value, name)?
                } else {
                    let selected = Expr::Select(value.into(), name, Presence::Needed);
                    if let Some(name) = chain(&selected) {
                        self.fields.push(Named { name, at });
                    }
                    selected
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
            _ => {
                self.back();
                let point = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |placed| placed.from);
                let end = self.tokens.get(self.at).map_or(self.text.len(), |placed| placed.to);
                Err(format!("Syntax error: no viable alternative at input '{}'", &self.text[point..end]))
            }
        }
    }

    fn primary(&mut self) -> Read {
        match self.next() {
            Token::Value(literal) => Ok(Expr::Literal(literal)),
            Token::Name(name) if *self.peek() == Token::Mark("(") => self.call(name),
            Token::Name(name) => {
                self.back();
                self.names.push(Named { name: name.clone(), at: self.here() });
                self.at += 1;
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
                self.back();
                self.tokens[self.at].token = Token::Mark("?");
                self.list()
            }
            Token::Mark("{") => self.map(),
            Token::Mark(".") if matches!(self.peek(), Token::Name(_)) => Ok(Expr::Name(self.field()?)),
            _ => {
                self.back();
                Err(self.unexpected(&self.operand(), begins_operand))
            }
        }
    }

    /// What may stand where an operand is missing: right after a bracket also what ends it.
    fn operand(&self) -> String {
        let before =
            |back: usize| self.at.checked_sub(back).and_then(|at| self.tokens.get(at)).map(|placed| &placed.token);
        let called = matches!(before(2), Some(Token::Name(_)));
        let first = match before(1) {
            Some(Token::Mark("(")) if called => "{'[', '{', '(', ')', '.', '-', '!', 'true'",
            Some(Token::Mark("[")) if !called => "{'[', ']', '{', '(', '.', ',', '-', '!', '?', 'true'",
            Some(Token::Mark("{")) => "{'[', '{', '}', '(', '.', ',', '-', '!', '?', 'true'",
            _ => "{'[', '{', '(', '.', '-', '!', 'true'",
        };
        format!("{first}, 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}}")
    }

    fn list(&mut self) -> Read {
        let mut items = Vec::new();
        while !self.take("]") {
            let presence = if self.take("?") { Presence::Optional } else { Presence::Needed };
            items.push((presence, self.expression()?));
            if !self.take(",") {
                self.end_of_list("]")?;
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
                self.end_of_list("}")?;
                break;
            }
        }
        Ok(Expr::Map(entries))
    }

    /// The end of a list or map that could go on as well.
    fn end_of_list(&mut self, mark: &str) -> Result<(), String> {
        if self.take(mark) {
            return Ok(());
        }
        let fits = |next: &Token| matches!(next, Token::Mark(found) if *found == mark || *found == ",");
        Err(self.unexpected(&format!("{{'{mark}', ','}}"), fits))
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

    fn call(&mut self, name: String) -> Read {
        let at = self.here();
        self.take("(");
        let first = self.here();
        let mut arguments = self.arguments(")")?;
        if name == "has" && arguments.len() == 1 {
            return match arguments.remove(0) {
                Expr::Select(of, field, Presence::Needed) => Ok(Expr::Has(of, field)),
                _ => self.refuse(first, "invalid argument to has() macro"),
            };
        }
        self.calls.push(Named { name: name.clone(), at });
        Ok(Expr::Call(None, name, arguments))
    }

    fn refuse<T>(&mut self, at: usize, why: &str) -> Result<T, String> {
        self.blame = Some(at);
        Err(why.to_owned())
    }

    /// What is bound within a comprehension is no variable from outside.
    fn bind(&mut self, since: (usize, usize), variables: &[String]) {
        let bound = |name: &str| variables.iter().any(|variable| variable == name);
        let mut at = 0;
        self.names.retain(|named| {
            at += 1;
            at <= since.0 || !bound(&named.name)
        });
        let mut at = 0;
        self.fields.retain(|named| {
            at += 1;
            at <= since.1 || !bound(named.name.split('.').next().unwrap_or_default())
        });
    }

    fn method(&mut self, target: Expr, name: String) -> Read {
        let (at, since) = (self.here(), (self.names.len(), self.fields.len()));
        self.take("(");
        let first = self.here();
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
            let variables: Option<Vec<String>> = arguments.into_iter().map(variable).collect();
            let Some(variables) = variables else {
                return self.refuse(first, no_variable(kind));
            };
            self.bind(since, &variables);
            return Ok(Expr::Loop(Box::new(Loop { kind, range: target, variables, filter, body })));
        }
        if matches!(name.as_str(), "optMap" | "optFlatMap") && arguments.len() == 2 {
            let body = arguments.remove(1);
            let wrap = if name == "optMap" { Wrap::Optional } else { Wrap::AsItIs };
            let Some(bound) = variable(arguments.remove(0)) else {
                return self.refuse(first, &format!("{name}() variable name must be a simple identifier"));
            };
            self.bind(since, std::slice::from_ref(&bound));
            return Ok(Expr::OnValue(target.into(), bound, body.into(), wrap));
        }
        // A namespace before a function is part of its name.
        if let Expr::Name(space) = &target
            && matches!(
                space.as_str(),
                "optional" | "sets" | "ip" | "cidr" | "strings" | "math" | "base64" | "format" | "lists" | "jsonpatch"
            )
        {
            let qualified = format!("{space}.{name}");
            if super::functions::is_known(&qualified) || !super::functions::is_known(&name) {
                self.calls.push(Named { name: qualified.clone(), at });
                if since.0 > 0 {
                    self.names.remove(since.0 - 1);
                }
                return Ok(Expr::Call(None, qualified, arguments));
            }
        }
        if let (true, Some(Expr::Literal(Literal::Text(pattern)))) =
            (matches!(name.as_str(), "matches" | "find" | "findAll"), arguments.first())
        {
            self.patterns.push(pattern.clone());
        }
        self.calls.push(Named { name: name.clone(), at });
        Ok(Expr::Call(Some(target.into()), name, arguments))
    }
}

fn variable(expression: Expr) -> Option<String> {
    match expression {
        Expr::Name(name) => Some(name),
        _ => None,
    }
}

fn no_variable(kind: LoopKind) -> &'static str {
    match kind {
        LoopKind::Map | LoopKind::Filter => "argument is not an identifier",
        _ => "argument must be a simple name",
    }
}

fn begins_operand(token: &Token) -> bool {
    match token {
        Token::Name(_) | Token::Value(_) => true,
        Token::Mark(mark) => matches!(*mark, "[" | "{" | "(" | "." | "-" | "!"),
        Token::Quoted(_) | Token::End => false,
    }
}

/// `request.kind` of plain names only.
pub(super) fn chain(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Name(name) => Some(name.clone()),
        Expr::Select(of, field, Presence::Needed) => Some(format!("{}.{field}", chain(of)?)),
        _ => None,
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
