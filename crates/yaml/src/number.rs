//! Numbers as Go writes them.

/// From this exponent on Go's `g` writes shortest digits in scientific form; `encoding/json` does so from 21 on.
const SCIENTIFIC_FROM: i32 = 6;

/// Go's `strconv.FormatFloat(value, 'g', -1, 64)`.
pub(crate) fn float_g(value: f64) -> String {
    if !value.is_finite() {
        return infinite(value).to_owned();
    }
    let scientific = format!("{value:e}");
    general(&scientific, || format!("{value}"))
}

/// Go's `strconv.FormatFloat(value, 'g', -1, 32)`, as `sigs.k8s.io/yaml` writes a number that is a key.
pub(crate) fn float_g32(value: f64) -> String {
    if !value.is_finite() {
        return match infinite(value) {
            "+Inf" => ".inf".to_owned(),
            "-Inf" => "-.inf".to_owned(),
            _ => ".nan".to_owned(),
        };
    }
    let value = value as f32;
    if !value.is_finite() {
        return if value > 0.0 { ".inf".to_owned() } else { "-.inf".to_owned() };
    }
    let scientific = format!("{value:e}");
    general(&scientific, || format!("{value}"))
}

fn infinite(value: f64) -> &'static str {
    match value {
        v if v.is_nan() => "NaN",
        v if v > 0.0 => "+Inf",
        _ => "-Inf",
    }
}

/// Chooses between plain and scientific form by the exponent.
fn general(scientific: &str, plain: impl FnOnce() -> String) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..SCIENTIFIC_FROM).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    plain()
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
    let text = format!("{value}");
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
            (-0.0, "-0"),
            (1e-320, "1e-320"),
        ] {
            assert_eq!(float_g(value), text);
        }
    }
}
