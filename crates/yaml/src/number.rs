//! Numbers as Go writes them.

/// From this exponent on Go's `g` writes shortest digits in scientific form; `encoding/json` does so from 21 on.
const SCIENTIFIC_FROM: i32 = 6;

/// Go's `strconv.FormatFloat(value, 'g', -1, 64)`.
pub(crate) fn float_g(value: f64) -> String {
    if !value.is_finite() {
        return infinite(value).to_owned();
    }
    general(value.is_sign_negative(), &Digits::of(zmij::Buffer::new().format_finite(value)))
}

/// Go's `strconv.FormatFloat(value, 'g', -1, 32)`, as `sigs.k8s.io/yaml` writes a number that is a key.
pub(crate) fn float_g32(value: f64) -> String {
    let value = value as f32;
    if !value.is_finite() {
        return match infinite(value.into()) {
            "+Inf" => ".inf".to_owned(),
            "-Inf" => "-.inf".to_owned(),
            _ => ".nan".to_owned(),
        };
    }
    general(value.is_sign_negative(), &Digits::of(zmij::Buffer::new().format_finite(value)))
}

fn infinite(value: f64) -> &'static str {
    match value {
        v if v.is_nan() => "NaN",
        v if v > 0.0 => "+Inf",
        _ => "-Inf",
    }
}

/// A number's shortest digits and the exponent of the first: `1234`, 1 is 12.34.
///
/// Rust's own formatting breaks a tie between two shortest forms upwards, Go's to the even digit.
struct Digits {
    digits: String,
    exponent: i32,
}

impl Digits {
    fn of(text: &str) -> Self {
        let text = text.trim_start_matches('-');
        let (mantissa, power) = text.split_once('e').unwrap_or((text, "0"));
        let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let power: i32 = power.parse().unwrap_or(0);
        let all = format!("{before}{after}");
        let digits = all.trim_start_matches('0');
        let leading = (all.len() - digits.len()) as i32;
        let exponent = if digits.is_empty() { 0 } else { before.len() as i32 - 1 - leading + power };
        let digits = match digits.trim_end_matches('0') {
            "" => "0",
            digits => digits,
        };
        Self { digits: digits.to_owned(), exponent }
    }

    /// Without exponent.
    fn plain(&self) -> String {
        let Self { digits, exponent } = self;
        if *exponent < 0 {
            let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
            return format!("0.{zeros}{digits}");
        }
        let whole = *exponent as usize + 1;
        if digits.len() <= whole {
            return format!("{digits}{}", "0".repeat(whole - digits.len()));
        }
        format!("{}.{}", &digits[..whole], &digits[whole..])
    }
}

/// Chooses between plain and scientific form by the exponent.
fn general(negative: bool, digits: &Digits) -> String {
    let sign = if negative { "-" } else { "" };
    if (-4..SCIENTIFIC_FROM).contains(&digits.exponent) {
        return format!("{sign}{}", digits.plain());
    }
    let (first, rest) = digits.digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    let power = if digits.exponent < 0 { '-' } else { '+' };
    format!("{sign}{first}{point}{rest}e{power}{:02}", digits.exponent.abs())
}

/// A number as `encoding/json` writes it and go-yaml reads it back: a whole one without fraction or exponent.
pub(crate) enum Whole {
    /// Fits an `int64`.
    Int(i64),
    /// Fits a `uint64`.
    Uint(u64),
    /// Stays a float.
    No,
}

/// What a float becomes on the way through JSON text.
pub(crate) fn whole(value: f64) -> Whole {
    if value.fract() != 0.0 || value.abs() >= 1e21 {
        return Whole::No;
    }
    if value.abs() < 9e15 {
        return Whole::Int(value as i64);
    }
    // The text has the shortest digits and then zeros, which is not always the number itself.
    let digits = Digits::of(zmij::Buffer::new().format_finite(value));
    let sign = if value < 0.0 { "-" } else { "" };
    let text = format!("{sign}{}", digits.plain());
    if let Ok(int) = text.parse() {
        Whole::Int(int)
    } else if let Ok(uint) = text.parse() {
        Whole::Uint(uint)
    } else {
        Whole::No
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_go_writes_them() {
        for (value, text) in [
            (1.5, "1.5"),
            (100000.0, "100000"),
            (999999.0, "999999"),
            (1000000.0, "1e+06"),
            (1234567.5, "1.2345675e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1e20, "1e+20"),
            (1e21, "1e+21"),
            (12345678901234567890.0, "1.2345678901234567e+19"),
            (19_296_476_747_912.562, "1.9296476747912562e+13"),
            (-0.0, "-0"),
            (1e-320, "1e-320"),
        ] {
            assert_eq!(float_g(value), text);
        }
    }
}
