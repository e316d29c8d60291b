//! Go's `fmt` and `strconv`, as far as templates show them.

use crate::value::Value;

/// `fmt.Sprint`: operands next to each other, with a space between two when neither is a string.
pub fn sprint(operands: &[Value]) -> Vec<u8> {
    let _ = operands;
    Vec::new()
}

/// `fmt.Sprintln`: operands with spaces between and a newline behind.
pub fn sprintln(operands: &[Value]) -> Vec<u8> {
    let _ = operands;
    Vec::new()
}

/// `fmt.Sprintf` with all verbs, flags and error forms.
pub fn sprintf(format: &[u8], operands: &[Value]) -> Vec<u8> {
    let _ = (format, operands);
    Vec::new()
}

/// `fmt.Sprintf("%v", value)`: what `toString` gives; nil is `<nil>`.
pub fn display(value: &Value) -> Vec<u8> {
    let _ = value;
    Vec::new()
}

/// `strconv.Quote`: the text in double quotes with Go's escapes.
pub fn quote(text: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(text))
}

/// `strconv.FormatFloat(number, 'g', -1, 64)` with `fmt`'s exponent threshold of 21: what `%v` prints.
pub fn float(number: f64) -> String {
    number.to_string()
}
