//! Go's layouts: a time written the way the reference time `Mon Jan 2 15:04:05 MST 2006` is written.

/// A part of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'l> {
    /// Text that stands for itself.
    Literal(&'l [u8]),
    LongMonth,
    Month,
    MonthNumber,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    /// `PM`
    UpperPm,
    /// `pm`
    LowerPm,
    /// `MST`
    ZoneName,
    Zone(ZoneForm),
    /// `.000`: the separator and so many digits.
    Fraction(char, usize),
    /// `.999`: as many digits as are not zero, up to so many.
    FractionTrimmed(char, usize),
}

/// How an offset is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ZoneForm {
    /// Whether no offset at all is `Z`.
    pub(super) z: bool,
    /// Whether `:` stands between hours, minutes and seconds.
    pub(super) colon: bool,
    pub(super) minutes: bool,
    pub(super) seconds: bool,
}

/// Cuts a layout into its parts, each with the text it was written as.
pub(super) fn parts(layout: &[u8]) -> Vec<(Part<'_>, &[u8])> {
    let mut parts = Vec::new();
    let mut literal = 0;
    let mut at = 0;
    while at < layout.len() {
        match element(layout, at) {
            Some((part, skip, len)) => {
                let start = at + skip;
                if literal < start {
                    parts.push((Part::Literal(&layout[literal..start]), &layout[literal..start]));
                }
                parts.push((part, &layout[start..start + len]));
                at = start + len;
                literal = at;
            }
            None => at += 1,
        }
    }
    if literal < layout.len() {
        parts.push((Part::Literal(&layout[literal..]), &layout[literal..]));
    }
    parts
}

/// The element at a place: how many bytes before it stand for themselves, and its length.
fn element(layout: &[u8], at: usize) -> Option<(Part<'static>, usize, usize)> {
    let rest = &layout[at..];
    let lower_follows = |len: usize| rest.get(len).is_some_and(u8::is_ascii_lowercase);
    let simple = |list: &[(&str, Part<'static>)]| {
        list.iter().find(|(text, _)| rest.starts_with(text.as_bytes())).map(|(text, part)| (*part, 0, text.len()))
    };
    match rest[0] {
        b'J' if rest.starts_with(b"January") => Some((Part::LongMonth, 0, 7)),
        b'J' if rest.starts_with(b"Jan") && !lower_follows(3) => Some((Part::Month, 0, 3)),
        b'M' if rest.starts_with(b"Monday") => Some((Part::LongWeekday, 0, 6)),
        b'M' if rest.starts_with(b"Mon") && !lower_follows(3) => Some((Part::Weekday, 0, 3)),
        b'M' => simple(&[("MST", Part::ZoneName)]),
        b'0' => simple(&[
            ("002", Part::ZeroYearDay),
            ("01", Part::ZeroMonth),
            ("02", Part::ZeroDay),
            ("03", Part::ZeroHour12),
            ("04", Part::ZeroMinute),
            ("05", Part::ZeroSecond),
            ("06", Part::Year),
        ]),
        b'1' => simple(&[("15", Part::Hour), ("1", Part::MonthNumber)]),
        b'2' => simple(&[("2006", Part::LongYear), ("2", Part::Day)]),
        b'_' if rest.starts_with(b"_2006") => Some((Part::LongYear, 1, 4)),
        b'_' => simple(&[("__2", Part::UnderYearDay), ("_2", Part::UnderDay)]),
        b'3' => Some((Part::Hour12, 0, 1)),
        b'4' => Some((Part::Minute, 0, 1)),
        b'5' => Some((Part::Second, 0, 1)),
        b'P' => simple(&[("PM", Part::UpperPm)]),
        b'p' => simple(&[("pm", Part::LowerPm)]),
        sign @ (b'-' | b'Z') => {
            let z = sign == b'Z';
            let form = |colon, minutes, seconds| Part::Zone(ZoneForm { z, colon, minutes, seconds });
            [
                ("070000", form(false, true, true)),
                ("07:00:00", form(true, true, true)),
                ("0700", form(false, true, false)),
                ("07:00", form(true, true, false)),
                ("07", form(false, false, false)),
            ]
            .into_iter()
            .find(|(text, _)| rest[1..].starts_with(text.as_bytes()))
            .map(|(text, part)| (part, 0, text.len() + 1))
        }
        separator @ (b'.' | b',') => {
            let digit = rest.get(1).copied().filter(|digit| matches!(digit, b'0' | b'9'))?;
            let digits = rest.iter().skip(1).take_while(|byte| **byte == digit).count();
            if rest.get(1 + digits).is_some_and(u8::is_ascii_digit) {
                return None;
            }
            let separator = char::from(separator);
            let part = match digit {
                b'0' => Part::Fraction(separator, digits),
                _ => Part::FractionTrimmed(separator, digits),
            };
            Some((part, 0, digits + 1))
        }
        _ => None,
    }
}
