//! What a scalar's text means: go-yaml v2's `resolve.go`.
//!
//! The rules are those of YAML 1.1 as far as go-yaml knows them: `yes`, `on` and `y` are true, `0777` and `0o777` are
//! octal, `1_000` is a number, `190:20:30` is not.

use std::borrow::Cow;

use crate::timestamp::is_timestamp;

/// A scalar's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number that only fits without sign.
    Uint(u64),
    /// A number.
    Float(f64),
    /// A text.
    Str(Cow<'a, str>),
}

/// What the resolver found, with the types that are strings in the end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Resolved {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Timestamp,
    Str,
}

impl Resolved {
    /// The tag in its short form.
    pub(crate) fn tag(&self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Int(_) | Self::Uint(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::Timestamp => "!!timestamp",
            Self::Str => "!!str",
        }
    }
}

/// Resolves a plain scalar without tag.
pub(crate) fn resolve(text: &str) -> Resolved {
    let Some(first) = text.bytes().next() else {
        return Resolved::Null;
    };
    match first {
        b'+' | b'-' | b'0'..=b'9' => word(text).unwrap_or_else(|| number(text, true)),
        b'.' => word(text).unwrap_or_else(|| fraction(text).map_or(Resolved::Str, Resolved::Float)),
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => {
            word(text).unwrap_or(Resolved::Str)
        }
        _ => Resolved::Str,
    }
}

/// Resolves a scalar with one of the tags `!!bool`, `!!int`, `!!float`, `!!null`, `!!timestamp`; go-yaml's error
/// words if it is not of that type.
pub(crate) fn resolve_tagged(text: &str, tag: &str) -> Result<Resolved, String> {
    let short = tag.strip_prefix("tag:yaml.org,2002:").unwrap_or(tag);
    let found = match text.bytes().next() {
        Some(b'+' | b'-' | b'0'..=b'9') => word(text).unwrap_or_else(|| number(text, short == "timestamp")),
        _ => resolve(text),
    };
    match (short, &found) {
        ("float", Resolved::Int(int)) => Ok(Resolved::Float(*int as f64)),
        _ if found.tag() == format!("!!{short}") => Ok(found),
        _ => Err(format!("cannot decode {} `{text}` as a !!{short}", found.tag())),
    }
}

fn word(text: &str) -> Option<Resolved> {
    Some(match text {
        "true" | "True" | "TRUE" => Resolved::Bool(true),
        "false" | "False" | "FALSE" => Resolved::Bool(false),
        "~" | "null" | "Null" | "NULL" => Resolved::Null,
        ".nan" | ".NaN" | ".NAN" => Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Resolved::Float(f64::NEG_INFINITY),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Resolved::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Resolved::Bool(false),
        _ => return None,
    })
}

fn number(text: &str, timestamps: bool) -> Resolved {
    if timestamps && is_timestamp(text) {
        return Resolved::Timestamp;
    }
    let plain: Cow<'_, str> = if text.contains('_') { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) };
    if let Some(found) = integer(&plain) {
        return found;
    }
    if is_decimal(&plain)
        && let Some(value) = float(&plain)
    {
        return Resolved::Float(value);
    }
    // A second sign after the base gets through here, as in go-yaml: `0b-1` is -1.
    match plain.strip_prefix("0b").map(|digits| i64::from_str_radix(digits, 2)) {
        Some(Ok(value)) => Resolved::Int(value),
        _ => Resolved::Str,
    }
}

/// Go's `strconv.ParseInt` and then `ParseUint` with base 0, for text without `_`.
fn integer(text: &str) -> Option<Resolved> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (Some(true), &text[1..]),
        b'+' => (Some(false), &text[1..]),
        _ => (None, text),
    };
    let bytes = digits.as_bytes();
    let (radix, digits) = match bytes {
        [b'0', b'x' | b'X', _, ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', _, ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let value = u64::from_str_radix(digits, radix).ok()?;
    match (sign, i64::try_from(value)) {
        (Some(true), Ok(value)) => Some(Resolved::Int(-value)),
        (Some(true), Err(_)) => (value == 1 << 63).then_some(Resolved::Int(i64::MIN)),
        (_, Ok(value)) => Some(Resolved::Int(value)),
        (None, Err(_)) => Some(Resolved::Uint(value)),
        (Some(false), Err(_)) => None,
    }
}

/// A number that begins with its point: Go's `strconv.ParseFloat`, which takes `_` between two digits.
fn fraction(text: &str) -> Option<f64> {
    if !text.contains('_') {
        return is_decimal(text).then(|| float(text)).flatten();
    }
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let separates = |at: usize| is_digit(text[..at].chars().next_back()) && is_digit(text[at + 1..].chars().next());
    let plain = text.replace('_', "");
    let sound = text.match_indices('_').all(|(at, _)| separates(at));
    (sound && is_decimal(&plain)).then(|| float(&plain)).flatten()
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some(("", after)) => !after.is_empty() && all_digits(after),
        Some((before, after)) => all_digits(before) && all_digits(after),
        None => !mantissa.is_empty() && all_digits(mantissa),
    };
    mantissa_ok
        && exponent.is_none_or(|exponent| {
            let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            !digits.is_empty() && all_digits(digits)
        })
}

/// A decimal number; `None` where Go reports that it is out of range.
fn float(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_yaml_v2_reads_them() {
        assert_eq!(resolve("0777"), Resolved::Int(511));
        assert_eq!(resolve("0o17"), Resolved::Int(15));
        assert_eq!(resolve("0x1F"), Resolved::Int(31));
        assert_eq!(resolve("-0b101"), Resolved::Int(-5));
        assert_eq!(resolve("0b-1"), Resolved::Int(-1));
        assert_eq!(resolve("1_000"), Resolved::Int(1000));
        assert_eq!(resolve("08"), Resolved::Float(8.0));
        assert_eq!(resolve("1_0.5"), Resolved::Float(10.5));
        assert_eq!(resolve(".5"), Resolved::Float(0.5));
        assert_eq!(resolve("5."), Resolved::Float(5.0));
        assert_eq!(resolve("1e400"), Resolved::Str);
        assert_eq!(resolve("."), Resolved::Str);
        assert_eq!(resolve("190:20:30"), Resolved::Str);
        assert_eq!(resolve("+"), Resolved::Str);
        assert_eq!(resolve("18446744073709551615"), Resolved::Uint(u64::MAX));
        assert_eq!(resolve("+18446744073709551615"), Resolved::Float(18446744073709551615.0));
        assert_eq!(resolve("-9223372036854775808"), Resolved::Int(i64::MIN));
        assert_eq!(resolve("685230e"), Resolved::Str);
        assert_eq!(resolve("2026-11-20"), Resolved::Timestamp);
        assert_eq!(resolve("yes"), Resolved::Bool(true));
    }

    #[test]
    fn a_tag_that_does_not_fit_is_refused_in_go_yamls_words() {
        assert_eq!(
            resolve_tagged("abc", "tag:yaml.org,2002:int").expect_err("no number"),
            "cannot decode !!str `abc` as a !!int"
        );
        assert_eq!(resolve_tagged("1", "tag:yaml.org,2002:float"), Ok(Resolved::Float(1.0)));
    }
}
