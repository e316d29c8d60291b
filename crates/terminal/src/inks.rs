//! Colours, put on after what is painted was shown.
//!
//! Whoever builds a line mixes painted and foreign text in one `String`. So paint is not the terminal's own sequence but
//! a mark of characters that no text may hold, with a number in it that nobody outside of this process knows; only where
//! the line is shown do marks become sequences, and all else that looks like one becomes an escape.

use std::hash::{BuildHasher, RandomState};

use crate::escape::shown;

/// What a piece of text is painted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Green.
    Green,
    /// Red.
    Red,
    /// Yellow.
    Yellow,
    /// Cyan.
    Cyan,
    /// Fainter than the rest.
    Dim,
    /// Stronger than the rest.
    Bold,
}

/// Whether paint is shown as colour, or left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// As colour.
    On,
    /// Left out.
    Off,
}

const INKS: [(Ink, &str, &str); 6] = [
    (Ink::Green, "\u{1b}[32m", "\u{1b}[39m"),
    (Ink::Red, "\u{1b}[31m", "\u{1b}[39m"),
    (Ink::Yellow, "\u{1b}[33m", "\u{1b}[39m"),
    (Ink::Cyan, "\u{1b}[36m", "\u{1b}[39m"),
    (Ink::Dim, "\u{1b}[2m", "\u{1b}[0m"),
    (Ink::Bold, "\u{1b}[1m", "\u{1b}[0m"),
];

/// The first of the sixteen noncharacters that spell the seal; the sixteen behind them begin and end marks.
const DIGITS: u32 = 0xFDD0;
const MARKS: u32 = 0xFDE0;
/// Characters of a mark: its kind, and the seal.
const MARK_LENGTH: usize = 17;

/// The inks of one process.
#[derive(Debug, Clone)]
pub struct Inks {
    seal: String,
}

impl Default for Inks {
    fn default() -> Self {
        Inks::new()
    }
}

impl Inks {
    /// Inks with a seal that nobody knows.
    pub fn new() -> Self {
        Inks::sealed(RandomState::new().hash_one(DIGITS))
    }

    fn sealed(number: u64) -> Self {
        let digit = |at: u32| char::from_u32(DIGITS + ((number >> (at * 4)) & 0xF) as u32);
        Inks { seal: (0..16).filter_map(digit).collect() }
    }

    fn mark(&self, kind: usize) -> String {
        let first = char::from_u32(MARKS + kind as u32).expect("there are less than sixteen kinds of marks");
        format!("{first}{}", self.seal)
    }

    /// Marks a text as painted.
    pub fn paint(&self, ink: Ink, text: &str) -> String {
        let kind = INKS.iter().position(|(known, ..)| *known == ink).expect("every ink has a row");
        format!("{}{text}{}", self.mark(kind * 2), self.mark(kind * 2 + 1))
    }

    /// A text for a terminal: foreign characters as [`shown`], marks as colours or left out.
    pub fn show(&self, text: &str, colour: Colour) -> String {
        let mut out = String::with_capacity(text.len());
        for piece in self.pieces(text) {
            match piece {
                Piece::Text(text) => out.push_str(&shown(text)),
                Piece::Mark(kind) if colour == Colour::On => out.push_str(sequence(kind)),
                Piece::Mark(_) => {}
            }
        }
        out
    }

    /// A text as it is, marks left out: data for a program.
    pub fn without(&self, text: &str) -> String {
        let pieces = self.pieces(text);
        pieces.filter_map(|piece| if let Piece::Text(text) = piece { Some(text) } else { None }).collect()
    }

    /// How many columns a text takes, one a character as it will be shown.
    pub fn width(&self, text: &str) -> usize {
        self.show(text, Colour::Off).chars().count()
    }

    /// A text of one line folded into lines of at most so many columns: at a blank, behind what joins words in names, or
    /// where there is nothing of the kind in the middle of a word. What follows stands under the text, not under the mark
    /// in front of it, and deeper than a text that is indented, as the lines below may be; paint begins and ends on each line.
    pub fn fold(&self, text: &str, columns: usize) -> Vec<String> {
        if self.width(text) <= columns {
            return vec![text.to_owned()];
        }
        let cells = self.cells(text);
        let blanks = cells.iter().take_while(|cell| cell.character == ' ').count();
        let marked = blanks == 0
            && matches!(&cells[..], [mark, blank, ..] if blank.character == ' ' && !mark.character.is_alphanumeric());
        let hanging = if marked {
            2
        } else if blanks > 0 {
            blanks + 2
        } else {
            0
        }
        .min(columns / 2);
        let (mut lines, mut from) = (Vec::new(), 0);
        while from < cells.len() {
            let indent = if lines.is_empty() { 0 } else { hanging };
            let to = line_of(&cells, from, columns.saturating_sub(indent).max(1), blanks.max(hanging));
            let line = &cells[from..to];
            let end = line.iter().rposition(|cell| cell.character != ' ').map_or(0, |last| last + 1);
            lines.push(format!("{}{}", " ".repeat(indent), self.painted(&line[..end])));
            from = to + cells[to..].iter().take_while(|cell| cell.character == ' ').count();
        }
        lines
    }

    /// A text's characters, each with the paint that it has.
    fn cells(&self, text: &str) -> Vec<Cell> {
        let (mut cells, mut paint) = (Vec::new(), None);
        for piece in self.pieces(text) {
            match piece {
                Piece::Mark(kind) => paint = kind.is_multiple_of(2).then_some(kind),
                Piece::Text(text) => cells.extend(text.chars().map(|character| {
                    let columns = shown(character.encode_utf8(&mut [0; 4])).chars().count();
                    Cell { character, columns, paint }
                })),
            }
        }
        cells
    }

    /// Characters as a text again.
    fn painted(&self, cells: &[Cell]) -> String {
        let mut out = String::new();
        for run in cells.chunk_by(|a, b| a.paint == b.paint) {
            let text: String = run.iter().map(|cell| cell.character).collect();
            match run[0].paint {
                Some(kind) => out.push_str(&self.paint(INKS[kind / 2].0, &text)),
                None => out.push_str(&text),
            }
        }
        out
    }

    fn pieces<'t>(&self, text: &'t str) -> impl Iterator<Item = Piece<'t>> + use<'_, 't> {
        let mut rest = text;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let Some((at, kind)) = self.next_mark(rest) else {
                return Some(Piece::Text(std::mem::take(&mut rest)));
            };
            if at > 0 {
                let (before, from) = rest.split_at(at);
                rest = from;
                return Some(Piece::Text(before));
            }
            let end = rest.char_indices().nth(MARK_LENGTH).map_or(rest.len(), |(end, _)| end);
            rest = &rest[end..];
            Some(Piece::Mark(kind))
        })
    }

    /// The next mark that bears the seal, and its kind: an ink's place twice, and one more where it ends.
    fn next_mark(&self, text: &str) -> Option<(usize, usize)> {
        text.char_indices().find_map(|(at, c)| {
            let kind = u32::from(c).checked_sub(MARKS).map(|kind| kind as usize)?;
            INKS.get(kind / 2)?;
            let sealed = text[at + c.len_utf8()..].starts_with(self.seal.as_str());
            sealed.then_some((at, kind))
        })
    }
}

/// What a mark tells the terminal.
fn sequence(kind: usize) -> &'static str {
    let (_, on, off) = INKS[kind / 2];
    if kind.is_multiple_of(2) { on } else { off }
}

/// Where the line that begins at `from` ends: not before `at_least` characters.
fn line_of(cells: &[Cell], from: usize, columns: usize, at_least: usize) -> usize {
    let mut used = 0;
    let fits = cells[from..]
        .iter()
        .take_while(|cell| {
            used += cell.columns;
            used <= columns
        })
        .count();
    // A character that is wider than the line stands on it all the same.
    let end = from + fits.max(1);
    if end >= cells.len() {
        return cells.len();
    }
    let worth = from + at_least + 1;
    let blank = (worth..=end).rev().find(|at| cells[*at].character == ' ');
    if let Some(blank) = blank {
        return blank;
    }
    // Not behind a dot: a version is one word.
    let joint = (worth..end).rev().find(|at| matches!(cells[*at].character, '/' | '-' | ',' | ':' | '@' | '='));
    joint.map_or(end, |joint| joint + 1)
}

/// A character as it is shown.
struct Cell {
    character: char,
    columns: usize,
    /// The kind of mark that its paint begins with.
    paint: Option<usize>,
}

enum Piece<'t> {
    Text(&'t str),
    Mark(usize),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::is_harmless;

    #[test]
    fn paint_is_colour_only_where_colour_is_wanted() {
        let inks = Inks::sealed(7);
        let line = format!("{} and b\u{1b}[31m", inks.paint(Ink::Green, "a\u{1b}[2J"));
        assert_eq!(inks.show(&line, Colour::On), "\u{1b}[32ma\\x1b[2J\u{1b}[39m and b\\x1b[31m");
        assert_eq!(inks.show(&line, Colour::Off), "a\\x1b[2J and b\\x1b[31m");
        assert_eq!(inks.without(&line), "a\u{1b}[2J and b\u{1b}[31m");
        assert_eq!(inks.width(&inks.paint(Ink::Bold, "äb")), 2);
    }

    #[test]
    fn what_is_folded_breaks_at_blanks_then_at_joints_then_anywhere() {
        let inks = Inks::sealed(7);
        assert_eq!(inks.fold("short", 5), ["short"]);
        assert_eq!(inks.fold("one two three", 8), ["one two", "three"]);
        assert_eq!(inks.fold("one   two   three", 8), ["one", "two", "three"]);
        assert_eq!(inks.fold("A container waits", 12), ["A container", "waits"]);
        assert_eq!(inks.fold("deployment/web-frontend", 15), ["deployment/web-", "frontend"]);
        assert_eq!(inks.fold("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(inks.fold("~ Deployment/web", 13), ["~ Deployment/", "  web"]);
        assert_eq!(inks.fold("  refers KEY one/two", 13), ["  refers KEY", "    one/two"]);
        let painted = inks.fold(&inks.paint(Ink::Red, "not ready"), 5);
        let lines: Vec<String> = painted.iter().map(|line| inks.show(line, Colour::On)).collect();
        assert_eq!(lines, ["\u{1b}[31mnot\u{1b}[39m", "\u{1b}[31mready\u{1b}[39m"]);
        // What is shown as an escape takes the escape's room, and is not broken.
        assert_eq!(inks.fold("ab\u{7}cd", 5), ["ab", "\u{7}c", "d"]);
    }

    #[test]
    fn a_mark_without_the_seal_is_a_foreign_character() {
        let (ours, other) = (Inks::sealed(1), Inks::sealed(2));
        let forged = other.paint(Ink::Red, "x");
        assert!(ours.show(&forged, Colour::On).chars().all(is_harmless));
        assert!(ours.show("\u{fde0}", Colour::On).chars().all(is_harmless));
        assert_ne!(Inks::new().seal, Inks::new().seal);
    }
}
