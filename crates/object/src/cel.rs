//! The Common Expression Language, as rules of custom resource definitions use it.
//!
//! ```text
//! text ── Program::parse ──> expression ── evaluate(self, oldSelf) ──> Val, or the words of cel-go
//! ```
//!
//! Values are views of the object: nothing is copied before it is computed with. Types come from the structural schema (a `date-time` is a
//! timestamp, a `number` a double); nothing is checked before it runs, as the real server's type checker would. A function that is not known
//! makes a program unusable, and [`Program::parse`] says which. Evaluation has a budget of steps, and expressions have a greatest depth, so that no
//! rule can hold up its caller.

mod check;
mod evaluate;
mod functions;
mod network;
mod parse;
mod text;
mod tokens;
mod trouble;
mod value;

use std::collections::BTreeMap;

use regex::Regex;

pub use check::{Declared, check};
pub(crate) use evaluate::{Bindings, Budget};
pub(crate) use value::{Typing, Val};

/// Words that cannot be names: the grammar's own, and those that it keeps for later (cel-go `parser.go`).
pub const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// A parsed expression.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    root: Expr,
    /// Regular expressions that stand in it as literals.
    patterns: BTreeMap<String, Regex>,
    mentions: Vec<String>,
}

impl Program {
    /// Reads an expression; the error says what is wrong with it, or which function is not known.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parsed = parse::parse(text).map_err(|troubles| {
            troubles.into_iter().next().map_or_else(|| "not an expression".to_owned(), |trouble| trouble.what)
        })?;
        if let Some(unknown) = parsed.calls.iter().find(|call| !functions::is_known(&call.name)) {
            return Err(format!("undeclared reference to '{}'", unknown.name));
        }
        let literals = parsed.patterns.into_iter();
        let patterns = literals.filter_map(|text| Regex::new(&text).ok().map(|regex| (text, regex))).collect();
        Ok(Self { root: parsed.root, patterns, mentions: parsed.names.into_iter().map(|named| named.name).collect() })
    }

    /// Whether a variable of this name is read.
    pub(crate) fn mentions(&self, variable: &str) -> bool {
        self.mentions.iter().any(|name| name == variable)
    }
}

/// One node of an expression.
#[derive(Debug, Clone)]
enum Expr {
    Literal(Literal),
    Name(String),
    /// `a.b`; `a.?b` when optional.
    Select(Box<Expr>, String, Presence),
    /// `has(a.b)`
    Has(Box<Expr>, String),
    /// `a[b]`; `a[?b]` when optional.
    Index(Box<Expr>, Box<Expr>, Presence),
    /// `f(…)`, `a.f(…)`, or an operator.
    Call(Option<Box<Expr>>, String, Vec<Expr>),
    List(Vec<(Presence, Expr)>),
    Map(Vec<(Presence, Expr, Expr)>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Choice(Box<Expr>, Box<Expr>, Box<Expr>),
    Loop(Box<Loop>),
    /// `a.optMap(x, e)`, `a.optFlatMap(x, e)`: variable, expression, whether the result is an optional already.
    OnValue(Box<Expr>, String, Box<Expr>, Wrap),
}

/// Whether a missing part is an error or an optional without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Needed,
    Optional,
}

/// What becomes of the result of an expression over an optional's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrap {
    Optional,
    AsItIs,
}

/// A comprehension.
#[derive(Debug, Clone)]
struct Loop {
    kind: LoopKind,
    range: Expr,
    /// One variable for items or keys, or two for index and item, key and value.
    variables: Vec<String>,
    filter: Option<Expr>,
    body: Expr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LoopKind {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
    TransformList,
    TransformMap,
    TransformMapEntry,
}

#[derive(Debug, Clone, PartialEq)]
enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
}

#[cfg(test)]
mod tests;
