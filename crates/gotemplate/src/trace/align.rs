//! The lines of a template's text, found again in what functions made of it.

use std::ops::Range;
use std::sync::Arc;

use super::recording::Derived;
use super::{Piece, PieceKind, Recording, lines};
use crate::value::{Origin, Str};

/// How far ahead a printed line is looked for.
const LOOKED_AHEAD: usize = 64;

/// The one template text that an origin is made of.
pub(super) struct Inner {
    pub(super) text: Str,
    pub(super) pieces: Arc<[Piece]>,
    /// What else it is made of, such as a width or a word that is replaced.
    rest: Vec<Origin>,
}

impl Recording {
    /// The one template text that an origin is made of, if it is one.
    pub(super) fn inner_text(&self, origin: Origin) -> Option<Inner> {
        let mut here = origin;
        let mut rest = Vec::new();
        // As many functions as may stand behind each other; deeper is as good as none.
        for _ in 0..64 {
            match self.derived(here)? {
                Derived::Text { text, pieces } => {
                    return Some(Inner { text: text.clone(), pieces: Arc::clone(pieces), rest });
                }
                Derived::Made { of, .. } => {
                    let mut texts = of.iter().filter(|origin| self.holds_text(**origin, 8));
                    let text = *texts.next()?;
                    if texts.next().is_some() {
                        return None;
                    }
                    rest.extend(of.iter().filter(|origin| **origin != text));
                    here = text;
                }
                Derived::Key(_) | Derived::Control(_) | Derived::Members(_) | Derived::Passed(_) => return None,
            }
        }
        None
    }

    /// Whether an origin is made of one text that a template or a function wrote.
    pub(crate) fn is_written(&self, origin: Origin) -> bool {
        self.inner_text(origin).is_some()
    }

    /// The origin of a text as the very text that it is: where functions have indented or trimmed what was written, its lines
    /// are found again. What is not found belongs to `place`.
    pub(crate) fn as_written(&mut self, text: &Str, origin: Origin, (unit, pos): (u32, u32)) -> Origin {
        let Some(inner) = self.inner_text(origin).filter(|inner| inner.text != *text && !text.is_empty()) else {
            return origin;
        };
        let outer = self.begin();
        let kind = PieceKind::Value;
        self.align(Piece { start: 0, end: text.len(), origin, control: Origin::NONE, kind, unit, pos }, text, &inner);
        self.end(outer, text.clone())
    }

    fn holds_text(&self, origin: Origin, depth: usize) -> bool {
        match self.derived(origin) {
            Some(Derived::Text { .. }) => true,
            Some(Derived::Made { of, .. }) if depth > 0 && of.len() <= 16 => {
                of.iter().any(|origin| self.holds_text(*origin, depth - 1))
            }
            _ => false,
        }
    }

    /// Gives the lines of a text that were printed (indented, trimmed) their own pieces; what is not found belongs to the
    /// printing action.
    pub(super) fn align(&mut self, whole: Piece, printed: &[u8], inner: &Inner) {
        let Inner { text, pieces, rest } = inner;
        let mut whole = whole;
        for origin in rest {
            let decided = self.decided_by(*origin);
            whole.control = self.both(whole.control, decided);
        }
        let source: Vec<Range<usize>> = lines(text).collect();
        let mut line = 0;
        let mut next = 0;
        for shown_line in lines(printed) {
            let shown = &printed[shown_line.clone()];
            let content = shown.trim_ascii();
            let own = Piece { start: whole.start + shown_line.start, end: whole.start + shown_line.end, ..whole };
            let ahead = source.iter().skip(line).take(LOOKED_AHEAD);
            let found = if content.is_empty() {
                None
            } else {
                ahead.enumerate().find(|(_, from)| text[(*from).clone()].trim_ascii() == content)
            };
            let Some((skipped, from)) = found else {
                self.pieces.push(own);
                continue;
            };
            line += skipped + 1;
            let raw = &text[from.clone()];
            let inner_start = from.start + (raw.len() - raw.trim_ascii_start().len());
            let inner_end = inner_start + content.len();
            while let Some(piece) = pieces.get(next).filter(|piece| piece.end < inner_start) {
                if piece.is_nothing() {
                    self.moved(*piece, own.start, own.start, whole.control);
                }
                next += 1;
            }
            let shown_start = own.start + (shown.len() - shown.trim_ascii_start().len());
            if shown_start > own.start {
                self.pieces.push(Piece { end: shown_start, origin: Origin::NONE, ..own });
            }
            let to = |at: usize| at.clamp(inner_start, inner_end) - inner_start + shown_start;
            let mut at = shown_start;
            while let Some(piece) = pieces.get(next).filter(|piece| piece.start <= inner_end) {
                let (start, end) = (to(piece.start).max(at), to(piece.end));
                if piece.is_nothing() {
                    self.moved(*piece, at, at, whole.control);
                } else if end > start {
                    let before = inner_start.saturating_sub(piece.start) as u32;
                    let pos = if piece.kind == PieceKind::Text { piece.pos + before } else { piece.pos };
                    self.moved(Piece { pos, ..*piece }, start, end, whole.control);
                    at = end;
                }
                if piece.end > inner_end {
                    break;
                }
                next += 1;
            }
            if at < own.end {
                self.pieces.push(Piece { start: at, origin: Origin::NONE, ..own });
            }
        }
        while let Some(piece) = pieces.get(next) {
            if piece.is_nothing() {
                self.moved(*piece, whole.end, whole.end, whole.control);
            }
            next += 1;
        }
    }

    fn moved(&mut self, piece: Piece, start: usize, end: usize, control: Origin) {
        let control = self.both(piece.control, control);
        self.pieces.push(Piece { start, end, control, ..piece });
    }

    /// The origin of a text that was written of values: which bytes are which value's; `control` decided about all.
    pub(crate) fn written(
        &mut self,
        text: Str,
        parts: &[(Range<usize>, Origin)],
        control: Origin,
        place: (u32, u32),
    ) -> Origin {
        let control = self.decided_by(control);
        let mut pieces = Vec::with_capacity(parts.len() * 2 + 1);
        let mut at = 0;
        let (unit, pos) = place;
        let piece =
            |start: usize, end: usize, origin| Piece { start, end, origin, control, kind: PieceKind::Value, unit, pos };
        for (bytes, origin) in parts {
            let (start, end) = (bytes.start.max(at), bytes.end.min(text.len()));
            if start > at {
                pieces.push(piece(at, start, Origin::NONE));
            }
            if end > start {
                pieces.push(piece(start, end, *origin));
                at = end;
            }
        }
        if at < text.len() {
            pieces.push(piece(at, text.len(), Origin::NONE));
        }
        if pieces.is_empty() {
            return control;
        }
        self.derive(Derived::Text { text, pieces: pieces.into() })
    }

    /// The origin of a stretch of a text, the text's when it cannot be told more exactly; branches that printed nothing
    /// beside it decided about it, too.
    pub(crate) fn stretch(&mut self, text: &[u8], origin: Origin, bytes: Range<usize>, beside: &Beside) -> Origin {
        let Some(inner) = self.inner_text(origin).filter(|inner| inner.text.as_bytes() == text) else { return origin };
        let mut all = Origin::MADE;
        let around = match beside {
            Beside::Nothing => bytes.clone(),
            Beside::Line(around) | Beside::Lines(around) => around.start.min(bytes.start)..around.end.max(bytes.end),
        };
        for piece in touching(&inner.pieces, around) {
            let shares = piece.start < bytes.end && piece.end > bytes.start;
            let inside = bytes.start < piece.start && piece.start < bytes.end;
            let counts = match beside {
                _ if !piece.is_nothing() => shares,
                Beside::Nothing => inside,
                // What would have begun a line of its own is no part of a value that has one line.
                Beside::Line(_) => inside || piece.kind == PieceKind::NoValue,
                Beside::Lines(_) => true,
            };
            if counts {
                all = self.both(all, piece.origin);
                all = self.with_control(all, piece.control);
            }
        }
        for other in inner.rest {
            all = self.with_control(all, other);
        }
        all
    }

    /// What decided about the parts of a stretch of a text, and about what could have stood there.
    pub(crate) fn decisions(&mut self, text: &[u8], origin: Origin, bytes: Range<usize>) -> Origin {
        let Some(inner) = self.inner_text(origin).filter(|inner| inner.text.as_bytes() == text) else {
            return self.decided_by(origin);
        };
        let mut all = Origin::NONE;
        let mut last = Origin::NONE;
        for piece in touching(&inner.pieces, bytes.clone()) {
            let is_there = piece.is_nothing() || (piece.start < bytes.end && piece.end > bytes.start);
            if is_there && piece.control != last {
                last = piece.control;
                all = self.with_control(all, piece.control);
            }
        }
        all
    }
}

/// Where branches that printed nothing would have made a stretch of a text another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beside {
    /// Within it only.
    Nothing,
    /// In these bytes around it, as far as they would have gone on with its line.
    Line(Range<usize>),
    /// In these bytes around it: it can take more lines.
    Lines(Range<usize>),
}

/// The pieces that share bytes with a range or end at it.
fn touching(pieces: &[Piece], bytes: Range<usize>) -> impl Iterator<Item = &Piece> {
    let first = pieces.partition_point(|piece| piece.end < bytes.start);
    pieces[first..].iter().take_while(move |piece| piece.start <= bytes.end)
}
