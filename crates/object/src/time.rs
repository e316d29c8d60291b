//! RFC 3339 times, as Go reads and writes them.

/// The second in which something happened, as Kubernetes writes it (`metav1.Time`): what is left of it is cut off. Rounded, half of
/// all that happens would be dated into the future, and behind what came of it.
#[must_use]
pub fn whole_second(at: jiff::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// A moment: seconds since 1970 and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) seconds: i64,
    pub(crate) nanos: u32,
}

impl Moment {
    /// One number for it.
    pub(crate) fn nanoseconds(self) -> i128 {
        i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanos)
    }
}

/// Reads `2006-01-02T15:04:05[.999999999](Z|±07:00)`.
pub(crate) fn parse(text: &str) -> Option<Moment> {
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| -> Option<i64> {
        let part = bytes.get(from..to)?;
        part.iter()
            .all(u8::is_ascii_digit)
            .then(|| part.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    };
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, separator)| bytes.get(*at) != Some(separator)) {
        return None;
    }
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month_days = *days_in_month.get(usize::try_from(month - 1).ok()?)?;
    if !(1..=month_days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (mut at, mut nanos) = (19, 0_u32);
    if bytes.get(at) == Some(&b'.') {
        let start = at + 1;
        at = start;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            if at - start < 9 {
                nanos = nanos * 10 + u32::from(bytes[at] - b'0');
            }
            at += 1;
        }
        if at == start {
            return None;
        }
        for _ in (at - start).min(9)..9 {
            nanos *= 10;
        }
    }
    let offset = match bytes.get(at)? {
        b'Z' if bytes.len() == at + 1 => 0,
        sign @ (b'+' | b'-') if bytes.len() == at + 6 && bytes[at + 3] == b':' => {
            let offset = digits(at + 1, at + 3)? * 3600 + digits(at + 4, at + 6)? * 60;
            if *sign == b'+' { offset } else { -offset }
        }
        _ => return None,
    };
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    Some(Moment { seconds, nanos })
}

/// Reads the text by Go's layout; the error is Go's.
pub(crate) fn parse_as(text: &str, layout: Layout) -> Result<Moment, String> {
    let moment = parse(text);
    let digits = text
        .get(19..)
        .and_then(|rest| rest.strip_prefix('.'))
        .map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    match (moment, layout) {
        (Some(moment), Layout::Seconds) => Ok(moment),
        (Some(moment), Layout::Micros) if digits == 6 => Ok(moment),
        _ => {
            let (rest, element) = stuck(text, layout);
            Err(format!("parsing time {text:?} as {:?}: cannot parse {rest:?} as {element:?}", layout.text()))
        }
    }
}

/// The two layouts of the API.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Layout {
    /// `metav1.Time`
    Seconds,
    /// `metav1.MicroTime`
    Micros,
}

impl Layout {
    fn text(self) -> &'static str {
        match self {
            Self::Seconds => "2006-01-02T15:04:05Z07:00",
            Self::Micros => "2006-01-02T15:04:05.000000Z07:00",
        }
    }
}

/// Where Go stops reading, and the element of the layout it wanted there.
fn stuck(text: &str, layout: Layout) -> (&str, &'static str) {
    const ELEMENTS: [&str; 11] = ["2006", "-", "01", "-", "02", "T", "15", ":", "04", ":", "05"];
    let mut at = 0;
    for element in ELEMENTS {
        let part = text.get(at..at + element.len());
        let fits = part.is_some_and(|part| {
            if element.as_bytes()[0].is_ascii_digit() {
                part.bytes().all(|byte| byte.is_ascii_digit())
            } else {
                part == element
            }
        });
        if !fits {
            return (text.get(at..).unwrap_or_default(), element);
        }
        at += element.len();
    }
    let rest = text.get(at..).unwrap_or_default();
    if layout == Layout::Micros { (rest, ".000000") } else { (rest, "Z07:00") }
}

/// Writes seconds in UTC, as `metav1.Time` does.
pub(crate) fn seconds_text(moment: Moment) -> String {
    let (days, rest) = (moment.seconds.div_euclid(86_400), moment.seconds.rem_euclid(86_400));
    let (year, month, day) = civil_from_days(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Writes microseconds in UTC, as `metav1.MicroTime` does.
pub(crate) fn micros_text(moment: Moment) -> String {
    let mut text = seconds_text(moment);
    text.pop();
    format!("{text}.{:06}Z", moment.nanos / 1000)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_never_dated_behind_itself() {
        let second = |text: &str| whole_second(text.parse().expect("a time")).to_string();
        assert_eq!(second("2026-11-27T03:29:03.999999999Z"), "2026-11-27T03:29:03Z");
        assert_eq!(second("2026-11-27T03:29:03Z"), "2026-11-27T03:29:03Z");
    }

    #[test]
    fn times_are_read_with_offsets_and_written_in_utc() {
        let text = |input: &str| parse(input).map(seconds_text);
        assert_eq!(text("2024-02-29T23:59:59+02:00").as_deref(), Some("2024-02-29T21:59:59Z"));
        assert_eq!(text("1969-12-31T23:59:59Z").as_deref(), Some("1969-12-31T23:59:59Z"));
        assert_eq!(text("2023-02-29T00:00:00Z"), None);
        assert_eq!(text("2023-02-28 00:00:00Z"), None);
        assert_eq!(parse("2024-01-01T00:00:00.5Z").map(micros_text).as_deref(), Some("2024-01-01T00:00:00.500000Z"));
    }
}
