//! Go's times and durations.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `Mon Jan _2 15:04:05 2006`.
pub(super) fn ansic(at: Timestamp) -> String {
    landfall_sprig::format_time("Mon Jan _2 15:04:05 2006", at, &TimeZone::system())
}

/// As Go prints a time that nobody formats.
pub(super) fn plain(at: Timestamp) -> String {
    landfall_sprig::format_time("2006-01-02 15:04:05.999999999 -0700 MST", at, &TimeZone::system())
}

/// By a layout of Go's.
pub(super) fn formatted(layout: &str, at: Timestamp) -> String {
    landfall_sprig::format_time(layout, at, &TimeZone::system())
}

/// `2006-01-02T15:04:05Z07:00`.
pub(super) fn rfc3339(at: Timestamp) -> String {
    landfall_sprig::format_time("2006-01-02T15:04:05Z07:00", at, &TimeZone::system())
}

/// Go's `time.ParseDuration`; what is negative is none. The error is Go's text.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut seconds = 0.0_f64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, behind) = rest.split_at(end);
        let number: f64 = match number {
            "" | "." => return Err(invalid()),
            number => number.parse().map_err(|_| invalid())?,
        };
        let end = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        let scale = match unit {
            "" => return Err(format!("time: missing unit in duration {text:?}")),
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            unit => return Err(format!("time: unknown unit {unit:?} in duration {text:?}")),
        };
        seconds += number * scale;
        rest = behind;
    }
    if negative {
        return Ok(Duration::ZERO);
    }
    // Go counts nanoseconds in 63 bits.
    if seconds > 9_223_372_036.0 {
        return Err(invalid());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        assert_eq!(duration("1h2m3.5s"), Ok(Duration::from_millis(3_723_500)));
        assert_eq!(duration("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert_eq!(duration("-5s"), Ok(Duration::ZERO));
        assert_eq!(duration("5"), Err("time: missing unit in duration \"5\"".into()));
        assert_eq!(duration("x"), Err("time: invalid duration \"x\"".into()));
        assert_eq!(duration("5d"), Err("time: unknown unit \"d\" in duration \"5d\"".into()));
        assert!(duration("99999999999999h").is_err());
    }
}
