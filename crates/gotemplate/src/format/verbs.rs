//! `fmt.Sprintf`: the walk through a format and its verbs.

use super::printer::{Flags, Printer};
use super::utf8;
use crate::value::{Data, Value};

/// Widths and precisions beyond are refused, as Go does.
const TOO_LARGE: i64 = 1_000_000;

struct Walk<'a> {
    format: &'a [u8],
    operands: &'a [Value],
    at: usize,
    next: usize,
    reordered: bool,
    good_index: bool,
}

pub(super) fn sprintf(format: &[u8], operands: &[Value]) -> Vec<u8> {
    let mut printer = Printer::default();
    let mut walk = Walk { format, operands, at: 0, next: 0, reordered: false, good_index: true };
    while walk.at < format.len() && !printer.is_full() {
        let text = &format[walk.at..];
        let plain = text.iter().position(|byte| *byte == b'%').unwrap_or(text.len());
        printer.out.extend_from_slice(&text[..plain]);
        walk.at += plain;
        if walk.at < format.len() {
            walk.at += 1;
            walk.verb(&mut printer);
        }
    }
    if !walk.reordered && walk.next < operands.len() {
        printer.flags = Flags::default();
        printer.out.extend_from_slice(b"%!(EXTRA ");
        for (at, operand) in operands[walk.next..].iter().enumerate() {
            if at > 0 {
                printer.out.extend_from_slice(b", ");
            }
            if operand.is_nil() {
                printer.out.extend_from_slice(b"<nil>");
            } else {
                printer.out.extend_from_slice(operand.type_name().as_bytes());
                printer.out.push(b'=');
                printer.argument(operand, 'v');
            }
        }
        printer.out.push(b')');
    }
    printer.out
}

impl Walk<'_> {
    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    /// Everything behind a `%`.
    fn verb(&mut self, printer: &mut Printer) {
        self.good_index = true;
        printer.flags = Flags::default();
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => printer.flags.sharp = true,
                b'0' => printer.flags.zero = true,
                b'+' => printer.flags.plus = true,
                b'-' => printer.flags.minus = true,
                b' ' => printer.flags.space = true,
                _ => break,
            }
            self.at += 1;
        }
        let mut after_index = self.index();
        if self.peek() == Some(b'*') {
            self.at += 1;
            match self.operand_as_int() {
                Some(width) => {
                    if width < 0 {
                        printer.flags.minus = true;
                        printer.flags.zero = false;
                    }
                    printer.flags.width = Some(width.unsigned_abs() as usize);
                }
                None => printer.out.extend_from_slice(b"%!(BADWIDTH)"),
            }
            after_index = false;
        } else {
            printer.flags.width = self.number(self.format.len());
            if after_index && printer.flags.width.is_some() {
                self.good_index = false;
            }
        }
        if self.at + 1 < self.format.len() && self.peek() == Some(b'.') {
            self.at += 1;
            if after_index {
                self.good_index = false;
            }
            after_index = self.index();
            if self.peek() == Some(b'*') {
                self.at += 1;
                printer.flags.precision = self.operand_as_int().and_then(|precision| usize::try_from(precision).ok());
                if printer.flags.precision.is_none() {
                    printer.out.extend_from_slice(b"%!(BADPREC)");
                }
                after_index = false;
            } else {
                printer.flags.precision = Some(self.number(self.format.len()).unwrap_or(0));
            }
        }
        if !after_index {
            self.index();
        }
        if self.at >= self.format.len() {
            printer.out.extend_from_slice(b"%!(NOVERB)");
            return;
        }
        let (verb, length) = utf8::decode(&self.format[self.at..]);
        let verb = verb.unwrap_or(char::REPLACEMENT_CHARACTER);
        self.at += length;
        if verb == '%' {
            printer.out.push(b'%');
        } else if !self.good_index {
            wrong(printer, verb, "(BADINDEX)");
        } else if self.next >= self.operands.len() {
            wrong(printer, verb, "(MISSING)");
        } else {
            if matches!(verb, 'v' | 'w') {
                printer.flags.sharp_v = std::mem::take(&mut printer.flags.sharp);
                printer.flags.plus_v = std::mem::take(&mut printer.flags.plus);
            }
            printer.argument(&self.operands[self.next], verb);
            self.next += 1;
        }
    }

    /// Digits up to `end`; a number that is too large swallows the rest of the format, as in Go.
    fn number(&mut self, end: usize) -> Option<usize> {
        let mut number = None;
        while self.at < end
            && let Some(digit @ b'0'..=b'9') = self.peek()
        {
            if number.is_some_and(|number| number > TOO_LARGE as usize) {
                self.at = end;
                return None;
            }
            number = Some(number.unwrap_or(0) * 10 + usize::from(digit - b'0'));
            self.at += 1;
        }
        number
    }

    /// `[3]`: which operand comes next. Whether there was a bracket that could be read.
    fn index(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let Some(close) = rest.iter().position(|byte| *byte == b']').filter(|_| rest.len() >= 3) else {
            self.good_index = false;
            self.at += 1;
            return false;
        };
        let end = self.at + close;
        self.at += 1;
        let number = self.number(end);
        let whole = self.at == end;
        self.at = end + 1;
        match number {
            Some(number) if whole => {
                if (1..=self.operands.len()).contains(&number) {
                    self.next = number - 1;
                } else {
                    self.good_index = false;
                }
                true
            }
            _ => {
                self.good_index = false;
                false
            }
        }
    }

    /// The operand of a `*`.
    fn operand_as_int(&mut self) -> Option<i64> {
        let operand = self.operands.get(self.next)?;
        self.next += 1;
        let number = match &operand.data {
            Data::Host(host) => host.underlying()?.as_i64()?,
            _ => operand.as_i64()?,
        };
        (-TOO_LARGE..=TOO_LARGE).contains(&number).then_some(number)
    }
}

fn wrong(printer: &mut Printer, verb: char, what: &str) {
    printer.out.extend_from_slice(b"%!");
    printer.out.extend_from_slice(verb.encode_utf8(&mut [0; 4]).as_bytes());
    printer.out.extend_from_slice(what.as_bytes());
}
