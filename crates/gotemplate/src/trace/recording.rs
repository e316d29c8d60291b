use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::touched::Touched;
use super::{Piece, PieceKind, Trace};
use crate::parse::tree::Unit;
use crate::value::{Data, Origin, Str, Value};

/// Values looked into when a function takes a whole collection.
const MOST_GATHERED: usize = 100_000;
/// Unions in unions that are looked through for what decided about members alone; deeper, it counts for each of them.
const MOST_UNIONS: usize = 64;

/// What executions on the same values have recorded; values that one leaves behind for the next stay known.
#[derive(Debug, Default)]
pub struct Recording {
    units: Vec<Arc<Unit>>,
    pub(super) derived: Vec<Derived>,
    pub(super) functions: Vec<Str>,
    /// Unions made before, so that loops do not make them anew.
    unions: FxHashMap<(Origin, Origin), Origin>,
    controls: FxHashMap<Origin, Origin>,
    /// Origins without a part of what decided.
    parts: FxHashMap<(Origin, Left), Origin>,
    pub(super) touched: Touched,
    /// What decides about whatever is executed now.
    control: Origin,
    /// The texts made at run time that are being executed, with their origins and the place of the call.
    texts: Vec<RunText>,
    pub(super) pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy)]
struct RunText {
    unit: u32,
    origin: Origin,
    place: (u32, u32),
}

/// A place in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The name of the text that holds the template (a file's path under Helm).
    pub file: Arc<str>,
    /// Line from 1.
    pub line: u32,
    /// Column from 1, in bytes.
    pub column: u32,
}

/// Origins made of others.
#[derive(Debug)]
pub(super) enum Derived {
    /// By a function, or side by side (`None`).
    Made { by: Option<u32>, of: Box<[Origin]> },
    /// The key of a map's entry.
    Key(Origin),
    /// What only decided.
    Control(Origin),
    /// What decided which members a collection has: about those that it has, and that are asked for by their keys, it
    /// decided nothing more.
    Members(Origin),
    /// What was passed over for the value, by `and` or `or`, and is as true as it: whoever asks for yes or no alone gets the
    /// same without.
    Passed(Origin),
    /// The text of another template: its lines are found again in what functions make of it.
    Text { text: Str, pieces: Arc<[Piece]> },
}

/// What is left out of an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Left {
    Members,
    Passed,
}

/// The pieces of an output that waits for another.
pub(crate) struct Pieces(Vec<Piece>);

impl Recording {
    /// Nothing recorded.
    pub fn new() -> Self {
        Recording::default()
    }

    /// The place in a template that a byte of a piece comes from.
    pub fn place(&self, piece: &Piece, byte: usize) -> Option<Spot> {
        let unit = self.units.get(piece.unit as usize)?;
        let inside = if piece.kind == PieceKind::Text { byte.saturating_sub(piece.start) } else { 0 };
        let (line, column) = unit.line_and_column(piece.pos as usize + inside);
        Some(Spot { file: Arc::clone(&unit.name), line, column: column + 1 })
    }

    /// The name of the text that holds the template which printed a piece.
    pub fn file(&self, piece: &Piece) -> Option<&str> {
        self.units.get(piece.unit as usize).map(|unit| &*unit.name)
    }

    pub(super) fn unit(&mut self, unit: &Arc<Unit>) -> u32 {
        // The last one is almost always the right one.
        match self.units.iter().rposition(|known| Arc::ptr_eq(known, unit)) {
            Some(at) => at as u32,
            None => {
                self.units.push(Arc::clone(unit));
                self.units.len() as u32 - 1
            }
        }
    }

    pub(super) fn derive(&mut self, derived: Derived) -> Origin {
        // Enough for any chart; beyond, origins are forgotten and not mixed up.
        if self.derived.len() as u32 >= Origin::MADE.0 - Origin::DERIVED.0 {
            return Origin::MADE;
        }
        self.derived.push(derived);
        Origin(Origin::DERIVED.0 + self.derived.len() as u32 - 1)
    }

    pub(super) fn derived(&self, origin: Origin) -> Option<&Derived> {
        self.derived.get(origin.0.checked_sub(Origin::DERIVED.0)? as usize)
    }

    /// Both.
    pub(crate) fn both(&mut self, a: Origin, b: Origin) -> Origin {
        match (a, b) {
            (_, Origin::NONE) => return a,
            (Origin::NONE | Origin::MADE, _) => return b,
            (_, Origin::MADE) => return a,
            _ if a == b => return a,
            _ => {}
        }
        if let Some(known) = self.unions.get(&(a, b)) {
            return *known;
        }
        let both = self.derive(Derived::Made { by: None, of: Box::new([a, b]) });
        self.unions.insert((a, b), both);
        both
    }

    /// What something decided.
    pub(crate) fn decided_by(&mut self, origin: Origin) -> Origin {
        if origin == Origin::NONE || origin == Origin::MADE {
            return Origin::NONE;
        }
        if matches!(self.derived(origin), Some(Derived::Control(_))) {
            return origin;
        }
        if let Some(known) = self.controls.get(&origin) {
            return *known;
        }
        let control = self.derive(Derived::Control(origin));
        self.controls.insert(origin, control);
        control
    }

    /// A value's origin, and what decided about it.
    pub(crate) fn with_control(&mut self, origin: Origin, control: Origin) -> Origin {
        let control = self.decided_by(control);
        self.both(origin, control)
    }

    /// What a function of that name made of others.
    pub(crate) fn made_by(&mut self, name: &str, mut of: Vec<Origin>) -> Origin {
        of.retain(|origin| !matches!(*origin, Origin::NONE | Origin::MADE));
        of.dedup();
        if of.is_empty() {
            return Origin::NONE;
        }
        let by = match self.functions.iter().position(|known| known.as_bytes() == name.as_bytes()) {
            Some(at) => at as u32,
            None => {
                self.functions.push(Str::from(name));
                self.functions.len() as u32 - 1
            }
        };
        self.derive(Derived::Made { by: Some(by), of: of.into() })
    }

    /// The origin of a map's key; what is in its entry has no part in it.
    pub(crate) fn key_of(&mut self, entry: Origin) -> Origin {
        let entry = self.without_members(entry);
        if matches!(entry, Origin::NONE | Origin::MADE) { entry } else { self.derive(Derived::Key(entry)) }
    }

    /// The origin of a value, of a collection only its own and what was done to it.
    pub(crate) fn shallow(&mut self, value: &Value) -> Origin {
        let touched = match value.data() {
            Data::Map(map) => self.touched(map, None),
            _ => Origin::NONE,
        };
        self.with_control(value.origin(), touched)
    }

    /// The origin of a value with all that is in it.
    pub(crate) fn deep(&mut self, value: &Value) -> Origin {
        if !matches!(value.data(), Data::List(_) | Data::Map(_)) {
            return value.origin();
        }
        let mut all = Vec::new();
        // Values can hold each other, and one part many times.
        let mut seen = FxHashSet::default();
        let mut work = vec![value.clone()];
        while let Some(value) = work.pop() {
            if all.len() >= MOST_GATHERED {
                break;
            }
            let origin = value.origin();
            if !matches!(origin, Origin::NONE | Origin::MADE) && all.last() != Some(&origin) {
                all.push(origin);
            }
            match value.data() {
                Data::List(list) if seen.insert(list.address()) => work.extend(list.values().iter().rev().cloned()),
                Data::Map(map) if seen.insert(map.address()) => {
                    let touched = self.touched(map, None);
                    if touched != Origin::NONE {
                        all.push(touched);
                    }
                    map.for_each(|_, value| work.push(value.clone()));
                }
                _ => {}
            }
        }
        all.sort_unstable();
        all.dedup();
        match all.as_slice() {
            [] => value.origin(),
            [one] => *one,
            _ => self.derive(Derived::Made { by: None, of: all.into() }),
        }
    }

    /// The origin of an element, which has that of its collection where it has none of its own.
    pub(crate) fn element(&mut self, collection: Origin, element: Origin) -> Origin {
        if element == Origin::NONE {
            return collection;
        }
        // What decided about a collection decided about what is in it; a collection of the values decides nothing.
        let collection = self.without(Left::Members, collection, 0);
        if collection.0 >= Origin::DERIVED.0 && collection != Origin::MADE {
            return self.with_control(element, collection);
        }
        element
    }

    /// The origin of a collection whose members something has chosen.
    pub(crate) fn members(&mut self, of: Origin) -> Origin {
        if matches!(of, Origin::NONE | Origin::MADE) { Origin::MADE } else { self.derive(Derived::Members(of)) }
    }

    /// A collection's origin without what decided which members it has.
    pub(crate) fn without_members(&mut self, collection: Origin) -> Origin {
        self.without(Left::Members, collection, 0)
    }

    /// What was passed over for a value that says the same yes or no.
    pub(crate) fn passed(&mut self, over: Origin) -> Origin {
        if matches!(over, Origin::NONE | Origin::MADE) { Origin::NONE } else { self.derive(Derived::Passed(over)) }
    }

    /// What decided whether a value is true.
    pub(crate) fn truth(&mut self, value: &Value) -> Origin {
        let whole = self.shallow(value);
        self.without(Left::Passed, whole, 0)
    }

    fn without(&mut self, left: Left, origin: Origin, depth: usize) -> Origin {
        let of = match (self.derived(origin), left) {
            (Some(Derived::Members(_)), Left::Members) | (Some(Derived::Passed(_)), Left::Passed) => {
                return Origin::MADE;
            }
            (Some(Derived::Made { by: None, of }), _) if depth < MOST_UNIONS => of.clone(),
            _ => return origin,
        };
        if let Some(known) = self.parts.get(&(origin, left)) {
            return *known;
        }
        let parts: Vec<Origin> = of.iter().map(|part| self.without(left, *part, depth + 1)).collect();
        let rest =
            if parts == *of { origin } else { parts.into_iter().fold(Origin::MADE, |all, part| self.both(all, part)) };
        self.parts.insert((origin, left), rest);
        rest
    }

    /// What decides about whatever is executed now.
    pub(crate) fn control(&self) -> Origin {
        self.control
    }

    /// Sets what decides, and gives what did.
    pub(crate) fn set_control(&mut self, control: Origin) -> Origin {
        std::mem::replace(&mut self.control, control)
    }

    /// Adds to what decides, and gives what did.
    pub(crate) fn decide(&mut self, by: Origin) -> Origin {
        let by = self.decided_by(by);
        let control = self.both(self.control, by);
        self.set_control(control)
    }

    /// Begins the output of another template.
    pub(crate) fn begin(&mut self) -> Pieces {
        Pieces(std::mem::take(&mut self.pieces))
    }

    /// Ends it and gives the origin of its text.
    pub(crate) fn end(&mut self, outer: Pieces, text: Str) -> Origin {
        let pieces = std::mem::replace(&mut self.pieces, outer.0);
        if pieces.is_empty() {
            return Origin::MADE;
        }
        self.derive(Derived::Text { text, pieces: pieces.into() })
    }

    /// Begins a text made at run time, called at that place.
    pub(crate) fn begin_text(&mut self, text: &Arc<Unit>, origin: Origin, caller: &Arc<Unit>, pos: u32) {
        let (unit, caller) = (self.unit(text), self.unit(caller));
        let place = self.located(caller, pos);
        let origin = self.as_written(&text.text, origin, place);
        self.texts.push(RunText { unit, origin, place });
    }

    /// Ends it.
    pub(crate) fn end_text(&mut self) {
        self.texts.pop();
    }

    /// A place in a file: that of the call, for a text made at run time.
    fn located(&self, unit: u32, pos: u32) -> (u32, u32) {
        match self.texts.iter().rfind(|text| text.unit == unit) {
            Some(text) => text.place,
            None => (unit, pos),
        }
    }

    /// Plain text of a template was written.
    pub(crate) fn text(&mut self, unit: &Arc<Unit>, pos: u32, start: usize, end: usize) {
        let unit = self.unit(unit);
        if start >= end {
            return;
        }
        let control = self.control;
        let Some(run) = self.texts.iter().rfind(|text| text.unit == unit).copied() else {
            self.pieces.push(Piece { start, end, unit, pos, origin: Origin::NONE, control, kind: PieceKind::Text });
            return;
        };
        let (place, from) = (run.place, pos as usize);
        let whole =
            Piece { start, end, unit: place.0, pos: place.1, origin: run.origin, control, kind: PieceKind::Value };
        let text = self.units[unit as usize].text.clone();
        match self.inner_text(run.origin).filter(|inner| inner.text == text) {
            // The text is what a template or `toYaml` wrote: its own pieces tell more.
            Some(inner) => {
                let length = end - start;
                for piece in inner.pieces.iter().filter(|piece| piece.end >= from && piece.start <= from + length) {
                    let to = |at: usize| at.clamp(from, from + length) - from + start;
                    let skipped = from.saturating_sub(piece.start) as u32;
                    let pos = if piece.kind == PieceKind::Text { piece.pos + skipped } else { piece.pos };
                    let control = self.both(control, piece.control);
                    if to(piece.start) < to(piece.end) || piece.is_nothing() {
                        self.pieces.push(Piece { start: to(piece.start), end: to(piece.end), pos, control, ..*piece });
                    }
                }
            }
            None => self.pieces.push(whole),
        }
    }

    /// A value was written by the action at `pos`: all of `out` from `start` on.
    pub(crate) fn value(&mut self, unit: &Arc<Unit>, pos: u32, value: &Value, out: &[u8], start: usize) {
        let unit = self.unit(unit);
        let decided = self.control_of_text(unit);
        let (unit, pos) = self.located(unit, pos);
        let origin = self.deep(value);
        let control = self.both(self.control, decided);
        let whole = Piece { start, end: out.len(), unit, pos, origin, control, kind: PieceKind::Value };
        if start == out.len() {
            // An empty text says nothing, but something decided that it is empty.
            if !matches!(origin, Origin::NONE | Origin::MADE) {
                let of = self.decided_by(origin);
                let control = self.both(control, of);
                self.pieces.push(Piece { kind: PieceKind::NoValue, control, origin: Origin::NONE, ..whole });
            }
            return;
        }
        match self.inner_text(origin) {
            Some(inner) => self.align(whole, &out[start..], &inner),
            None => self.pieces.push(whole),
        }
    }

    /// The number of pieces of the current output.
    pub(crate) fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// A branch printed nothing; `before` is the piece and the byte that it stands in front of.
    pub(crate) fn nothing(&mut self, unit: &Arc<Unit>, pos: u32, before: (usize, usize), kind: PieceKind) {
        let unit = self.unit(unit);
        let decided = self.control_of_text(unit);
        let (unit, pos) = self.located(unit, pos);
        let control = self.both(self.control, decided);
        let (index, at) = before;
        let piece = Piece { start: at, end: at, unit, pos, origin: Origin::NONE, control, kind };
        self.pieces.insert(index.min(self.pieces.len()), piece);
    }

    /// A place as pieces have it.
    pub(crate) fn place_of(&mut self, unit: &Arc<Unit>, pos: u32) -> (u32, u32) {
        let unit = self.unit(unit);
        self.located(unit, pos)
    }

    /// A text made at run time decides about what its actions print.
    fn control_of_text(&mut self, unit: u32) -> Origin {
        match self.texts.iter().rfind(|text| text.unit == unit) {
            Some(text) => {
                let origin = text.origin;
                self.decided_by(origin)
            }
            None => Origin::NONE,
        }
    }

    /// The finished trace of an output.
    pub(crate) fn finish(&mut self) -> Trace {
        Trace { pieces: std::mem::take(&mut self.pieces) }
    }

    /// Forgets an execution that failed.
    pub(crate) fn reset(&mut self) {
        self.pieces.clear();
        self.texts.clear();
        self.control = Origin::NONE;
    }
}
