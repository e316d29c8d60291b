//! How Helm's validator writes values: Go's `%q` in single quotes, numbers as `golang.org/x/text` prints English ones.

use serde_json::Value as Json;

/// A text in single quotes.
pub(super) fn quoted(text: &str) -> String {
    let go = landfall_gotemplate::format::quote(text.as_bytes());
    let inner = &go[1..go.len() - 1];
    format!("'{}'", inner.replace("\\\"", "\"").replace('\'', "\\'"))
}

/// A name as a JSON pointer has it.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Several texts in single quotes.
pub(super) fn all_quoted<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    texts.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

/// A value as messages show it.
pub(super) fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => quoted(text),
        Json::Array(_) | Json::Object(_) => "value".to_owned(),
        Json::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

/// A count, with a comma between thousands.
pub(super) fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// A number: six digits before the point at most, else with an exponent of ten.
pub(super) fn number(number: f64) -> String {
    let digits = format!("{number:e}");
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        let plain = number.to_string();
        let (sign, plain) = plain.strip_prefix('-').map_or(("", plain.as_str()), |rest| ("-", rest));
        let (whole, rest) = plain.split_once('.').map_or((plain, None), |(whole, rest)| (whole, Some(rest)));
        let whole = grouped(whole);
        return match rest {
            Some(rest) => format!("{sign}{whole}.{rest}"),
            None => format!("{sign}{whole}"),
        };
    }
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raised: String =
        format!("{:02}", exponent.abs()).bytes().map(|digit| RAISED[usize::from(digit - b'0').min(9)]).collect();
    format!("{mantissa}×10{}{raised}", if exponent < 0 { "⁻" } else { "" })
}

fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_helm_writes_them() {
        // Observed with helm 3.22.0.
        for (value, words) in [
            (1234.0, "1,234"),
            (50_000.0, "50,000"),
            (1_234_567.5, "1.2345675×10⁰⁶"),
            (0.0001, "0.0001"),
            (0.000_012_345, "1.2345×10⁻⁰⁵"),
            (123_456.789, "123,456.789"),
            (-1e30, "-1×10³⁰"),
            (0.5, "0.5"),
        ] {
            assert_eq!(number(value), words);
        }
        assert_eq!(quoted("^a'\"\\d$"), r#"'^a\'"\\d$'"#);
    }
}
