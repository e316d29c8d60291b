//! Which template wrote which bytes, and where the values in them and the decisions about them came from.
//!
//! ```text
//! a value's Origin ──┬─ a number of the caller's own table
//!                    └─ Derived: made of others ── by a function, as a map's key, as a decision, as a template's text
//! ```
//!
//! What a value *is made of* (data) and what only *decided* about it (an `if` around it, a `default` that did not step
//! in, the name of the template that was included) are kept apart all the way. Decisions count where nothing was
//! printed, too: a branch that was not taken leaves a piece without bytes behind, variables that it would have set and
//! maps that it would have written to are marked.

mod align;
mod leaves;
mod recording;
mod touched;

use std::ops::Range;

pub use align::Beside;
pub use leaves::Leaves;
pub use recording::{Recording, Spot};

use crate::value::Origin;

/// The pieces of one output, in order; pieces with bytes do not overlap, and every byte is in one.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    pub(crate) pieces: Vec<Piece>,
}

/// A piece of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins in the output, in bytes.
    pub start: usize,
    /// Where it ends; where it begins, when a branch printed nothing here.
    pub end: usize,
    /// What it is made of; [`Recording::leaves`] tells.
    pub origin: Origin,
    /// What decided that it is here.
    pub control: Origin,
    /// What kind of piece it is.
    pub kind: PieceKind,
    pub(crate) unit: u32,
    pub(crate) pos: u32,
}

/// What a piece of output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceKind {
    /// Plain text of a template.
    Text,
    /// What an action printed.
    Value,
    /// Nothing: a branch was not taken, or printed nothing. What it would have printed begins a line of its own.
    NoLine,
    /// Nothing, where something could have been printed in the middle of a line.
    NoValue,
}

impl Piece {
    /// Whether it holds no bytes.
    pub fn is_nothing(&self) -> bool {
        matches!(self.kind, PieceKind::NoLine | PieceKind::NoValue)
    }
}

impl Trace {
    /// The piece that holds a byte of the output.
    pub fn at(&self, byte: usize) -> Option<&Piece> {
        let after = self.pieces.partition_point(|piece| piece.end <= byte);
        self.pieces[after..].iter().find(|piece| piece.start <= byte && byte < piece.end)
    }

    /// The pieces that share bytes with a range, and those without bytes that stand within it or at its ends.
    pub fn over(&self, bytes: Range<usize>) -> impl Iterator<Item = &Piece> {
        let first = self.pieces.partition_point(|piece| piece.end < bytes.start);
        self.pieces[first..]
            .iter()
            .take_while(move |piece| piece.start <= bytes.end)
            .filter(move |piece| piece.is_nothing() || (piece.start < bytes.end && piece.end > bytes.start))
    }

    /// All pieces.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }
}

/// The lines of a text, each with its line end.
fn lines(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= text.len() {
            return None;
        }
        let end = text[start..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| start + at + 1);
        let line = start..end;
        start = end;
        Some(line)
    })
}
