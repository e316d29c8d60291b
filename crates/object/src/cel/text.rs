//! Texts: escapes, durations, names of fields.

use super::RESERVED;

/// What a quoted text means; `None` for an escape that is none.
pub(super) fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let escaped = rest.next()?;
        out.push(match escaped {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' | '\'' | '"' | '`' | '?' => escaped,
            'x' | 'X' => coded(&mut rest, 2, 16, 0)?,
            'u' => coded(&mut rest, 4, 16, 0)?,
            'U' => coded(&mut rest, 8, 16, 0)?,
            '0'..='3' => coded(&mut rest, 2, 8, escaped.to_digit(8)?)?,
            _ => return None,
        });
    }
    Some(out)
}

fn coded(rest: &mut std::str::Chars<'_>, digits: usize, radix: u32, first: u32) -> Option<char> {
    let mut value = first;
    for _ in 0..digits {
        value = value.checked_mul(radix)?.checked_add(rest.next()?.to_digit(radix)?)?;
    }
    char::from_u32(value)
}

/// The units of durations with their nanoseconds, longer names first.
const UNITS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 6e10), ("h", 3.6e12)];

/// Nanoseconds of `1h30m`, `1.5s`, `-2ms`.
pub(super) fn duration(text: &str) -> Option<i128> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|end| *end > 0)?;
        let number: f64 = rest[..end].parse().ok()?;
        let (unit, size) = UNITS.iter().find(|(unit, _)| rest[end..].starts_with(unit))?;
        total += (number * size).round() as i128;
        rest = &rest[end + unit.len()..];
    }
    (total <= i128::from(i64::MAX)).then_some(sign * total)
}

/// Seconds of a duration as the language prints it: `90s`, `0.001s`.
pub(super) fn seconds(nanos: i128) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let (whole, part) = (nanos.unsigned_abs() / 1_000_000_000, nanos.unsigned_abs() % 1_000_000_000);
    if part == 0 {
        return format!("{sign}{whole}s");
    }
    let part = format!("{part:09}");
    format!("{sign}{whole}.{}s", part.trim_end_matches('0'))
}

/// The field's own name behind one that the language can write (`__dash__`, `__namespace__`); `None` when it is not escaped.
pub(super) fn unescaped_field(name: &str) -> Option<String> {
    if !name.contains("__") {
        return None;
    }
    if let Some(inner) = name.strip_prefix("__").and_then(|name| name.strip_suffix("__"))
        && RESERVED.contains(&inner)
    {
        return Some(inner.to_owned());
    }
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while !rest.is_empty() {
        let escapes = [("__underscores__", "__"), ("__dot__", "."), ("__dash__", "-"), ("__slash__", "/")];
        match escapes.iter().find(|(escape, _)| rest.starts_with(escape)) {
            Some((escape, plain)) => {
                out.push_str(plain);
                rest = &rest[escape.len()..];
            }
            None => {
                let next = rest.chars().next()?;
                out.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    Some(out)
}
