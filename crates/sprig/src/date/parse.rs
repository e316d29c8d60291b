//! Texts to times by a layout: Go's `time.ParseInLocation`.

use jiff::civil;
use jiff::tz::{Offset, TimeZone};

use super::layout::{Part, ZoneForm, parts};
use super::moment::{MONTHS, Moment, WEEKDAYS, Zone};
use crate::duration::quote_time as quote;

/// Why a piece of text does not fit.
enum Misfit {
    /// It is not what the layout asks for.
    Shape,
    /// It is, but there is no such thing.
    Range(&'static str),
}

#[derive(Default)]
struct Found {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: i64,
    afternoon: Option<bool>,
    zone: Option<Seen>,
}

enum Seen {
    Utc,
    Offset(i64),
    Name(String),
}

/// Reads a time; without a zone in the text it is one in `local`.
///
/// # Errors
/// Go's words.
pub(super) fn parse(layout: &[u8], text: &[u8], local: &TimeZone) -> Result<Moment, String> {
    let mut found = Found::default();
    let mut rest = text;
    let cannot = |rest: &[u8], element: &[u8]| {
        format!("parsing time {} as {}: cannot parse {} as {}", quote(text), quote(layout), quote(rest), quote(element))
    };
    let refused = |what: &str| format!("parsing time {}: {what}", quote(text));
    let all = parts(layout);
    for (at, (part, element)) in all.iter().enumerate() {
        let before = rest;
        let fraction_follows = matches!(all.get(at + 1), Some((Part::Fraction(..) | Part::FractionTrimmed(..), _)));
        let fits = match part {
            Part::Literal(literal) => skip(&mut rest, literal),
            _ => found.take(*part, &mut rest, fraction_follows),
        };
        match fits {
            Ok(()) => {}
            Err(Misfit::Shape) => {
                // A literal is blamed from where it stops fitting; a value as a whole.
                let at = if matches!(part, Part::Literal(_)) { rest } else { before };
                return Err(cannot(at, element));
            }
            Err(Misfit::Range(what)) => return Err(refused(&format!("{what} out of range"))),
        }
    }
    if !rest.is_empty() {
        return Err(refused(&format!("extra text: {}", quote(rest))));
    }
    found.finish(local).map_err(|what| refused(&format!("{what} out of range")))
}

/// Passes a literal; a blank in it stands for any number of blanks.
fn skip(rest: &mut &[u8], literal: &[u8]) -> Result<(), Misfit> {
    let mut literal = literal;
    while let Some((byte, after)) = literal.split_first() {
        if *byte == b' ' {
            if !rest.is_empty() && !rest.starts_with(b" ") {
                return Err(Misfit::Shape);
            }
            (literal, *rest) = (without_blanks(literal), without_blanks(rest));
            continue;
        }
        *rest = rest.strip_prefix(&[*byte]).ok_or(Misfit::Shape)?;
        literal = after;
    }
    Ok(())
}

fn without_blanks(text: &[u8]) -> &[u8] {
    &text[text.iter().take_while(|byte| **byte == b' ').count()..]
}

/// One or two digits; with `fixed` two.
fn number(rest: &mut &[u8], fixed: bool) -> Result<i64, Misfit> {
    let digits = count_digits(rest, 2);
    if digits == 0 || (fixed && digits == 1) {
        return Err(Misfit::Shape);
    }
    take_digits(rest, digits)
}

fn count_digits(text: &[u8], most: usize) -> usize {
    text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count()
}

/// A number of digits alone.
fn whole(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0i64, |whole, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        whole.checked_mul(10)?.checked_add(digit)
    })
}

fn take_digits(rest: &mut &[u8], count: usize) -> Result<i64, Misfit> {
    let (digits, after) = rest.split_at_checked(count).ok_or(Misfit::Shape)?;
    let number = whole(digits).ok_or(Misfit::Shape)?;
    *rest = after;
    Ok(number)
}

/// One of a list of names, whatever its case; its place from 0.
fn name(rest: &mut &[u8], names: &[&str], len: Option<usize>) -> Result<usize, Misfit> {
    for (at, name) in names.iter().enumerate() {
        let name = &name[..len.unwrap_or(name.len())];
        if rest.get(..name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name.as_bytes())) {
            *rest = &rest[name.len()..];
            return Ok(at);
        }
    }
    Err(Misfit::Shape)
}

impl Found {
    fn take(&mut self, part: Part<'_>, rest: &mut &[u8], fraction_follows: bool) -> Result<(), Misfit> {
        match part {
            Part::Literal(literal) => skip(rest, literal)?,
            Part::LongYear => self.year = take_digits(rest, 4)?,
            Part::Year => {
                let year = take_digits(rest, 2)?;
                self.year = if year >= 69 { 1900 + year } else { 2000 + year };
            }
            Part::LongMonth => self.month = Some(name(rest, &MONTHS, None)? as i64 + 1),
            Part::Month => self.month = Some(name(rest, &MONTHS, Some(3))? as i64 + 1),
            Part::MonthNumber | Part::ZeroMonth => {
                let month = number(rest, part == Part::ZeroMonth)?;
                self.month = Some(bounded(month, 1..13, "month")?);
            }
            Part::LongWeekday => drop(name(rest, &WEEKDAYS, None)?),
            Part::Weekday => drop(name(rest, &WEEKDAYS, Some(3))?),
            Part::Day | Part::UnderDay | Part::ZeroDay => {
                if part == Part::UnderDay {
                    *rest = rest.strip_prefix(b" ").unwrap_or(rest);
                }
                self.day = Some(number(rest, part == Part::ZeroDay)?);
            }
            Part::UnderYearDay | Part::ZeroYearDay => {
                if part == Part::UnderYearDay {
                    for _ in 0..2 {
                        *rest = rest.strip_prefix(b" ").unwrap_or(rest);
                    }
                }
                let digits = count_digits(rest, 3);
                if digits == 0 || (part == Part::ZeroYearDay && digits < 3) {
                    return Err(Misfit::Shape);
                }
                self.year_day = Some(take_digits(rest, digits)?);
            }
            Part::Hour => self.hour = bounded(number(rest, false)?, 0..24, "hour")?,
            Part::Hour12 | Part::ZeroHour12 => {
                self.hour = bounded(number(rest, part == Part::ZeroHour12)?, 0..13, "hour")?;
            }
            Part::Minute | Part::ZeroMinute => {
                self.minute = bounded(number(rest, part == Part::ZeroMinute)?, 0..60, "minute")?;
            }
            Part::Second | Part::ZeroSecond => {
                self.second = bounded(number(rest, part == Part::ZeroSecond)?, 0..60, "second")?;
                // A fraction may follow although the layout has none.
                if !fraction_follows && begins_fraction(rest) {
                    self.nanos = fraction(rest, None)?;
                }
            }
            Part::UpperPm | Part::LowerPm => {
                let (am, pm) = if part == Part::UpperPm { (b"AM", b"PM") } else { (b"am", b"pm") };
                self.afternoon = match rest.get(..2) {
                    Some(text) if text == pm => Some(true),
                    Some(text) if text == am => Some(false),
                    _ => return Err(Misfit::Shape),
                };
                *rest = &rest[2..];
            }
            Part::Zone(form) => self.zone = Some(offset(rest, form)?),
            Part::ZoneName => self.zone = Some(zone_name(rest)?),
            Part::Fraction(_, digits) => self.nanos = fraction(rest, Some(digits))?,
            Part::FractionTrimmed(..) => {
                if begins_fraction(rest) {
                    self.nanos = fraction(rest, None)?;
                }
            }
        }
        Ok(())
    }

    fn finish(mut self, local: &TimeZone) -> Result<Moment, &'static str> {
        match self.afternoon {
            Some(true) if self.hour < 12 => self.hour += 12,
            Some(false) if self.hour == 12 => self.hour = 0,
            _ => {}
        }
        let date = self.date()?;
        let time = civil::time(self.hour as i8, self.minute as i8, self.second as i8, self.nanos as i32);
        let at = date.to_datetime(time);
        let in_zone = |zone: &TimeZone| at.to_zoned(zone.clone()).map(|zoned| zoned.timestamp()).map_err(|_| "year");
        Ok(match self.zone {
            None => Moment::new(in_zone(local)?, Zone::Place(local.clone())),
            Some(Seen::Utc) => Moment::new(in_zone(&TimeZone::UTC)?, Zone::UTC),
            Some(Seen::Offset(seconds)) => {
                let offset = Offset::from_seconds(seconds as i32).map_err(|_| "time zone offset")?;
                let moment = in_zone(&TimeZone::fixed(offset))?;
                // The local zone is used where it has that offset at that moment.
                if local.to_offset(moment) == offset {
                    Moment::new(moment, Zone::Place(local.clone()))
                } else {
                    Moment::new(moment, Zone::Fixed(offset, String::new()))
                }
            }
            Some(Seen::Name(name)) => {
                let moment = in_zone(local)?;
                if local.to_offset_info(moment).abbreviation() == name {
                    return Ok(Moment::new(moment, Zone::Place(local.clone())));
                }
                // A name that is not known here means nothing but for GMT+3, and that only for how the time is shown.
                let hours = name.strip_prefix("GMT").and_then(|hours| hours.parse::<i32>().ok()).unwrap_or(0);
                let offset = Offset::from_seconds(hours * 3600).map_err(|_| "time zone offset")?;
                Moment::new(in_zone(&TimeZone::UTC)?, Zone::Fixed(offset, name))
            }
        })
    }

    fn date(&self) -> Result<civil::Date, &'static str> {
        let year = i16::try_from(self.year).map_err(|_| "year")?;
        let Some(day) = self.year_day else {
            let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
            let (Ok(month), Ok(day)) = (i8::try_from(month), i8::try_from(day)) else { return Err("day") };
            return civil::Date::new(year, month, day).map_err(|_| "day");
        };
        let first = civil::date(year, 1, 1);
        if day < 1 || day > i64::from(first.days_in_year()) {
            return Err("day-of-year");
        }
        let date = first.checked_add(jiff::Span::new().days(day - 1)).map_err(|_| "day-of-year")?;
        let differs = |known: Option<i64>, is: i8| known.is_some_and(|known| known != i64::from(is));
        if differs(self.month, date.month()) || differs(self.day, date.day()) {
            return Err("day-of-year");
        }
        Ok(date)
    }
}

fn bounded(value: i64, range: std::ops::Range<i64>, what: &'static str) -> Result<i64, Misfit> {
    if range.contains(&value) { Ok(value) } else { Err(Misfit::Range(what)) }
}

fn begins_separator(rest: &[u8]) -> bool {
    matches!(rest.first(), Some(b'.' | b','))
}

fn begins_fraction(rest: &[u8]) -> bool {
    begins_separator(rest) && rest.get(1).is_some_and(u8::is_ascii_digit)
}

/// A separator and digits: nanoseconds.
fn fraction(rest: &mut &[u8], digits: Option<usize>) -> Result<i64, Misfit> {
    if !begins_separator(rest) {
        return Err(Misfit::Shape);
    }
    let found = count_digits(&rest[1..], usize::MAX);
    let count = match digits {
        Some(digits) if found < digits => return Err(Misfit::Shape),
        Some(digits) => digits,
        None => found,
    };
    let (digits, after) = rest[1..].split_at(count);
    let nanos: Vec<u8> = digits.iter().copied().chain(std::iter::repeat(b'0')).take(9).collect();
    *rest = after;
    whole(&nanos).ok_or(Misfit::Shape)
}

fn offset(rest: &mut &[u8], form: ZoneForm) -> Result<Seen, Misfit> {
    if form.z && rest.starts_with(b"Z") {
        *rest = &rest[1..];
        return Ok(Seen::Utc);
    }
    let mut at = *rest;
    let sign = match at.first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Err(Misfit::Shape),
    };
    at = &at[1..];
    let hours = take_digits(&mut at, 2)?;
    let mut parts = [0, 0];
    for (part, wanted) in parts.iter_mut().zip([form.minutes, form.seconds]) {
        if wanted {
            if form.colon {
                at = at.strip_prefix(b":").ok_or(Misfit::Shape)?;
            }
            *part = take_digits(&mut at, 2)?;
        }
    }
    bounded(hours, 0..25, "time zone offset hour")?;
    bounded(parts[0], 0..61, "time zone offset minute")?;
    bounded(parts[1], 0..61, "time zone offset second")?;
    *rest = at;
    let seconds = sign * (hours * 3600 + parts[0] * 60 + parts[1]);
    Ok(Seen::Offset(seconds))
}

/// `UTC`, three to five capitals, or a signed number.
fn zone_name(rest: &mut &[u8]) -> Result<Seen, Misfit> {
    if let Some(after) = rest.strip_prefix(b"UTC") {
        *rest = after;
        return Ok(Seen::Utc);
    }
    let len = zone_name_len(rest).ok_or(Misfit::Shape)?;
    let (name, after) = rest.split_at(len);
    *rest = after;
    Ok(Seen::Name(String::from_utf8_lossy(name).into_owned()))
}

/// The length of `+3` and its like, up to 23 hours.
fn signed_hours_len(text: &[u8]) -> Option<usize> {
    let (b'+' | b'-', after) = text.split_first()? else { return None };
    let count = count_digits(after, usize::MAX);
    let hours = whole(&after[..count]).filter(|_| count > 0)?;
    (hours <= 23).then_some(1 + count)
}

fn zone_name_len(text: &[u8]) -> Option<usize> {
    if text.len() < 3 {
        return None;
    }
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") {
        return Some(4);
    }
    if let Some(after) = text.strip_prefix(b"GMT") {
        return Some(3 + signed_hours_len(after).unwrap_or(0));
    }
    if matches!(text[0], b'+' | b'-') {
        return signed_hours_len(text);
    }
    match text.iter().take(6).take_while(|byte| byte.is_ascii_uppercase()).count() {
        5 if text[4] == b'T' => Some(5),
        4 if text[3] == b'T' || text.starts_with(b"WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(layout: &[u8], text: &[u8]) -> Result<String, String> {
        parse(layout, text, &TimeZone::UTC).map(|moment| moment.format("2006-01-02 15:04:05.000 MST"))
    }

    #[test]
    fn what_is_no_text_is_read_and_quoted_byte_by_byte() {
        let words = "parsing time \"\\xff1\" as \"2006\": cannot parse \"\\xff1\" as \"2006\"";
        assert_eq!(parsed(b"2006", b"\xff1").expect_err("no year"), words);
        let words = "parsing time \"2006\\xfe\" as \"2006\\xff\": cannot parse \"\\xfe\" as \"\\xff\"";
        assert_eq!(parsed(b"2006\xff", b"2006\xfe").expect_err("another byte"), words);
        assert_eq!(parsed(b"\xff2006", b"\xff2024").as_deref(), Ok("2024-01-01 00:00:00.000 UTC"));
        let words = "parsing time \"2024\\xc3\\xa4\": extra text: \"\\xc3\\xa4\"";
        assert_eq!(parsed(b"2006", "2024ä".as_bytes()).expect_err("more than a year"), words);
    }

    #[test]
    fn names_of_zones_end_where_go_ends_them() {
        assert_eq!(parsed(b"15 MST", b"07 GMT+3").as_deref(), Ok("0000-01-01 10:00:00.000 GMT+3"));
        assert_eq!(parsed(b"15 MST", b"07 +03").as_deref(), Ok("0000-01-01 07:00:00.000 +03"));
        assert!(parsed(b"15 MST", b"07 +24").is_err());
        assert_eq!(parsed(b"05.000", b"09.125").as_deref(), Ok("0000-01-01 00:00:09.125 UTC"));
    }
}
