//! Numbers as the parser reads them; `newNumber` of `text/template/parse/node.go` over `strconv`.

use crate::format::quote;
use crate::format::quote::unescape;
use crate::value::{Data, Value};

/// A numeric constant, with every type that it can become.
#[derive(Debug, Clone, Default)]
pub(crate) struct Number {
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
    pub(crate) complex: Option<(f64, f64)>,
    /// What it is where nothing says which type is wanted; `None`: overflows `int`.
    pub(crate) ideal: Option<Value>,
}

/// Reads `'a'`, `1`, `0x1p4`, `1i`, `1+2i`.
pub(super) fn parse(text: &[u8], complex: bool) -> Result<Number, String> {
    let quoted = || quote(text);
    if text.first() == Some(&b'\'') {
        let character = unescape(&text[1..], b'\'').ok_or("invalid syntax")?;
        if text.get(1 + character.length()..) != Some(b"'") {
            return Err(format!("malformed character constant: {}", String::from_utf8_lossy(text)));
        }
        let code = character.code;
        return Ok(Number {
            int: Some(code.into()),
            uint: Some(code.into()),
            float: Some(code.into()),
            complex: None,
            ideal: Some(Value::int(code.into())),
        });
    }
    let text = std::str::from_utf8(text).map_err(|_| format!("illegal number syntax: {}", quoted()))?;
    if complex {
        let split = text.rfind(['+', '-']).filter(|at| *at > 0).ok_or("syntax error scanning complex number")?;
        let split = match text.as_bytes()[split - 1] {
            b'e' | b'E' | b'p' | b'P' => text[..split].rfind(['+', '-']).unwrap_or(split),
            _ => split,
        };
        let real = parse_float(&text[..split]).ok_or("syntax error scanning complex number")?;
        let imaginary =
            parse_float(text[split..].trim_end_matches('i')).ok_or("syntax error scanning complex number")?;
        return Ok(from_complex(real, imaginary));
    }
    if let Some(imaginary) = text.strip_suffix('i').and_then(parse_float) {
        return Ok(from_complex(0.0, imaginary));
    }
    let mut number = Number { uint: parse_uint(text), int: parse_int(text), ..Number::default() };
    if number.int == Some(0) {
        number.uint = Some(0);
    }
    if let Some(int) = number.int {
        number.float = Some(int as f64);
    } else if let Some(uint) = number.uint {
        number.float = Some(uint as f64);
    } else if let Some(float) = parse_float(text) {
        if !text.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {}", quoted()));
        }
        number.float = Some(float);
        number.int = whole(float);
        number.uint = whole_unsigned(float);
    }
    if number.float.is_none() {
        return Err(format!("illegal number syntax: {}", quoted()));
    }
    let hex = text.len() > 2
        && text.starts_with(['0'])
        && matches!(text.as_bytes()[1], b'x' | b'X')
        && !text.contains(['p', 'P']);
    number.ideal = if !hex && text.contains(['.', 'e', 'E', 'p', 'P']) {
        number.float.map(Value::from)
    } else {
        number.int.map(Value::int)
    };
    Ok(number)
}

fn from_complex(real: f64, imaginary: f64) -> Number {
    let real_only = imaginary == 0.0;
    Number {
        int: whole(real).filter(|_| real_only),
        uint: whole_unsigned(real).filter(|_| real_only),
        float: Some(real).filter(|_| real_only),
        complex: Some((real, imaginary)),
        ideal: Some(Value::from(Data::Complex(Box::new((real, imaginary))))),
    }
}

fn whole(float: f64) -> Option<i64> {
    (float.fract() == 0.0 && (-9.223_372_036_854_776e18..9.223_372_036_854_776e18).contains(&float))
        .then_some(float as i64)
}

fn whole_unsigned(float: f64) -> Option<u64> {
    (float.fract() == 0.0 && (0.0..18_446_744_073_709_551_616.0).contains(&float)).then_some(float as u64)
}

/// Digits, their base, and whether underscores stand only where Go allows them.
fn digits(text: &str) -> Option<(String, u32)> {
    let (base, body, prefixed) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &text[2..], true),
        [b'0', b'o' | b'O', ..] => (8, &text[2..], true),
        [b'0', b'b' | b'B', ..] => (2, &text[2..], true),
        [b'0', _, ..] => (8, &text[1..], true),
        _ => (10, text, false),
    };
    if body.contains('_') {
        // Between digits or behind the base prefix, never doubled, never at the end.
        let bytes = body.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            if *byte == b'_' {
                let before = if at == 0 { prefixed } else { bytes[at - 1] != b'_' };
                let after = bytes.get(at + 1).is_some_and(|next| *next != b'_');
                if !before || !after {
                    return None;
                }
            }
        }
    }
    let digits = body.replace('_', "");
    (!digits.is_empty() && digits.bytes().all(|digit| char::from(digit).is_digit(base))).then_some((digits, base))
}

fn parse_uint(text: &str) -> Option<u64> {
    let (digits, base) = digits(text)?;
    u64::from_str_radix(&digits, base).ok()
}

fn parse_int(text: &str) -> Option<i64> {
    let (negative, body) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (digits, base) = digits(body)?;
    let magnitude = i128::from_str_radix(&digits, base).ok()?;
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// `strconv.ParseFloat` for what the lexer lets through.
fn parse_float(text: &str) -> Option<f64> {
    let (negative, body) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = match body.as_bytes() {
        [b'0', b'x' | b'X', ..] => parse_hex_float(&body[2..])?,
        // Underscores are allowed only with a base prefix, and then only here.
        _ if body.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) => {
            let number: f64 = body.parse().ok()?;
            if number.is_infinite() {
                return None;
            }
            number
        }
        _ => return None,
    };
    Some(if negative { -magnitude } else { magnitude })
}

fn parse_hex_float(text: &str) -> Option<f64> {
    let text = text.replace('_', "").to_ascii_lowercase();
    let (mantissa, exponent) = text.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let scaled = value * 2f64.powi(exponent.saturating_sub(4 * i32::try_from(fraction.len()).ok()?));
    scaled.is_finite().then_some(scaled)
}
