use std::ops::Range;
use std::sync::Arc;

use crate::parse::tree::Unit;
use crate::value::{Origin, Str};

/// Which template wrote which bytes of an output, and where the values in them came from.
///
/// Spans are in order and do not overlap; every byte of the output is in one. No span crosses a line end of plain text.
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
    pub file: Arc<str>,
    /// Line from 1.
    pub line: u32,
    /// Column from 1, in bytes.
    pub column: u32,
    /// Origins of the values printed here, the caller's own numbers, in order, each once; empty for plain text.
    pub origins: Vec<Origin>,
}

impl Trace {
    /// The span that holds a byte of the output.
    pub fn at(&self, byte: usize) -> Option<&Span> {
        let after = self.spans.partition_point(|span| span.bytes.start <= byte);
        self.spans[..after].last().filter(|span| span.bytes.contains(&byte))
    }
}

/// A piece of output while it is recorded.
#[derive(Debug, Clone, Copy)]
struct Piece {
    start: usize,
    end: usize,
    unit: u32,
    pos: u32,
    origin: Origin,
    /// Plain text: each byte has its own place in the template.
    plain: bool,
}

/// Origins made of others.
#[derive(Debug)]
enum Derived {
    Union(Box<[Origin]>),
    /// The text of another template: its lines are found again in what functions made of it.
    Text {
        text: Str,
        pieces: Arc<[Piece]>,
    },
}

/// Collects the pieces of one execution.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    units: Vec<Arc<Unit>>,
    pieces: Vec<Piece>,
    derived: Vec<Derived>,
}

impl Recorder {
    fn unit(&mut self, unit: &Arc<Unit>) -> u32 {
        // The last one is almost always the right one.
        match self.units.iter().rposition(|known| Arc::ptr_eq(known, unit)) {
            Some(at) => at as u32,
            None => {
                self.units.push(Arc::clone(unit));
                self.units.len() as u32 - 1
            }
        }
    }

    fn derive(&mut self, derived: Derived) -> Origin {
        self.derived.push(derived);
        Origin(Origin::DERIVED.0 + self.derived.len() as u32 - 1)
    }

    fn derived(&self, origin: Origin) -> Option<&Derived> {
        self.derived.get(origin.0.checked_sub(Origin::DERIVED.0)? as usize)
    }

    /// Begins the output of another template.
    pub(crate) fn begin(&mut self) -> Pieces {
        Pieces(std::mem::take(&mut self.pieces))
    }

    /// Ends it and gives the origin of its text.
    pub(crate) fn end(&mut self, outer: Pieces, text: Str) -> Origin {
        let pieces = std::mem::replace(&mut self.pieces, outer.0);
        if pieces.is_empty() {
            return Origin::NONE;
        }
        self.derive(Derived::Text { text, pieces: pieces.into() })
    }

    /// Plain text of a template was written.
    pub(crate) fn text(&mut self, unit: &Arc<Unit>, pos: u32, start: usize, end: usize) {
        let unit = self.unit(unit);
        if start < end {
            self.pieces.push(Piece { start, end, unit, pos, origin: Origin::NONE, plain: true });
        }
    }

    /// A value was written by the action at `pos`: all of `out` from `start` on.
    pub(crate) fn value(&mut self, unit: &Arc<Unit>, pos: u32, origin: Origin, out: &[u8], start: usize) {
        let unit = self.unit(unit);
        let whole = Piece { start, end: out.len(), unit, pos, origin, plain: false };
        if start == out.len() {
            return;
        }
        let Some((text, pieces)) = self.inner_text(origin) else {
            self.pieces.push(whole);
            return;
        };
        self.align(whole, &out[start..], &text, &pieces);
    }

    /// The one template text that an origin is made of.
    fn inner_text(&self, origin: Origin) -> Option<(Str, Arc<[Piece]>)> {
        match self.derived(origin)? {
            Derived::Text { text, pieces } => Some((text.clone(), Arc::clone(pieces))),
            Derived::Union(origins) => {
                let mut texts = origins.iter().filter_map(|origin| self.inner_text(*origin));
                let first = texts.next()?;
                texts.next().is_none().then_some(first)
            }
        }
    }

    /// Finds the lines of a template's text again in what was printed (indented, trimmed), and gives each its own
    /// pieces; what is not found belongs to the printing action.
    fn align(&mut self, whole: Piece, printed: &[u8], text: &[u8], pieces: &[Piece]) {
        let mut source = lines(text).collect::<Vec<_>>().into_iter().peekable();
        for line in lines(printed) {
            let shown = &printed[line.clone()];
            let content = shown.trim_ascii();
            let own = Piece { start: whole.start + line.start, end: whole.start + line.end, ..whole };
            let mut rest = source.clone();
            let found =
                if content.is_empty() { None } else { rest.find(|from| text[from.clone()].trim_ascii() == content) };
            let Some(from) = found else {
                self.pieces.push(own);
                continue;
            };
            source = rest;
            let inner = &text[from.clone()];
            let inner_start = from.start + (inner.len() - inner.trim_ascii_start().len());
            let shown_start = own.start + (shown.len() - shown.trim_ascii_start().len());
            if shown_start > own.start {
                self.pieces.push(Piece { end: shown_start, ..own });
            }
            let mut at = shown_start;
            let shown_end = shown_start + content.len();
            for piece in
                pieces.iter().filter(|piece| piece.end > inner_start && piece.start < inner_start + content.len())
            {
                let start = piece.start.max(inner_start);
                let end = (piece.end.min(inner_start + content.len()) - inner_start + shown_start).min(shown_end);
                if end > at {
                    let pos = if piece.plain { piece.pos + (start - piece.start) as u32 } else { piece.pos };
                    self.pieces.push(Piece { start: at, end, pos, ..*piece });
                    at = end;
                }
            }
            if at < own.end {
                self.pieces.push(Piece { start: at, ..own });
            }
        }
    }

    /// The origin of what was made of values of these origins.
    pub(crate) fn union(&mut self, origins: impl Iterator<Item = Origin>) -> Origin {
        let mut all: Vec<Origin> = origins.filter(|origin| *origin != Origin::NONE).collect();
        all.dedup();
        match all.as_slice() {
            [] => Origin::NONE,
            [one] => *one,
            _ => self.derive(Derived::Union(all.into())),
        }
    }

    fn leaves(&self, origin: Origin, into: &mut Vec<Origin>, budget: &mut usize) {
        let mut work = vec![origin];
        while let Some(origin) = work.pop() {
            if *budget == 0 {
                return;
            }
            *budget -= 1;
            match self.derived(origin) {
                None if origin != Origin::NONE => into.push(origin),
                None => {}
                Some(Derived::Union(origins)) => work.extend(origins.iter()),
                Some(Derived::Text { pieces, .. }) => work.extend(pieces.iter().map(|piece| piece.origin)),
            }
        }
    }

    /// The finished trace of an output.
    pub(crate) fn finish(&self, out: &[u8]) -> Trace {
        let mut spans = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            let unit = &self.units[piece.unit as usize];
            let mut origins = Vec::new();
            self.leaves(piece.origin, &mut origins, &mut 10_000);
            origins.sort_unstable();
            origins.dedup();
            let file = Arc::clone(&unit.name);
            let (line, column) = unit.line_and_column(piece.pos as usize);
            if !piece.plain {
                let bytes = piece.start..piece.end;
                spans.push(Span { bytes, file, line, column: column + 1, origins });
                continue;
            }
            let shown = out.get(piece.start..piece.end).unwrap_or(&[]);
            for (at, range) in lines(shown).enumerate() {
                spans.push(Span {
                    bytes: piece.start + range.start..piece.start + range.end,
                    file: Arc::clone(&file),
                    line: line + at as u32,
                    column: if at == 0 { column + 1 } else { 1 },
                    origins: Vec::new(),
                });
            }
        }
        Trace { spans }
    }
}

/// The pieces of an output that waits for another.
pub(crate) struct Pieces(Vec<Piece>);

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
