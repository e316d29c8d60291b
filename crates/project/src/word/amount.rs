//! Amounts: spans of time, days, quantities; and ids of rules.

use std::time::Duration;

use super::{Unfit, words};

words! {
    /// A span of time as Go writes it, as `90s`, `15m` or `1h30m`, days as `2d` and weeks as `2w`; a bare number is seconds.
    Span = "duration", {"pattern": "^([0-9.]+(ms|s|m|h|d|w))+$|^[0-9]+$"}, span;
    /// A day, as `2027-03-31`.
    Day = "day", {"format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}, day;
    /// A rule's id, as `LF117`.
    RuleId = "rule", {"pattern": "^LF[0-9]{3}$"}, rule;
    /// An amount of a resource, as `500m` or `256Mi`.
    Amount = "quantity", {"pattern": "^[0-9.]+([numkKMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?$"}, amount;
}

impl Span {
    /// No time at all.
    pub fn none() -> Self {
        Span("0".to_owned())
    }

    /// The span.
    pub fn duration(&self) -> Duration {
        read(self).unwrap_or_default()
    }
}

const UNITS: [(&str, f64); 6] =
    [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0), ("w", 604_800.0)];

fn read(text: &str) -> Option<Duration> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let mut rest = text;
    let mut total = 0f64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        total += number * UNITS.iter().find(|(known, _)| *known == &rest[..unit])?.1;
        rest = &rest[unit..];
    }
    Duration::try_from_secs_f64(total).ok()
}

fn span(text: &str) -> Result<(), Unfit> {
    if read(text).is_some() {
        return Ok(());
    }
    let mut near = String::new();
    let mut rest = text.trim();
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()).filter(|at| rest[..*at].trim().is_empty()) {
        rest = &rest[at..];
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let word = rest[digits..].trim_start();
        let unit = word.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(word.len());
        let short = match word[..unit].to_lowercase().as_str() {
            "ms" | "msec" | "millis" | "milliseconds" => "ms",
            "s" | "sec" | "secs" | "second" | "seconds" => "s",
            "m" | "min" | "mins" | "minute" | "minutes" => "m",
            "h" | "hr" | "hour" | "hours" => "h",
            "d" | "day" | "days" => "d",
            "w" | "week" | "weeks" => "w",
            _ => break,
        };
        near.push_str(&rest[..digits]);
        near.push_str(short);
        rest = &word[unit..];
    }
    let near = Some(near).filter(|near| rest.trim().is_empty() && read(near).is_some());
    Err(Unfit::new("a duration is written as `90s`, `15m`, `1h30m` or `2d`").near(near))
}

fn day(text: &str) -> Result<(), Unfit> {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |part: &str, digits: usize| {
        (part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<u16>().ok())?
    };
    let fits = match parts.as_slice() {
        [year, month, day] => {
            let (year, month, day) = (number(year, 4), number(month, 2), number(day, 2));
            year.zip(month).zip(day).is_some_and(|((year, month), day)| (1..=days(year, month)).contains(&day))
        }
        _ => false,
    };
    if fits { Ok(()) } else { Err(Unfit::new("a day is written as `YYYY-MM-DD`, and the calendar has it")) }
}

/// The days of a month; none for what is no month.
fn days(year: u16, month: u16) -> u16 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 0,
    }
}

fn rule(text: &str) -> Result<(), Unfit> {
    let is_id = |text: &str| {
        text.strip_prefix("LF").is_some_and(|digits| digits.len() == 3 && digits.bytes().all(|it| it.is_ascii_digit()))
    };
    if is_id(text) {
        return Ok(());
    }
    let near = text.trim().to_uppercase();
    Err(Unfit::new("a rule's id is `LF` and three digits; `landfall rules` lists them")
        .near(Some(near).filter(|near| is_id(near))))
}

fn amount(text: &str) -> Result<(), Unfit> {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let exponent = |text: &str| {
        let digits = text.strip_prefix(['e', 'E']).map(|rest| rest.strip_prefix(['-', '+']).unwrap_or(rest));
        digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    const SUFFIXES: [&str; 15] = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi"];
    let fits = number.parse::<f64>().is_ok() && (SUFFIXES.contains(&suffix) || suffix == "Ei" || exponent(suffix));
    if fits {
        return Ok(());
    }
    let near =
        text.trim().replace(' ', "").replace("MB", "M").replace("GB", "G").replace("mi", "Mi").replace("gi", "Gi");
    let near = Some(near).filter(|near| near != text && amount(near).is_ok());
    Err(Unfit::new("an amount of a resource is written as `500m`, `2` or `256Mi`").near(near))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_go_writes_them() {
        for (text, seconds) in [("90s", 90.0), ("1h30m", 5400.0), ("120", 120.0), ("500ms", 0.5), ("2d", 172_800.0)] {
            let span = Span::parse(text).expect("a span");
            assert!((span.duration().as_secs_f64() - seconds).abs() < 1e-9, "{text}");
        }
        for (text, near) in [
            ("5 minutes", Some("5m")),
            ("30sec", Some("30s")),
            ("1 hour 5 min", Some("1h5m")),
            ("soon", None),
            ("", None),
            ("-3s", None),
            ("5x", None),
        ] {
            assert_eq!(Span::parse(text).map_err(|unfit| unfit.near), Err(near.map(str::to_owned)), "{text:?}");
        }
    }

    #[test]
    fn a_day_is_one_of_the_calendar() {
        assert!(Day::parse("2027-03-31").is_ok() && Day::parse("2028-02-29").is_ok());
        for text in ["2027-02-29", "2027-13-01", "27-03-31", "soon", "2027-3-1", "2027-04-31"] {
            assert!(Day::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_are_quantities() {
        for text in ["500m", "2", "1.5", "256Mi", "1e3", "3E"] {
            assert!(Amount::parse(text).is_ok(), "{text}");
        }
        assert_eq!(Amount::parse("256 MB").expect_err("none").near.as_deref(), Some("256M"));
        assert!(Amount::parse("much").is_err() && Amount::parse("-1").is_err());
    }
}
