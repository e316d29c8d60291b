use std::time::Duration;

use landfall_diag::Diagnostic;

/// Reads a duration as Go writes it: `90s`, `15m`, `1h30m`, `500ms`, and days as `2d`; a bare number is seconds.
///
/// # Errors
/// When the text is none of these.
pub fn parse_duration(text: &str) -> Result<Duration, Diagnostic> {
    let wrong =
        || Diagnostic::error(110, format!("`{text}` is not a duration")).help("write it as `90s`, `15m` or `1h30m`");
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut rest = text;
    let mut total = 0f64;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        total += number
            * match &rest[..unit] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                _ => return Err(wrong()),
            };
        rest = &rest[unit..];
    }
    Duration::try_from_secs_f64(total).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        assert_eq!(parse_duration("15m").expect("read"), Duration::from_secs(900));
        assert_eq!(parse_duration("1h30m").expect("read"), Duration::from_secs(5400));
        assert_eq!(parse_duration("120").expect("read"), Duration::from_secs(120));
        assert_eq!(parse_duration("500ms").expect("read"), Duration::from_millis(500));
        for wrong in ["", "abc", "5x", "m", "-3s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
