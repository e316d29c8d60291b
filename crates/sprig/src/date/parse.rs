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
pub(super) fn parse(layout: &str, text: &str, local: &TimeZone) -> Result<Moment, String> {
    let mut found = Found::default();
    let mut rest = text;
    let cannot = |rest: &str, element: &str| {
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
fn skip(rest: &mut &str, literal: &str) -> Result<(), Misfit> {
    let mut literal = literal;
    while let Some(c) = literal.chars().next() {
        if c == ' ' {
            if !rest.is_empty() && !rest.starts_with(' ') {
                return Err(Misfit::Shape);
            }
            literal = literal.trim_start_matches(' ');
            *rest = rest.trim_start_matches(' ');
            continue;
        }
        *rest = rest.strip_prefix(c).ok_or(Misfit::Shape)?;
        literal = &literal[c.len_utf8()..];
    }
    Ok(())
}

/// One or two digits; with `fixed` two.
fn number(rest: &mut &str, fixed: bool) -> Result<i64, Misfit> {
    let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
    if digits == 0 || (fixed && digits == 1) {
        return Err(Misfit::Shape);
    }
    take_digits(rest, digits)
}

fn take_digits(rest: &mut &str, count: usize) -> Result<i64, Misfit> {
    let digits = rest.get(..count).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit())).ok_or(Misfit::Shape)?;
    *rest = &rest[count..];
    digits.parse().map_err(|_| Misfit::Shape)
}

/// One of a list of names, whatever its case; its place from 0.
fn name(rest: &mut &str, names: &[&str], len: Option<usize>) -> Result<usize, Misfit> {
    for (at, name) in names.iter().enumerate() {
        let name = &name[..len.unwrap_or(name.len())];
        if rest.get(..name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name)) {
            *rest = &rest[name.len()..];
            return Ok(at);
        }
    }
    Err(Misfit::Shape)
}

impl Found {
    fn take(&mut self, part: Part<'_>, rest: &mut &str, fraction_follows: bool) -> Result<(), Misfit> {
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
                    *rest = rest.strip_prefix(' ').unwrap_or(rest);
                }
                self.day = Some(number(rest, part == Part::ZeroDay)?);
            }
            Part::UnderYearDay | Part::ZeroYearDay => {
                if part == Part::UnderYearDay {
                    for _ in 0..2 {
                        *rest = rest.strip_prefix(' ').unwrap_or(rest);
                    }
                }
                let digits = rest.bytes().take(3).take_while(u8::is_ascii_digit).count();
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
                let (am, pm) = if part == Part::UpperPm { ("AM", "PM") } else { ("am", "pm") };
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
                // A name that is not known here means nothing but for GMT+3.
                let hours = name.strip_prefix("GMT").and_then(|hours| hours.parse::<i32>().ok()).unwrap_or(0);
                let offset = Offset::from_seconds(hours * 3600).map_err(|_| "time zone offset")?;
                Moment::new(in_zone(&TimeZone::fixed(offset))?, Zone::Fixed(offset, name))
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

fn begins_fraction(rest: &str) -> bool {
    rest.starts_with(['.', ',']) && rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit)
}

/// A separator and digits: nanoseconds.
fn fraction(rest: &mut &str, digits: Option<usize>) -> Result<i64, Misfit> {
    if !rest.starts_with(['.', ',']) {
        return Err(Misfit::Shape);
    }
    let found = rest.bytes().skip(1).take_while(u8::is_ascii_digit).count();
    let count = match digits {
        Some(digits) if found < digits => return Err(Misfit::Shape),
        Some(digits) => digits,
        None => found,
    };
    let text = &rest[1..1 + count];
    let nanos: String = text.chars().chain(std::iter::repeat('0')).take(9).collect();
    *rest = &rest[1 + count..];
    nanos.parse().map_err(|_| Misfit::Shape)
}

fn offset(rest: &mut &str, form: ZoneForm) -> Result<Seen, Misfit> {
    if form.z && rest.starts_with('Z') {
        *rest = &rest[1..];
        return Ok(Seen::Utc);
    }
    let mut at = *rest;
    let sign = match at.as_bytes().first() {
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
                at = at.strip_prefix(':').ok_or(Misfit::Shape)?;
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
fn zone_name(rest: &mut &str) -> Result<Seen, Misfit> {
    if let Some(after) = rest.strip_prefix("UTC") {
        *rest = after;
        return Ok(Seen::Utc);
    }
    let len = zone_name_len(rest).ok_or(Misfit::Shape)?;
    let (name, after) = rest.split_at(len);
    *rest = after;
    Ok(Seen::Name(name.to_owned()))
}

fn zone_name_len(text: &str) -> Option<usize> {
    if text.len() < 3 {
        return None;
    }
    if text.starts_with("ChST") || text.starts_with("MeST") {
        return Some(4);
    }
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    if let Some(after) = text.strip_prefix("GMT") {
        let count = after.strip_prefix(['+', '-']).map_or(0, digits);
        let valid = count > 0 && after[..=count].parse::<i32>().is_ok_and(|hours| (-23..=23).contains(&hours));
        return Some(if valid { 4 + count } else { 3 });
    }
    if let Some(after) = text.strip_prefix(['+', '-']) {
        return Some(digits(after)).filter(|count| *count > 0).map(|count| count + 1);
    }
    match text.bytes().take(6).take_while(u8::is_ascii_uppercase).count() {
        5 if text.as_bytes()[4] == b'T' => Some(5),
        4 if text.as_bytes()[3] == b'T' || text.starts_with("WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}
