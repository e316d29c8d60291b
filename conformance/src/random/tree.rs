//! Generated template text as a tree, so that a failure can be made smaller.

/// What a piece of template text is; one may stand for another of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An operand or a pipeline in parentheses.
    Expression,
    /// Text or an action with all that belongs to it.
    Item,
}

/// A piece of template text.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Piece(Piece),
    /// Items of which each may be left out.
    List(Vec<Piece>),
}

impl Piece {
    pub(super) fn new(kind: Kind) -> Self {
        Piece { kind, parts: Vec::new() }
    }

    pub(super) fn text(kind: Kind, text: impl Into<String>) -> Self {
        Piece::new(kind).and(text)
    }

    pub(super) fn and(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Text(text.into()));
        self
    }

    pub(super) fn with(mut self, piece: Piece) -> Self {
        self.parts.push(Part::Piece(piece));
        self
    }

    pub(super) fn list(mut self, pieces: Vec<Piece>) -> Self {
        self.parts.push(Part::List(pieces));
        self
    }

    pub(super) fn write(&self, out: &mut String) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Piece(piece) => piece.write(out),
                Part::List(pieces) => pieces.iter().for_each(|piece| piece.write(out)),
            }
        }
    }

    pub(super) fn source(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    /// All trees that are one step smaller, the smallest first.
    pub(super) fn smaller(&self) -> Vec<Piece> {
        let mut found = Vec::new();
        // The whole stands for one of its parts of the same kind.
        let mut inner = Vec::new();
        self.collect(self.kind, &mut inner);
        found.extend(inner.into_iter().cloned());
        if self.kind == Kind::Expression && self.source().len() > 3 {
            found.push(Piece::text(Kind::Expression, "1"));
            found.push(Piece::text(Kind::Expression, "\"a\""));
        }
        for (at, part) in self.parts.iter().enumerate() {
            let mut replace = |part: Part| {
                let mut copy = self.clone();
                copy.parts[at] = part;
                found.push(copy);
            };
            match part {
                Part::Text(_) => {}
                Part::Piece(piece) => piece.smaller().into_iter().for_each(|piece| replace(Part::Piece(piece))),
                Part::List(pieces) => {
                    for gone in 0..pieces.len() {
                        let mut rest = pieces.clone();
                        rest.remove(gone);
                        replace(Part::List(rest));
                    }
                    for (which, piece) in pieces.iter().enumerate() {
                        for smaller in piece.smaller() {
                            let mut changed = pieces.clone();
                            changed[which] = smaller;
                            replace(Part::List(changed));
                        }
                    }
                }
            }
        }
        found.sort_by_key(|piece| piece.source().len());
        found
    }

    fn collect<'t>(&'t self, kind: Kind, into: &mut Vec<&'t Piece>) {
        let pieces = self.parts.iter().flat_map(|part| match part {
            Part::Text(_) => &[][..],
            Part::Piece(piece) => std::slice::from_ref(piece),
            Part::List(pieces) => pieces,
        });
        for piece in pieces {
            if piece.kind == kind {
                into.push(piece);
            }
            piece.collect(kind, into);
        }
    }
}
