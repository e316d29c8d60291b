use std::ops::Range;

use crate::value::Origin;

/// Which template wrote which bytes of an output, and where the values in them came from.
///
/// Spans are in order and do not overlap; every byte of the output is in one.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// The pieces.
    pub spans: Vec<Span>,
}

/// A piece of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The bytes of the output.
    pub bytes: Range<usize>,
    /// The name of the text that holds the template (a file's path under Helm).
    pub file: std::sync::Arc<str>,
    /// Line from 1.
    pub line: u32,
    /// Column from 1, in bytes.
    pub column: u32,
    /// Origins of the values printed here, the caller's own numbers, in order, each once; empty for plain text.
    pub origins: Vec<Origin>,
}
