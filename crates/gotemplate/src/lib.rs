//! Go's text/template: lex, parse and execute over typed values, with positions and origins.
//!
//! ```text
//! text ──► Set::parse ──► templates (compiled once: variables are slots, functions resolved)
//!                              │
//!      Value (dot) ──► Set::execute ──► bytes            user context ──► CallCtx ──► functions
//!                      Set::execute_traced ──► bytes + Trace (piece → template place, origins, decisions)
//! ```
//!
//! The language is that of Go 1.26, to the byte of its error texts. What a template can call besides Go's builtins
//! comes in as a [`FuncMap`]; nothing here knows Helm or Kubernetes.
//!
//! - **Values** ([`Value`]) have Go's types: the `1` of a template is an `int`, the `1` of a values file a `float64`, and
//!   `eq` refuses to compare them. Maps are shared and mutable, lists are shared and immutable.
//! - **Functions** ([`Func`]) declare Go parameter types; arity and type errors come out in Go's words before the
//!   function runs. A function gets the [`CallCtx`] to execute other templates and to reach the caller's own context.
//! - **Origins**: a value carries a number that its owner gave it; it survives field access, variables, `range` and
//!   functions, which say by their [`Flow`] what becomes of it. Only a traced execution looks at it; its [`Recording`]
//!   tells what a piece of output is made of, and what decided that it is there.
//! - **Limits**: a hostile template ends in an error; nesting does not use the caller's stack beyond a fixed amount.
//!
//! Invariants: no I/O, no clock, no randomness, no panic on any input.

mod budget;
mod builtins;
mod call;
mod error;
mod exec;
pub mod format;
mod func;
mod limits;
mod parse;
mod set;
mod stack;
mod trace;
mod value;

pub use budget::MAX_TEXT;
pub use call::CallCtx;
pub use error::{Cause, ExecError, Frame, Limit, ParseError};
pub use func::{Args, Flow, Func, FuncError, FuncMap, Signature};
pub use limits::{Limits, MAX_DEPTH, MAX_HELD, MAX_OUTPUT, MAX_STEPS};
pub use parse::MAX_TEXT_PIECES;
pub use set::{MAX_SET_PIECES, MissingKey, Parsed, Set};
pub use trace::{Beside, Leaves, Piece, PieceKind, Recording, Spot, Trace};
pub use value::{Data, Host, HostKind, List, Map, MapName, Origin, Reads, Str, Type, Value, Watch};
