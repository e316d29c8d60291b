//! Values to numbers and strings, as `spf13/cast` and Sprig's `strval` convert them.

use landfall_gotemplate::{CallCtx, Data, FuncError, Str, Value, format};

/// What Go says when code reaches through nil.
pub(crate) const NIL_DEREFERENCE: &str = "runtime error: invalid memory address or nil pointer dereference";

/// `cast.ToInt64`: numbers lose their fraction, strings are read in Go's notation, anything else is 0.
pub(crate) fn to_int64(value: &Value) -> i64 {
    match value.data() {
        Data::Int(number) | Data::Int64(number) => *number,
        Data::Int32(number) => (*number).into(),
        Data::Uint8(number) => (*number).into(),
        Data::Uint(number) | Data::Uint64(number) => *number as i64,
        Data::Float(number) => float_to_int(*number),
        Data::Bool(truth) => (*truth).into(),
        Data::Str(text) => text.to_str().and_then(|text| parse_int(trim_zero_decimal(text)).ok()).unwrap_or(0),
        _ => 0,
    }
}

/// `cast.ToFloat64`.
pub(crate) fn to_float64(value: &Value) -> f64 {
    match value.data() {
        Data::Float(number) => *number,
        Data::Uint(number) | Data::Uint64(number) => *number as f64,
        Data::Str(text) => text.to_str().and_then(parse_float).unwrap_or(0.0),
        _ => to_int64(value) as f64,
    }
}

/// Go's conversion on amd64: what does not fit becomes the smallest number.
pub(crate) fn float_to_int(number: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&number) { number as i64 } else { i64::MIN }
}

/// `1.00` is `1`, but `1.10` stays.
fn trim_zero_decimal(text: &str) -> &str {
    let trimmed = text.trim_end_matches('0');
    match trimmed.strip_suffix('.') {
        Some(whole) if trimmed.len() < text.len() => whole,
        _ => text,
    }
}

/// Why a text is no number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum NumberError {
    /// Not in the notation of a number.
    Syntax,
    /// Too large; the nearest number.
    Range(i64),
}

/// Go's `strconv.ParseInt(text, 0, 64)`.
pub(crate) fn parse_int(text: &str) -> Result<i64, NumberError> {
    let (negative, digits) = sign(text);
    let (radix, rest) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if rest.contains('_') {
        if !underscores_ok(digits) {
            return Err(NumberError::Syntax);
        }
        return parse_digits(negative, &rest.replace('_', ""), radix);
    }
    parse_digits(negative, rest, radix)
}

/// Go's `strconv.ParseInt(text, radix, 64)`.
pub(crate) fn parse_int_radix(text: &str, radix: u32) -> Result<i64, NumberError> {
    let (negative, digits) = sign(text);
    parse_digits(negative, digits, radix)
}

fn sign(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

fn parse_digits(negative: bool, digits: &str, radix: u32) -> Result<i64, NumberError> {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(NumberError::Syntax);
    }
    let range = NumberError::Range(if negative { i64::MIN } else { i64::MAX });
    let number = i128::from_str_radix(digits, radix).map_err(|_| range)?;
    i64::try_from(if negative { -number } else { number }).map_err(|_| range)
}

/// Underscores stand between digits or behind the base's prefix.
fn underscores_ok(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    let has_prefix = matches!(bytes, [b'0', b'x' | b'X' | b'b' | b'B' | b'o' | b'O', ..]);
    let (mut before_digit, rest) = if has_prefix { (true, &bytes[2..]) } else { (false, bytes) };
    let mut pending = false;
    for byte in rest {
        let digit = byte.is_ascii_digit() || (has_prefix && byte.is_ascii_hexdigit());
        if *byte == b'_' {
            if !before_digit {
                return false;
            }
            (before_digit, pending) = (false, true);
        } else {
            if pending && !digit {
                return false;
            }
            (before_digit, pending) = (digit, false);
        }
    }
    !pending
}

/// Go's `strconv.ParseFloat(text, 64)`; `None` for what is no number or too large.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let (negative, digits) = sign(text);
    let lower = digits.to_ascii_lowercase();
    if matches!(lower.as_str(), "inf" | "infinity") {
        return Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    if lower == "nan" {
        return (text.len() == digits.len()).then_some(f64::NAN);
    }
    let plain = if lower.contains('_') {
        if !underscores_ok(&lower) {
            return None;
        }
        lower.replace('_', "")
    } else {
        lower
    };
    let number = match plain.strip_prefix("0x") {
        Some(hex) => hex_float(hex)?,
        None if plain.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'+' | b'-')) => {
            plain.parse().ok()?
        }
        None => return None,
    };
    number.is_finite().then_some(if negative { -number } else { number })
}

/// `1.8p3`, behind `0x`; the exponent is a must.
fn hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut number = 0.0;
    for c in whole.chars().chain(fraction.chars()) {
        number = number * 16.0 + f64::from(c.to_digit(16)?);
    }
    let exponent: i32 = exponent.parse().ok()?;
    Some(number * 2f64.powi(exponent.saturating_sub(4 * fraction.len() as i32)))
}

/// Sprig's `strval`: strings and bytes as they are, the rest as `%v`; what has no end is refused.
pub(crate) fn strval(value: &Value) -> Result<Str, FuncError> {
    match value.data() {
        Data::Str(text) | Data::Bytes(text) => Ok(text.clone()),
        _ => {
            format::check_depth(std::slice::from_ref(value))?;
            Ok(Str::from(format::display(value)))
        }
    }
}

/// As [`strval`], counted: many values can be one that is long to print.
pub(crate) fn shown(ctx: &mut CallCtx<'_>, value: &Value) -> Result<Str, FuncError> {
    let text = strval(value)?;
    if !matches!(value.data(), Data::Str(_) | Data::Bytes(_)) {
        ctx.charge(text.len() as u64)?;
    }
    Ok(text)
}

/// Sprig's `strslice`: the elements of a list as strings, nil left out; anything else is one string.
pub(crate) fn strslice(ctx: &mut CallCtx<'_>, value: &Value) -> Result<Vec<Str>, FuncError> {
    match value.elements() {
        Some(elements) => {
            ctx.make(elements.len(), 0)?;
            elements.iter().filter(|element| !element.is_nil()).map(|element| shown(ctx, element)).collect()
        }
        None if value.is_nil() => Ok(Vec::new()),
        None => Ok(vec![strval(value)?]),
    }
}

/// The elements of a list, or Sprig's complaint, `words` with the kind behind.
pub(crate) fn elements(value: &Value, words: &str) -> Result<Vec<Value>, FuncError> {
    if value.is_nil() {
        return Err(FuncError::new(NIL_DEREFERENCE));
    }
    match value.elements() {
        Some(elements) => Ok(elements.into_owned()),
        None => Err(FuncError::new(format!("{words} {}", value.kind_name()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_become_whole_numbers_as_cast_reads_them() {
        for (text, number) in [
            ("010", 8),
            ("08", 0),
            ("0x1f", 31),
            ("0b11", 3),
            ("0o17", 15),
            ("1_000", 1000),
            ("1__0", 0),
            ("1.9", 0),
            ("3.0", 3),
            ("3.10", 0),
            ("1e3", 0),
            (" 5", 0),
            ("", 0),
            ("-7", -7),
            ("9999999999999999999", 0),
        ] {
            assert_eq!(to_int64(&Value::from(text)), number, "{text}");
        }
        assert_eq!(to_int64(&Value::from(3.99)), 3);
        assert_eq!(to_int64(&Value::from(1e300)), i64::MIN);
    }

    #[test]
    fn strings_become_floats_as_go_reads_them() {
        for (text, number) in [("1.5", 1.5), ("0x1p-2", 0.25), ("1_0.5", 10.5), (".5", 0.5), ("1e400", 0.0), ("x", 0.0)]
        {
            assert_eq!(to_float64(&Value::from(text)), number, "{text}");
        }
    }
}
