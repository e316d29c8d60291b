//! Go's `fmt` and `strconv`, as far as templates show them.

pub(crate) mod classes;
mod float;
mod printer;
pub(crate) mod quote;
pub(crate) mod utf8;
mod verbs;

use crate::budget::MAX_TEXT;
use crate::func::FuncError;
use crate::value::{Data, Value};

/// Refuses values that hold themselves, and others that are nested deeper than is printed. Go ends its process over the first ones.
///
/// # Errors
/// When there is one.
pub fn check_depth(values: &[Value]) -> Result<(), FuncError> {
    // What holds one part many times is long to print, and the text's length ends it.
    let mut left = MOST_LOOKED_AT;
    if values.iter().all(|value| is_printed_whole(value, 0, &mut left)) {
        Ok(())
    } else {
        Err(FuncError::new(format!("a value is nested more than {} deep, or holds itself", printer::MAX_DEPTH)))
    }
}

/// So many values are looked at before they are printed; a text of more is too long anyway.
const MOST_LOOKED_AT: usize = 1 << 22;

fn is_printed_whole(value: &Value, depth: usize, left: &mut usize) -> bool {
    *left = left.saturating_sub(1);
    if depth > printer::MAX_DEPTH {
        return false;
    }
    if *left == 0 {
        return true;
    }
    match value.data() {
        Data::List(list) => list.values().iter().all(|element| is_printed_whole(element, depth + 1, left)),
        Data::Map(map) => {
            // Not while the map is held: it may be found again in itself.
            let mut elements = Vec::new();
            map.for_each(|_, element| elements.push(element.clone()));
            elements.iter().all(|element| is_printed_whole(element, depth + 1, left))
        }
        _ => true,
    }
}

/// `fmt.Sprint`: operands next to each other, with a space between two when neither is a string.
pub fn sprint(operands: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut after_string = false;
    for (at, operand) in operands.iter().enumerate() {
        let string = operand.kind_name() == "string";
        if at > 0 && !string && !after_string {
            out.push(b' ');
        }
        append_display(&mut out, operand);
        after_string = string;
        if out.len() > MAX_TEXT {
            break;
        }
    }
    out
}

/// `fmt.Sprintln`: operands with spaces between and a newline behind.
pub fn sprintln(operands: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, operand) in operands.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        append_display(&mut out, operand);
        if out.len() > MAX_TEXT {
            break;
        }
    }
    out.push(b'\n');
    out
}

/// `fmt.Sprintf` with all verbs, flags and error forms.
pub fn sprintf(format: &[u8], operands: &[Value]) -> Vec<u8> {
    verbs::sprintf(format, operands)
}

/// `fmt.Sprintf("%v", value)`: what `toString` gives; nil is `<nil>`.
pub fn display(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    append_display(&mut out, value);
    out
}

/// As [`display`], behind what is there already.
pub fn append_display(out: &mut Vec<u8>, value: &Value) {
    match value.data() {
        Data::Str(text) => out.extend_from_slice(text),
        Data::Int(number) | Data::Int64(number) => append_int(out, *number),
        Data::Float(number) => append_float(out, *number),
        Data::Bool(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
        Data::Nil => out.extend_from_slice(b"<nil>"),
        _ => {
            let mut printer = printer::Printer::behind(std::mem::take(out));
            printer.argument(value, 'v');
            *out = printer.out;
        }
    }
}

/// `strconv.Quote`: the text in double quotes with Go's escapes.
pub fn quote(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    quote::append_quoted(&mut out, text, b'"', quote::Charset::Unicode);
    // Bytes that are not UTF-8 are escaped, so the result is text.
    String::from_utf8(out).unwrap_or_default()
}

/// `strconv.FormatFloat(number, 'g', -1, 64)`: what `%v` prints; scientific below 1e-04 and from 1e+21 is JSON's rule,
/// here it is from 1e+06 when there are no more digits, as `1e+06` and `1.2345675e+06`.
pub fn float(number: f64) -> String {
    let mut out = Vec::new();
    append_float(&mut out, number);
    String::from_utf8(out).unwrap_or_default()
}

/// `strconv.FormatFloat(number, verb, precision, 64)` for the verbs `b e E f g G x X`; `None` is Go's -1.
pub fn float_as(number: f64, verb: u8, precision: Option<usize>) -> String {
    String::from_utf8(float::format(number, verb, precision)).unwrap_or_default()
}

/// `strconv.IsPrint`.
pub fn is_printable(character: char) -> bool {
    classes::is_printable(character)
}

/// Appends what [`float`] gives.
pub fn append_float(out: &mut Vec<u8>, number: f64) {
    float::shortest(out, number);
}

/// Appends decimal digits.
pub fn append_int(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    append_uint(out, number.unsigned_abs());
}

fn append_uint(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
