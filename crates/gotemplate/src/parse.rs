//! From text to templates that can be executed.

mod lex;
mod number;
mod parser;
pub(crate) mod tree;

pub(crate) use parser::{Stay, parse};
