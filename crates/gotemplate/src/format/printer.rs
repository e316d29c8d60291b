//! The printer behind `%v` and the other verbs: `fmt`'s `pp` over our values.

use super::quote::{self, Charset};
use super::{classes, float, utf8};
use crate::budget::MAX_TEXT;
use crate::value::{Data, Host, HostKind, Type, Value};

/// Deeper values are cut: no real value is, and one that holds itself would never end. Whoever prints into an output asks
/// [`check_depth`](super::check_depth) first.
pub(super) const MAX_DEPTH: usize = 500;

/// Flags, width and precision of one verb.
#[derive(Default, Clone, Copy)]
pub(super) struct Flags {
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    /// `%+v`
    pub(super) plus_v: bool,
    /// `%#v`
    pub(super) sharp_v: bool,
}

impl Flags {
    /// Whether a number is printed as its digits alone.
    fn is_plain(&self) -> bool {
        let says_more = self.minus || self.plus || self.sharp || self.space || self.zero || self.sharp_v;
        !says_more && self.width.is_none() && self.precision.is_none()
    }
}

#[derive(Default)]
pub(super) struct Printer {
    pub(super) out: Vec<u8>,
    /// Where its own text begins.
    start: usize,
    pub(super) flags: Flags,
    /// Inside the text of a wrong verb: methods are not asked then.
    erroring: bool,
}

const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

/// What an integer prints like; `negative` only for signed kinds.
#[derive(Clone, Copy)]
struct Integer {
    magnitude: u64,
    negative: bool,
    signed: bool,
}

impl Integer {
    fn signed(number: i64) -> Self {
        Integer { magnitude: number.unsigned_abs(), negative: number < 0, signed: true }
    }

    fn unsigned(number: u64) -> Self {
        Integer { magnitude: number, negative: false, signed: false }
    }

    /// The bits as a Go `uint64`.
    fn bits(self) -> u64 {
        if self.negative { self.magnitude.wrapping_neg() } else { self.magnitude }
    }
}

impl Printer {
    /// A printer that appends to what is there.
    pub(super) fn behind(out: Vec<u8>) -> Self {
        Printer { start: out.len(), out, ..Printer::default() }
    }

    /// Whether the text is longer than any that is used: values that hold each other many times have no end.
    pub(super) fn is_full(&self) -> bool {
        self.out.len() - self.start > MAX_TEXT
    }

    fn padding(&mut self, count: usize) {
        let byte = if self.flags.zero && !self.flags.minus { b'0' } else { b' ' };
        self.out.resize(self.out.len() + count, byte);
    }

    fn pad(&mut self, text: &[u8]) {
        let Some(width) = self.flags.width.filter(|width| *width > 0) else {
            self.out.extend_from_slice(text);
            return;
        };
        let missing = width.saturating_sub(utf8::count(text));
        if self.flags.minus {
            self.out.extend_from_slice(text);
            self.padding(missing);
        } else {
            self.padding(missing);
            self.out.extend_from_slice(text);
        }
    }

    fn pad_with_spaces(&mut self, text: &[u8]) {
        let zero = std::mem::replace(&mut self.flags.zero, false);
        self.pad(text);
        self.flags.zero = zero;
    }

    fn bool(&mut self, truth: bool, verb: char, value: &Value) {
        match verb {
            't' | 'v' => self.pad(if truth { b"true" } else { b"false" }),
            _ => self.bad_verb(verb, value),
        }
    }

    fn integer(&mut self, number: Integer, verb: char, value: &Value) {
        match verb {
            'v' if self.flags.sharp_v && !number.signed => self.hex_0x(number.magnitude),
            'v' | 'd' => self.digits(number, 10, verb, LOWER),
            'b' => self.digits(number, 2, verb, LOWER),
            'o' | 'O' => self.digits(number, 8, verb, LOWER),
            'x' => self.digits(number, 16, verb, LOWER),
            'X' => self.digits(number, 16, verb, UPPER),
            'c' | 'q' => {
                let code = u32::try_from(number.bits()).ok();
                let character = code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
                let mut utf8 = [0; 4];
                let utf8 = character.encode_utf8(&mut utf8).as_bytes();
                if verb == 'c' {
                    self.pad(utf8);
                } else {
                    let mut quoted = Vec::new();
                    quote::append_quoted(&mut quoted, utf8, b'\'', self.charset());
                    self.pad(&quoted);
                }
            }
            'U' => self.unicode(number.bits()),
            _ => self.bad_verb(verb, value),
        }
    }

    fn charset(&self) -> Charset {
        if self.flags.plus { Charset::Ascii } else { Charset::Unicode }
    }

    fn hex_0x(&mut self, number: u64) {
        let sharp = std::mem::replace(&mut self.flags.sharp, true);
        self.digits(Integer::unsigned(number), 16, 'v', LOWER);
        self.flags.sharp = sharp;
    }

    fn digits(&mut self, number: Integer, base: u64, verb: char, digits: &[u8; 16]) {
        let flags = self.flags;
        let mut least = 0;
        if let Some(precision) = flags.precision {
            least = precision;
            if precision == 0 && number.magnitude == 0 {
                let zero = std::mem::replace(&mut self.flags.zero, false);
                self.padding(flags.width.unwrap_or(0));
                self.flags.zero = zero;
                return;
            }
        } else if flags.zero
            && !flags.minus
            && let Some(width) = flags.width
        {
            least = if number.negative || flags.plus || flags.space { width.saturating_sub(1) } else { width };
        }
        if base == 10 && least == 0 && flags.width.is_none() && !flags.plus && !flags.space {
            if number.negative {
                self.out.push(b'-');
            }
            super::append_uint(&mut self.out, number.magnitude);
            return;
        }
        let mut text = Vec::with_capacity(24); // from the last digit to the first
        let mut rest = number.magnitude;
        loop {
            text.push(digits[(rest % base) as usize]);
            rest /= base;
            if rest == 0 {
                break;
            }
        }
        if least > text.len() {
            text.resize(least, b'0');
        }
        if flags.sharp {
            match base {
                2 => text.extend_from_slice(b"b0"),
                8 if text.last() != Some(&b'0') => text.push(b'0'),
                16 => text.extend_from_slice(if digits[10] == b'a' { b"x0" } else { b"X0" }),
                _ => {}
            }
        }
        if verb == 'O' {
            text.extend_from_slice(b"o0");
        }
        if number.negative {
            text.push(b'-');
        } else if flags.plus {
            text.push(b'+');
        } else if flags.space {
            text.push(b' ');
        }
        text.reverse();
        self.pad_with_spaces(&text);
    }

    fn unicode(&mut self, code: u64) {
        let digits = self.flags.precision.unwrap_or(0).max(4);
        let mut text = format!("{code:X}");
        if text.len() < digits {
            text.insert_str(0, &"0".repeat(digits - text.len()));
        }
        text.insert_str(0, "U+");
        if self.flags.sharp
            && let Some(character) = u32::try_from(code).ok().and_then(char::from_u32)
            && classes::is_printable(character)
        {
            text.push_str(" '");
            text.push(character);
            text.push('\'');
        }
        self.pad_with_spaces(text.as_bytes());
    }

    fn float(&mut self, number: f64, verb: char, value: &Value) {
        match verb {
            'v' => self.float_as(number, b'g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => self.float_as(number, verb as u8, None),
            'f' | 'e' | 'E' => self.float_as(number, verb as u8, Some(6)),
            'F' => self.float_as(number, b'f', Some(6)),
            _ => self.bad_verb(verb, value),
        }
    }

    fn float_as(&mut self, number: f64, verb: u8, precision: Option<usize>) {
        let flags = self.flags;
        let precision = flags.precision.or(precision);
        let mut text = float::format(number, verb, precision);
        if !matches!(text[0], b'+' | b'-') {
            text.insert(0, b'+');
        }
        if flags.space && text[0] == b'+' && !flags.plus {
            text[0] = b' ';
        }
        if matches!(text[1], b'I' | b'N') {
            let text = if text[1] == b'N' && !flags.space && !flags.plus { &text[1..] } else { &text[..] };
            // Go pads infinities with their sign even where no sign was asked for.
            return self.pad_with_spaces(text);
        }
        if flags.sharp && verb != b'b' {
            add_point_and_zeros(&mut text, verb, precision);
        }
        if flags.plus || text[0] != b'+' {
            if flags.zero
                && !flags.minus
                && let Some(width) = flags.width.filter(|width| *width > text.len())
            {
                self.out.push(text[0]);
                self.padding(width - text.len());
                self.out.extend_from_slice(&text[1..]);
                return;
            }
            return self.pad(&text);
        }
        self.pad(&text[1..]);
    }

    fn complex(&mut self, parts: (f64, f64), verb: char, value: &Value) {
        match verb {
            'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E' => {
                self.out.push(b'(');
                self.float(parts.0, verb, value);
                let plus = std::mem::replace(&mut self.flags.plus, true);
                self.float(parts.1, verb, value);
                self.out.extend_from_slice(b"i)");
                self.flags.plus = plus;
            }
            _ => self.bad_verb(verb, value),
        }
    }

    fn truncated<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        match self.flags.precision {
            Some(precision) => utf8::prefix(text, precision),
            None => text,
        }
    }

    fn string(&mut self, text: &[u8], verb: char, value: &Value) {
        match verb {
            'v' if self.flags.sharp_v => self.quoted(text),
            'v' | 's' => self.pad(self.truncated(text)),
            'x' => self.hex(text, LOWER),
            'X' => self.hex(text, UPPER),
            'q' => self.quoted(text),
            _ => self.bad_verb(verb, value),
        }
    }

    fn quoted(&mut self, text: &[u8]) {
        let text = self.truncated(text);
        let mut quoted = Vec::with_capacity(text.len() + 2);
        if self.flags.sharp && quote::can_backquote(text) {
            quoted.push(b'`');
            quoted.extend_from_slice(text);
            quoted.push(b'`');
        } else {
            quote::append_quoted(&mut quoted, text, b'"', self.charset());
        }
        self.pad(&quoted);
    }

    fn hex(&mut self, text: &[u8], digits: &[u8; 16]) {
        let flags = self.flags;
        let text = &text[..text.len().min(flags.precision.unwrap_or(usize::MAX))];
        if text.is_empty() {
            return self.padding(flags.width.unwrap_or(0));
        }
        let lead: &[u8] = match (flags.sharp, digits[10]) {
            (false, _) => b"",
            (true, b'a') => b"0x",
            (true, _) => b"0X",
        };
        let mut shown = lead.to_vec();
        for (at, byte) in text.iter().enumerate() {
            if flags.space && at > 0 {
                shown.push(b' ');
                shown.extend_from_slice(lead);
            }
            shown.push(digits[usize::from(byte >> 4)]);
            shown.push(digits[usize::from(byte & 15)]);
        }
        self.pad(&shown);
    }

    /// As a list of numbers, megabytes of which are printed where a chart's files are.
    fn plain_bytes(&mut self, bytes: &[u8]) {
        self.out.push(b'[');
        for (at, some) in bytes.chunks(4096).enumerate() {
            if self.is_full() {
                break;
            }
            self.out.reserve(4 * some.len());
            for (place, byte) in some.iter().enumerate() {
                if at > 0 || place > 0 {
                    self.out.push(b' ');
                }
                if *byte >= 100 {
                    self.out.push(b'0' + byte / 100);
                }
                if *byte >= 10 {
                    self.out.push(b'0' + byte / 10 % 10);
                }
                self.out.push(b'0' + byte % 10);
            }
        }
        self.out.push(b']');
    }

    fn byte_slice(&mut self, bytes: &[u8], verb: char, type_name: &str, value: &Value, depth: usize) {
        match verb {
            'v' | 'd' if self.flags.is_plain() => self.plain_bytes(bytes),
            'v' | 'd' => {
                if self.flags.sharp_v {
                    self.out.extend_from_slice(type_name.as_bytes());
                }
                let sharp_v = self.flags.sharp_v;
                self.out.push(if sharp_v { b'{' } else { b'[' });
                for (at, byte) in bytes.iter().enumerate() {
                    if at > 0 {
                        self.out.extend_from_slice(if sharp_v { b", " } else { b" " });
                    }
                    if sharp_v {
                        self.hex_0x((*byte).into());
                    } else {
                        self.digits(Integer::unsigned((*byte).into()), 10, verb, LOWER);
                    }
                }
                self.out.push(if sharp_v { b'}' } else { b']' });
            }
            's' => self.pad(self.truncated(bytes)),
            'x' => self.hex(bytes, LOWER),
            'X' => self.hex(bytes, UPPER),
            'q' => self.quoted(bytes),
            _ => {
                let elements: Vec<Value> = bytes.iter().map(|byte| Value::from(Data::Uint8(*byte))).collect();
                self.slice(&elements, Type::Uint8, false, verb, value, depth);
            }
        }
    }

    fn pointer(&mut self, address: usize, type_name: &str, verb: char, value: &Value) {
        let address = if address == 0 { 0 } else { go_address(address) };
        let number = Integer::unsigned(address);
        match verb {
            'v' if self.flags.sharp_v => {
                self.out.extend_from_slice(format!("({type_name})(").as_bytes());
                if address == 0 {
                    self.out.extend_from_slice(b"nil")
                } else {
                    self.hex_0x(address)
                }
                self.out.push(b')');
            }
            'v' if address == 0 => self.pad(b"<nil>"),
            'v' | 'p' => {
                let sharp = self.flags.sharp;
                self.flags.sharp = !sharp;
                self.digits(number, 16, 'v', LOWER);
                self.flags.sharp = sharp;
            }
            'b' | 'o' | 'd' | 'x' | 'X' => self.integer(number, verb, value),
            _ => self.bad_verb(verb, value),
        }
    }

    /// `%!z(int=1)`
    fn bad_verb(&mut self, verb: char, value: &Value) {
        self.erroring = true;
        self.out.extend_from_slice(b"%!");
        self.out.extend_from_slice(verb.encode_utf8(&mut [0; 4]).as_bytes());
        self.out.push(b'(');
        if value.is_nil() {
            self.out.extend_from_slice(b"<nil>");
        } else {
            self.out.extend_from_slice(value.type_name().as_bytes());
            self.out.push(b'=');
            self.argument(value, 'v');
        }
        self.out.push(b')');
        self.erroring = false;
    }

    /// Prints an operand: Go's `printArg`.
    pub(super) fn argument(&mut self, value: &Value, verb: char) {
        match (&value.data, verb) {
            (Data::Nil, 'T' | 'v') => self.pad(b"<nil>"),
            (Data::Nil, _) => self.bad_verb(verb, value),
            (_, 'T') => self.pad(self.truncated(value.type_name().as_bytes())),
            (Data::Map(map), 'p') => self.pointer(map.address(), "", 'p', value),
            (Data::List(list), 'p') => self.pointer(list.address(), "", 'p', value),
            (_, 'p') => self.bad_verb(verb, value),
            (Data::Bytes(bytes), _) => self.byte_slice(bytes, verb, "[]byte", value, 0),
            _ => self.value(value, verb, 0),
        }
    }

    fn value(&mut self, value: &Value, verb: char, depth: usize) {
        if self.is_full() {
            return;
        }
        if depth > MAX_DEPTH {
            self.out.extend_from_slice(b"...");
            return;
        }
        match &value.data {
            Data::Nil if self.flags.sharp_v => self.out.extend_from_slice(b"interface {}(nil)"),
            Data::Nil => self.out.extend_from_slice(b"<nil>"),
            Data::Bool(truth) => self.bool(*truth, verb, value),
            Data::Int(number) | Data::Int64(number) => self.integer(Integer::signed(*number), verb, value),
            Data::Int32(number) => self.integer(Integer::signed((*number).into()), verb, value),
            Data::Uint(number) | Data::Uint64(number) => self.integer(Integer::unsigned(*number), verb, value),
            Data::Uint8(number) => self.integer(Integer::unsigned((*number).into()), verb, value),
            Data::Float(number) => self.float(*number, verb, value),
            Data::Complex(parts) => self.complex(**parts, verb, value),
            Data::Str(text) => self.string(text, verb, value),
            Data::Bytes(bytes) => match verb {
                'v' | 'd' if self.flags.is_plain() => self.plain_bytes(bytes),
                's' | 'q' | 'x' | 'X' => self.byte_slice(bytes, verb, "[]uint8", value, depth),
                _ => {
                    let elements: Vec<Value> = bytes.iter().map(|byte| Value::from(Data::Uint8(*byte))).collect();
                    self.slice(&elements, Type::Uint8, false, verb, value, depth);
                }
            },
            Data::List(list) => self.slice(list.values(), list.element(), list.is_nil(), verb, value, depth),
            Data::Map(map) => {
                let sharp_v = self.flags.sharp_v;
                if sharp_v {
                    self.out.extend_from_slice(value.type_name().as_bytes());
                    if map.is_nil() {
                        self.out.extend_from_slice(b"(nil)");
                        return;
                    }
                }
                self.out.extend_from_slice(if sharp_v { b"{" } else { b"map[" });
                for (at, (key, element)) in map.entries().iter().enumerate() {
                    if at > 0 {
                        self.out.extend_from_slice(if sharp_v { b", " } else { b" " });
                    }
                    self.string(key, verb, &Value::from(key.clone()));
                    self.out.push(b':');
                    self.value(element, verb, depth + 1);
                    if self.is_full() {
                        break;
                    }
                }
                self.out.push(if sharp_v { b'}' } else { b']' });
            }
            Data::Host(host) => self.host(&**host, verb, value, depth),
        }
    }

    fn slice(&mut self, values: &[Value], _: Type, nil: bool, verb: char, value: &Value, depth: usize) {
        let sharp_v = self.flags.sharp_v;
        if sharp_v {
            self.out.extend_from_slice(value.type_name().as_bytes());
            if nil {
                self.out.extend_from_slice(b"(nil)");
                return;
            }
        }
        self.out.push(if sharp_v { b'{' } else { b'[' });
        for (at, element) in values.iter().enumerate() {
            if at > 0 {
                self.out.extend_from_slice(if sharp_v { b", " } else { b" " });
            }
            self.value(element, verb, depth + 1);
            if self.is_full() {
                break;
            }
        }
        self.out.push(if sharp_v { b'}' } else { b']' });
    }

    fn host(&mut self, host: &dyn Host, verb: char, value: &Value, depth: usize) {
        if !self.erroring
            && !self.flags.sharp_v
            && matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
            && let Some(text) = host.text()
        {
            return self.string(&text, verb, value);
        }
        if host.kind() == HostKind::Defined
            && let Some(below) = host.underlying()
        {
            // What its kind cannot be printed as is told by its own name.
            let fits = match below.data() {
                Data::Int(_) | Data::Int64(_) | Data::Uint64(_) => "bcdoOqUvxX".contains(verb),
                Data::Str(_) => "sqvxX".contains(verb),
                _ => true,
            };
            return if fits { self.value(&below, verb, depth + 1) } else { self.bad_verb(verb, value) };
        }
        let sharp_v = self.flags.sharp_v;
        let type_name = host.type_name();
        let mut type_name: &str = &type_name;
        if host.kind() == HostKind::Pointer {
            if depth > 0 || host.is_nil() {
                let address = if host.is_nil() { 0 } else { std::ptr::from_ref(host).cast::<()>().addr() };
                return self.pointer(address, type_name, verb, value);
            }
            self.out.push(b'&');
            type_name = type_name.strip_prefix('*').unwrap_or(type_name);
        }
        if sharp_v {
            self.out.extend_from_slice(type_name.as_bytes());
        }
        self.out.push(b'{');
        // Such a type says itself how it is written in Go's syntax.
        let hidden = if sharp_v { Vec::new() } else { host.unexported() };
        for (at, (name, field)) in host.fields().iter().chain(&hidden).enumerate() {
            if at > 0 {
                self.out.extend_from_slice(if sharp_v { b", " } else { b" " });
            }
            if sharp_v || self.flags.plus_v {
                self.out.extend_from_slice(name.as_bytes());
                self.out.push(b':');
            }
            self.value(field, verb, depth + 1);
        }
        self.out.push(b'}');
    }
}

/// `%#g` and the like keep the point and the trailing zeros.
fn add_point_and_zeros(text: &mut Vec<u8>, verb: u8, precision: Option<usize>) {
    let mut digits = match verb {
        b'g' | b'G' | b'x' => precision.unwrap_or(6) as i64,
        _ => 0,
    };
    let mut tail = Vec::new();
    let mut point = false;
    let mut significant = false;
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'.' => point = true,
            b'p' | b'P' => {
                tail = text.split_off(at);
                break;
            }
            b'e' | b'E' if verb != b'x' && verb != b'X' => {
                tail = text.split_off(at);
                break;
            }
            digit => {
                significant |= digit != b'0';
                if significant {
                    digits -= 1;
                }
            }
        }
        at += 1;
    }
    if !point {
        // A lone zero is a digit too.
        if text.len() == 2 && text[1] == b'0' {
            digits -= 1;
        }
        text.push(b'.');
    }
    text.resize(text.len() + usize::try_from(digits).unwrap_or(0), b'0');
    text.append(&mut tail);
}

/// An address as long as most of Go's heap, whose place is drawn below 2^46: what is printed of it says nothing, but how long it is shows.
fn go_address(address: usize) -> u64 {
    const HEAP: u64 = 0x2000_0000_0000;
    (address as u64 % (1 << 44)) | HEAP
}
