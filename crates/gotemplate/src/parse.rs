//! From text to templates that can be executed.

mod lex;
mod number;
mod parser;
pub(crate) mod tree;

pub use parser::MAX_TEXT_PIECES;
pub(crate) use parser::{Stay, parse};
