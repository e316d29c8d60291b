//! Go's `time.Duration`: its text both ways, and Helm 4's functions over it.

use std::borrow::Cow;

use landfall_gotemplate::{
    CallCtx, Data, Func, FuncError, FuncMap, Host, HostKind, Signature, Str, Type, Value, format,
};

use crate::cast::parse_float;

pub(crate) const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// As many nanoseconds as a negative duration may have: one more than the longest that is not.
const MOST: u64 = 1 << 63;

/// Helm 4's functions over durations; Helm 3 has none.
pub(crate) fn register(funcs: &mut FuncMap) {
    let any = &[Type::Any];
    funcs.insert(
        "mustToDuration",
        Func::new(any, |_, a| Ok(Value::host(Duration(as_duration(a.any(0)).map_err(FuncError::new)?)))),
    );
    for (name, unit) in
        [("durationMilliseconds", 1_000_000), ("durationMicroseconds", 1_000), ("durationNanoseconds", 1)]
    {
        funcs.insert(name, Func::new(any, move |_, a| Ok(Value::int64(as_duration(a.any(0)).unwrap_or(0) / unit))));
    }
    for (name, unit, more) in [
        ("durationSeconds", SECOND, 1.0),
        ("durationMinutes", MINUTE, 1.0),
        ("durationHours", HOUR, 1.0),
        ("durationDays", HOUR, 24.0),
        ("durationWeeks", HOUR, 168.0),
    ] {
        funcs.insert(
            name,
            Func::new(any, move |_, a| {
                let units = in_units(as_duration(a.any(0)).unwrap_or(0), unit);
                Ok(Value::from(if more == 168.0 { units / 24.0 / 7.0 } else { units / more }))
            }),
        );
    }
    for (name, to) in [("durationRoundTo", round_to as fn(i64, i64) -> i64), ("durationTruncateTo", truncate_to)] {
        funcs.insert(
            name,
            Func::new(&[Type::Any, Type::Any], move |_, a| {
                let nanos = match (as_duration(a.any(0)), as_duration(a.any(1))) {
                    (Err(_), _) => 0,
                    (Ok(nanos), Err(_)) => nanos,
                    (Ok(nanos), Ok(multiple)) => to(nanos, multiple),
                };
                Ok(Value::host(Duration(nanos)))
            }),
        );
    }
}

/// Go's `Duration.Hours` and its like: whole units and the rest added as floats.
fn in_units(nanos: i64, unit: i64) -> f64 {
    (nanos / unit) as f64 + (nanos % unit) as f64 / unit as f64
}

/// Go's `Duration.Round`: half away from zero.
pub(crate) fn round_to(nanos: i64, multiple: i64) -> i64 {
    if multiple <= 0 {
        return nanos;
    }
    let rest = nanos % multiple;
    let down = nanos - rest;
    if rest.unsigned_abs() * 2 < multiple.unsigned_abs() {
        return down;
    }
    down.checked_add(multiple * rest.signum()).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

/// Go's `Duration.Truncate`.
fn truncate_to(nanos: i64, multiple: i64) -> i64 {
    if multiple <= 0 { nanos } else { nanos - nanos % multiple }
}

/// What Helm 4 takes for a duration: one, a text of one, or a number of seconds.
fn as_duration(value: &Value) -> Result<i64, String> {
    let whole =
        |seconds: i64| seconds.checked_mul(SECOND).ok_or_else(|| format!("duration seconds overflow: {seconds}"));
    match value.data() {
        Data::Nil => Err("invalid duration".to_owned()),
        Data::Str(text) => {
            let shown = text.to_string_lossy();
            let trimmed = shown.trim();
            if trimmed.is_empty() {
                return Err("empty duration".to_owned());
            }
            parse_duration(trimmed.as_bytes()).or_else(|_| match parse_float(trimmed) {
                Some(seconds) => from_seconds(seconds),
                None => Err(format!("could not parse duration {}", format::quote(text.as_bytes()))),
            })
        }
        Data::Float(seconds) => from_seconds(*seconds),
        Data::Int(_) | Data::Int32(_) | Data::Int64(_) | Data::Uint8(_) => whole(value.as_i64().unwrap_or(0)),
        Data::Uint(seconds) | Data::Uint64(seconds) => match i64::try_from(*seconds) {
            Ok(seconds) => whole(seconds),
            Err(_) => Err(format!("duration seconds overflow: {seconds}")),
        },
        _ => match value.as_host::<Duration>() {
            Some(duration) => Ok(duration.0),
            None => Err(format!("unsupported duration type {}", value.type_name())),
        },
    }
}

fn from_seconds(seconds: f64) -> Result<i64, String> {
    if !seconds.is_finite() {
        return Err(format!("invalid duration seconds: {}", format::float(seconds)));
    }
    let nanos = seconds * SECOND as f64;
    if nanos.abs() > i64::MAX as f64 {
        return Err(format!("duration seconds overflow: {}", format::float(seconds)));
    }
    Ok(nanos as i64)
}

/// A `time.Duration` in a template.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Duration(pub(crate) i64);

impl Host for Duration {
    fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed("time.Duration")
    }

    fn kind(&self) -> HostKind {
        HostKind::Defined
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::int64(self.0))
    }

    fn text(&self) -> Option<Str> {
        Some(Str::from(duration_text(self.0)))
    }

    fn method(&self, name: &str) -> Option<Signature> {
        match name {
            "String" | "Hours" | "Minutes" | "Seconds" | "Milliseconds" | "Microseconds" | "Nanoseconds" | "Abs" => {
                Some(Signature::fixed(&[]))
            }
            "Round" | "Truncate" => Some(Signature::fixed(&[Type::Host("time.Duration")])),
            _ => None,
        }
    }

    fn call(&self, name: &str, args: &[Value], _: &mut CallCtx<'_>) -> Result<Value, FuncError> {
        let multiple = || args.first().and_then(Value::as_host::<Duration>).map_or(0, |multiple| multiple.0);
        Ok(match name {
            "String" => Value::from(duration_text(self.0)),
            "Hours" => Value::from(in_units(self.0, HOUR)),
            "Minutes" => Value::from(in_units(self.0, MINUTE)),
            "Seconds" => Value::from(in_units(self.0, SECOND)),
            "Milliseconds" => Value::int64(self.0 / 1_000_000),
            "Microseconds" => Value::int64(self.0 / 1_000),
            "Nanoseconds" => Value::int64(self.0),
            "Abs" => Value::host(Duration(self.0.saturating_abs())),
            "Round" => Value::host(Duration(round_to(self.0, multiple()))),
            "Truncate" => Value::host(Duration(truncate_to(self.0, multiple()))),
            _ => return Err(FuncError::new(format!("{name} is not a method"))),
        })
    }
}

/// Go's `Duration.String`: `1h2m3.5s`.
pub(crate) fn duration_text(nanos: i64) -> String {
    let size = nanos.unsigned_abs();
    let sign = if nanos < 0 { "-" } else { "" };
    let fraction = |value: u64, unit: u64| {
        let digits = format!("{:0width$}", value % unit, width = unit.ilog10() as usize);
        let digits = digits.trim_end_matches('0');
        let point = if digits.is_empty() { "" } else { "." };
        format!("{}{point}{digits}", value / unit)
    };
    match size {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{size}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", fraction(size, 1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", fraction(size, 1_000_000)),
        _ => {
            let whole = size / SECOND as u64;
            let seconds = fraction(size % MINUTE as u64, SECOND as u64);
            let (hours, minutes) = (whole / 3600, whole / 60 % 60);
            match (hours, minutes) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, _) => format!("{sign}{minutes}m{seconds}s"),
                _ => format!("{sign}{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

/// How the package `time` quotes a text: every byte that is not printable ASCII by its number.
pub(crate) fn quote_time(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..0x80 => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

/// The digits in front, which are passed.
fn digits<'t>(rest: &mut &'t [u8]) -> &'t [u8] {
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, after) = rest.split_at(count);
    *rest = after;
    digits
}

/// Nanoseconds of a fraction of a unit, rounded where Go rounds: digits that no `int64` holds do not count.
fn share(fraction: &[u8], unit: u64) -> u64 {
    let (mut number, mut scale) = (0u64, 1.0);
    for digit in fraction {
        if number > (MOST - 1) / 10 {
            break;
        }
        let next = number * 10 + u64::from(digit - b'0');
        if next > MOST {
            break;
        }
        number = next;
        scale *= 10.0;
    }
    (number as f64 * (unit as f64 / scale)) as u64
}

/// Go's `time.ParseDuration`, in nanoseconds.
///
/// # Errors
/// Go's words.
pub(crate) fn parse_duration(text: &[u8]) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quote_time(text));
    let (negative, mut rest) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    if rest == b"0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let whole = digits(&mut rest);
        let mut fraction: &[u8] = b"";
        if let Some(after) = rest.strip_prefix(b".") {
            rest = after;
            fraction = digits(&mut rest);
        }
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let whole = whole.iter().try_fold(0u64, |whole, digit| {
            whole.checked_mul(10)?.checked_add(u64::from(digit - b'0')).filter(|whole| *whole <= MOST)
        });
        let unit_len = rest.iter().position(|byte| matches!(byte, b'.' | b'0'..=b'9')).unwrap_or(rest.len());
        let (unit, after) = rest.split_at(unit_len);
        rest = after;
        let whole = whole.ok_or_else(invalid)?;
        let size = match unit {
            b"" => return Err(format!("time: missing unit in duration {}", quote_time(text))),
            b"ns" => 1,
            b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => 1_000,
            b"ms" => 1_000_000,
            b"s" => SECOND,
            b"m" => MINUTE,
            b"h" => HOUR,
            _ => return Err(format!("time: unknown unit {} in duration {}", quote_time(unit), quote_time(text))),
        } as u64;
        let part = whole.checked_mul(size).ok_or_else(invalid)?;
        let part = part.checked_add(share(fraction, size)).filter(|part| *part <= MOST);
        let sum = part.and_then(|part| total.checked_add(part)).filter(|total| *total <= MOST);
        total = sum.ok_or_else(invalid)?;
    }
    match (negative, i64::try_from(total)) {
        (true, Ok(total)) => Ok(-total),
        (true, Err(_)) => Ok(i64::MIN),
        (false, Ok(total)) => Ok(total),
        (false, Err(_)) => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_go_there_and_back() {
        for (text, shown) in [
            ("2h10m5s", "2h10m5s"),
            ("95s", "1m35s"),
            ("1.5h", "1h30m0s"),
            ("-1500ms", "-1.5s"),
            ("1µs", "1µs"),
            ("0", "0s"),
            ("100ns", "100ns"),
        ] {
            assert_eq!(duration_text(parse_duration(text.as_bytes()).expect(text)), shown);
        }
        assert_eq!(parse_duration(b"5").expect_err("no unit"), "time: missing unit in duration \"5\"");
        assert_eq!(parse_duration(b"5x").expect_err("no such unit"), "time: unknown unit \"x\" in duration \"5x\"");
        assert_eq!(parse_duration(b"").expect_err("empty"), "time: invalid duration \"\"");
        // What is no text is quoted by its bytes, and fractions are rounded as Go rounds them.
        let words = "time: unknown unit \"\\xffs\" in duration \"5\\xffs\"";
        assert_eq!(parse_duration(b"5\xffs").expect_err("no text"), words);
        assert_eq!(parse_duration(b"0.3333333333333333333333s"), Ok(333_333_333));
        assert_eq!(parse_duration(b"-9223372036.854775808s"), Ok(i64::MIN));
        assert!(parse_duration(b"9223372036.854775808s").is_err());
    }
}
