//! Places in a text.

use std::fmt;

/// A place in a text: byte offset, line and column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    pub(crate) offset: u32,
    pub(crate) row: u32,
    pub(crate) col: u32,
}

impl Mark {
    /// Bytes before this place.
    pub fn offset(self) -> usize {
        self.offset as usize
    }

    /// Line, counted from 1.
    pub fn line(self) -> usize {
        self.row as usize + 1
    }

    /// Column, counted from 1 in characters.
    pub fn column(self) -> usize {
        self.col as usize + 1
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line(), self.column())
    }
}

/// What lies between two places; `end` is not part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first place of the text meant.
    pub start: Mark,
    /// The place after its last character.
    pub end: Mark,
}

impl Span {
    pub(crate) fn at(mark: Mark) -> Self {
        Self { start: mark, end: mark }
    }

    /// The bytes of the text meant.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start.offset()..self.end.offset()
    }

    /// The text meant, cut out of the text that was parsed.
    pub fn text(self, source: &str) -> &str {
        source.get(self.range()).unwrap_or("")
    }
}
