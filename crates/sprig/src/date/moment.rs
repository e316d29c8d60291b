//! A `time.Time` in a template.

use std::borrow::Cow;
use std::io::Write as _;

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};
use landfall_gotemplate::{CallCtx, Data, FuncError, Host, HostKind, List, Signature, Str, Type, Value};

use super::layout::{Part, parts};
use crate::context::Context;
use crate::duration::Duration;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Go's zero time: the first second of the year 1, in UTC.
const ZERO: i64 = -62_135_596_800;
/// From where Go counts the seconds of a time that has a monotonic reading: the first second of 1885.
const WALL: i64 = -2_682_288_000;

/// A moment seen in a zone.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) at: Timestamp,
    pub(crate) zone: Zone,
    /// The monotonic clock's reading, in nanoseconds since the program began; only a time that `now` told has one.
    pub(crate) running: Option<i64>,
}

/// Where a moment is seen from.
#[derive(Debug, Clone)]
pub(crate) enum Zone {
    /// Go's `time.UTC`.
    Utc,
    /// A place with its rules: the machine's, whichever that is.
    Place(TimeZone),
    /// An offset with a name, which may be empty.
    Fixed(Offset, String),
}

impl Zone {
    pub(crate) const UTC: Zone = Zone::Utc;

    fn rules(&self) -> TimeZone {
        match self {
            Self::Utc => TimeZone::UTC,
            Self::Place(zone) => zone.clone(),
            Self::Fixed(offset, _) => TimeZone::fixed(*offset),
        }
    }
}

impl Moment {
    pub(crate) fn new(at: Timestamp, zone: Zone) -> Self {
        Self { at, zone, running: None }
    }

    /// Seconds since 1970; beyond the years that can be counted, the nearest that can.
    pub(crate) fn unix(seconds: i64, zone: Zone) -> Self {
        let limit = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Self::new(Timestamp::from_second(seconds).unwrap_or(limit), zone)
    }

    pub(crate) fn zero() -> Self {
        Self::unix(ZERO, Zone::UTC)
    }

    pub(crate) fn seen(&self) -> Zoned {
        self.at.to_zoned(self.zone.rules())
    }

    /// Moved by nanoseconds; the monotonic reading goes along.
    pub(crate) fn moved(&self, nanos: i64) -> Self {
        let limit = if nanos < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let at = self.at.checked_add(jiff::SignedDuration::from_nanos(nanos)).unwrap_or(limit);
        Self { at, zone: self.zone.clone(), running: self.running.map(|running| running.saturating_add(nanos)) }
    }

    /// The same without the monotonic reading.
    fn settled(self) -> Self {
        Self { running: None, ..self }
    }

    /// Nanoseconds from `earlier` to this moment, by the monotonic clock where it told both.
    pub(crate) fn since(&self, earlier: &Self) -> i64 {
        if let (Some(now), Some(then)) = (self.running, earlier.running) {
            return now.saturating_sub(then);
        }
        let nanos = self.at.as_nanosecond() - earlier.at.as_nanosecond();
        i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
    }

    fn zone_name(&self) -> String {
        match &self.zone {
            Zone::Utc => "UTC".to_owned(),
            Zone::Place(zone) => zone.to_offset_info(self.at).abbreviation().to_owned(),
            Zone::Fixed(_, name) => name.clone(),
        }
    }

    /// By a layout that is text.
    pub(crate) fn format(&self, layout: &str) -> String {
        String::from_utf8_lossy(&self.written(layout.as_bytes())).into_owned()
    }

    /// Go's `Time.Format`; bytes that are no text stand for themselves.
    pub(super) fn written(&self, layout: &[u8]) -> Vec<u8> {
        let seen = self.seen();
        let offset = seen.offset().seconds();
        let hour12 = match seen.hour() % 12 {
            0 => 12,
            hour => hour,
        };
        let month = MONTHS[usize::from(seen.month().unsigned_abs() - 1).min(11)];
        let weekday = WEEKDAYS[usize::from(seen.weekday().to_sunday_zero_offset().unsigned_abs())];
        let afternoon = seen.hour() >= 12;
        let mut out = Vec::with_capacity(layout.len() + 8);
        for (part, _) in parts(layout) {
            let written = match part {
                Part::Literal(text) => out.write_all(text),
                Part::LongMonth => out.write_all(month.as_bytes()),
                Part::Month => out.write_all(&month.as_bytes()[..3]),
                Part::MonthNumber => write!(out, "{}", seen.month()),
                Part::ZeroMonth => write!(out, "{:02}", seen.month()),
                Part::LongWeekday => out.write_all(weekday.as_bytes()),
                Part::Weekday => out.write_all(&weekday.as_bytes()[..3]),
                Part::Day => write!(out, "{}", seen.day()),
                Part::UnderDay => write!(out, "{:2}", seen.day()),
                Part::ZeroDay => write!(out, "{:02}", seen.day()),
                Part::UnderYearDay => write!(out, "{:3}", seen.day_of_year()),
                Part::ZeroYearDay => write!(out, "{:03}", seen.day_of_year()),
                Part::Hour => write!(out, "{:02}", seen.hour()),
                Part::Hour12 => write!(out, "{hour12}"),
                Part::ZeroHour12 => write!(out, "{hour12:02}"),
                Part::Minute => write!(out, "{}", seen.minute()),
                Part::ZeroMinute => write!(out, "{:02}", seen.minute()),
                Part::Second => write!(out, "{}", seen.second()),
                Part::ZeroSecond => write!(out, "{:02}", seen.second()),
                Part::LongYear => write!(out, "{:04}", seen.year()),
                Part::Year => write!(out, "{:02}", seen.year().rem_euclid(100)),
                Part::UpperPm => out.write_all((if afternoon { "PM" } else { "AM" }).as_bytes()),
                Part::LowerPm => out.write_all((if afternoon { "pm" } else { "am" }).as_bytes()),
                Part::Zone(form) if form.z && offset == 0 => out.write_all(b"Z"),
                Part::Zone(form) => {
                    let sign = if offset < 0 { '-' } else { '+' };
                    let colon = if form.colon { ":" } else { "" };
                    let size = offset.unsigned_abs();
                    let mut text = format!("{sign}{:02}", size / 3600);
                    if form.minutes {
                        text.push_str(&format!("{colon}{:02}", size / 60 % 60));
                    }
                    if form.seconds {
                        text.push_str(&format!("{colon}{:02}", size % 60));
                    }
                    out.write_all(text.as_bytes())
                }
                Part::ZoneName => match self.zone_name() {
                    name if name.is_empty() => {
                        let sign = if offset < 0 { '-' } else { '+' };
                        let minutes = offset.unsigned_abs() / 60;
                        write!(out, "{sign}{:02}{:02}", minutes / 60, minutes % 60)
                    }
                    name => out.write_all(name.as_bytes()),
                },
                Part::Fraction(separator, digits) => {
                    let nanos = format!("{:09}", seen.subsec_nanosecond());
                    let shown: String = nanos.chars().chain(std::iter::repeat('0')).take(digits).collect();
                    write!(out, "{separator}{shown}")
                }
                Part::FractionTrimmed(separator, digits) => {
                    let nanos = format!("{:09}", seen.subsec_nanosecond());
                    match nanos[..digits.min(9)].trim_end_matches('0') {
                        "" => Ok(()),
                        shown => write!(out, "{separator}{shown}"),
                    }
                }
            };
            written.expect("writing to memory cannot fail");
        }
        out
    }

    /// Go's `Time.AddDate`: days that a month does not have run over into the next.
    fn add_date(&self, years: i64, months: i64, days: i64) -> Self {
        let seen = self.seen();
        let month = i64::from(seen.month()) - 1 + months.clamp(-200_000, 200_000);
        let year = i64::from(seen.year()) + years.clamp(-20_000, 20_000) + month.div_euclid(12);
        let year = i16::try_from(year.clamp(-9999, 9999)).unwrap_or(9999);
        let first = jiff::civil::date(year, month.rem_euclid(12) as i8 + 1, 1);
        let ahead = jiff::Span::new().try_days(i64::from(seen.day()) - 1 + days.clamp(-7_000_000, 7_000_000));
        let date = ahead.ok().and_then(|ahead| first.checked_add(ahead).ok()).unwrap_or(first);
        let at = date.to_datetime(seen.time()).to_zoned(self.zone.rules());
        Self::new(at.map_or(self.at, |at| at.timestamp()), self.zone.clone())
    }
}

pub(crate) const TIME: Type = Type::Host("time.Time");
const DURATION: Type = Type::Host("time.Duration");

/// Go's `time.Month` and `time.Weekday`: a number with a name.
#[derive(Debug)]
struct Named {
    type_name: &'static str,
    number: i64,
    name: &'static str,
}

impl Host for Named {
    fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed(self.type_name)
    }

    fn kind(&self) -> HostKind {
        HostKind::Defined
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::int(self.number))
    }

    fn text(&self) -> Option<Str> {
        Some(Str::from(self.name))
    }

    fn method(&self, name: &str) -> Option<Signature> {
        (name == "String").then(|| Signature::fixed(&[]))
    }

    fn call(&self, _: &str, _: &[Value], _: &mut CallCtx<'_>) -> Result<Value, FuncError> {
        Ok(Value::from(self.name))
    }
}

/// Where a moment is seen from, as a field of its own: a pointer that leads nowhere where that is UTC.
#[derive(Debug)]
struct Location(Zone);

impl Host for Location {
    fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed("*time.Location")
    }

    fn kind(&self) -> HostKind {
        HostKind::Pointer
    }

    fn is_nil(&self) -> bool {
        matches!(self.0, Zone::Utc)
    }

    /// As Go keeps a place without rules (`name`, `zone`, `tx`, `extend` and what it remembers of the last look-up); the tables of
    /// one that has some are not told.
    fn unexported(&self) -> Vec<(Cow<'static, str>, Value)> {
        let name = match &self.0 {
            Zone::Utc => "UTC",
            Zone::Place(zone) => zone.iana_name().unwrap_or("Local"),
            Zone::Fixed(_, name) => name,
        };
        let none = || Value::from(List::nil(Type::Any));
        vec![
            (Cow::Borrowed("name"), Value::from(name)),
            (Cow::Borrowed("zone"), none()),
            (Cow::Borrowed("tx"), none()),
            (Cow::Borrowed("extend"), Value::from("")),
            (Cow::Borrowed("cacheStart"), Value::int64(0)),
            (Cow::Borrowed("cacheEnd"), Value::int64(0)),
            (Cow::Borrowed("cacheZone"), Value::nil()),
        ]
    }
}

impl Host for Moment {
    fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed("time.Time")
    }

    fn text(&self) -> Option<Str> {
        let mut text = self.format("2006-01-02 15:04:05.999999999 -0700 MST");
        if let Some(running) = self.running {
            let sign = if running < 0 { '-' } else { '+' };
            let (seconds, nanos) = (running.unsigned_abs() / 1_000_000_000, running.unsigned_abs() % 1_000_000_000);
            text.push_str(&format!(" m={sign}{seconds}.{nanos:09}"));
        }
        Some(Str::from(&*text))
    }

    fn json(&self) -> Option<String> {
        Some(format!("\"{}\"", self.format("2006-01-02T15:04:05.999999999Z07:00")))
    }

    /// `wall` holds the nanoseconds, and for a time that `now` told the seconds since 1885 and that there is a monotonic reading,
    /// which is in `ext` then; otherwise `ext` holds the seconds since the year 1 (Go: `time.Time`).
    fn unexported(&self) -> Vec<(Cow<'static, str>, Value)> {
        let second = self.at.as_nanosecond().div_euclid(1_000_000_000) as i64;
        let nanos = self.at.as_nanosecond().rem_euclid(1_000_000_000) as u64;
        let (wall, ext) = match self.running {
            Some(running) => (1 << 63 | ((second - WALL) as u64) << 30 | nanos, running),
            None => (nanos, second - ZERO),
        };
        vec![
            (Cow::Borrowed("wall"), Value::from(Data::Uint64(wall))),
            (Cow::Borrowed("ext"), Value::int64(ext)),
            (Cow::Borrowed("loc"), Value::host(Location(self.zone.clone()))),
        ]
    }

    fn method(&self, name: &str) -> Option<Signature> {
        Some(match name {
            "Year" | "Month" | "Day" | "Hour" | "Minute" | "Second" | "Nanosecond" | "Weekday" | "YearDay" | "Unix"
            | "UnixMilli" | "UnixMicro" | "UnixNano" | "UTC" | "Local" | "String" | "IsZero" => Signature::fixed(&[]),
            "Format" => Signature::fixed(&[Type::String]),
            "Add" | "Truncate" | "Round" => Signature::fixed(&[DURATION]),
            "Sub" | "After" | "Before" | "Equal" | "Compare" => Signature::fixed(&[TIME]),
            "AddDate" => Signature::fixed(&[Type::Int, Type::Int, Type::Int]),
            _ => return None,
        })
    }

    fn call(&self, name: &str, args: &[Value], ctx: &mut CallCtx<'_>) -> Result<Value, FuncError> {
        let seen = self.seen();
        let int = |number: i64| Value::int(number);
        let other = || args.first().and_then(Value::as_host::<Moment>).cloned().unwrap_or_else(Moment::zero);
        let nanos = || args.first().and_then(Value::as_host::<Duration>).map_or(0, |duration| duration.0);
        let whole = |at: usize| args.get(at).and_then(Value::as_i64).unwrap_or(0);
        let order = || self.at.cmp(&other().at);
        let since_zero = || self.at.as_nanosecond() - i128::from(ZERO) * 1_000_000_000;
        Ok(match name {
            "Year" => int(seen.year().into()),
            "Month" => Value::host(Named {
                type_name: "time.Month",
                number: seen.month().into(),
                name: MONTHS[usize::from(seen.month().unsigned_abs() - 1).min(11)],
            }),
            "Day" => int(seen.day().into()),
            "Hour" => int(seen.hour().into()),
            "Minute" => int(seen.minute().into()),
            "Second" => int(seen.second().into()),
            "Nanosecond" => int(seen.subsec_nanosecond().into()),
            "Weekday" => {
                let number = seen.weekday().to_sunday_zero_offset();
                let name = WEEKDAYS[usize::from(number.unsigned_abs())];
                Value::host(Named { type_name: "time.Weekday", number: number.into(), name })
            }
            "YearDay" => int(seen.day_of_year().into()),
            "Unix" => Value::int64(self.at.as_second()),
            "UnixMilli" => Value::int64(self.at.as_millisecond()),
            "UnixMicro" => Value::int64(self.at.as_microsecond()),
            "UnixNano" => Value::int64(self.at.as_nanosecond() as i64),
            "UTC" => Value::host(Moment::new(self.at, Zone::UTC)),
            "Local" => Value::host(Moment::new(self.at, Zone::Place(Context::of(ctx)?.zone))),
            "String" => Value::from(self.text().unwrap_or_else(|| Str::from(""))),
            "IsZero" => Value::from(since_zero() == 0),
            "Format" => {
                let layout = args.first().and_then(Value::as_str);
                Value::str(self.written(layout.map_or(&[][..], |layout| layout.as_bytes())))
            }
            "Add" => Value::host(self.moved(nanos())),
            "Truncate" | "Round" if nanos() <= 0 => Value::host(self.clone().settled()),
            "Truncate" => Value::host(self.moved(-(since_zero().rem_euclid(nanos().into()) as i64)).settled()),
            "Round" => {
                let rest = since_zero().rem_euclid(nanos().into()) as i64;
                Value::host(self.moved(if rest < nanos() - rest { -rest } else { nanos() - rest }).settled())
            }
            "Sub" => Value::host(Duration(self.since(&other()))),
            "After" => Value::from(order().is_gt()),
            "Before" => Value::from(order().is_lt()),
            "Equal" => Value::from(order().is_eq()),
            "Compare" => Value::from(Data::Int(order() as i64)),
            "AddDate" => Value::host(self.add_date(whole(0), whole(1), whole(2))),
            _ => return Err(FuncError::new(format!("{name} is not a method"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_is_printed_as_no_text_shows_its_fields() {
        let shown = |moment: Moment, verb: &str| {
            let printed = landfall_gotemplate::format::sprintf(verb.as_bytes(), &[Value::host(moment)]);
            String::from_utf8_lossy(&printed).into_owned()
        };
        assert_eq!(shown(Moment::zero(), "%d"), "{0 0 0}");
        assert_eq!(shown(Moment::zero(), "%t"), "{%!t(uint64=0) %!t(int64=0) %!t(*time.Location=<nil>)}");
        let here = Moment { zone: Zone::Place(TimeZone::UTC), ..Moment::zero() };
        assert_eq!(shown(here, "%U"), "{U+0000 U+0000 %!U(*time.Location=&{UTC [] []  0 0 <nil>})}");
        let later = Moment::unix(1_451_606_400, Zone::UTC).moved(1);
        assert_eq!(shown(later.clone(), "%+d"), "{+1 +63587203200 +0}");
        let told = Moment { running: Some(7), ..later };
        assert_eq!(shown(told, "%d"), format!("{{{} 7 0}}", 1_u64 << 63 | (1_451_606_400 + 2_682_288_000) << 30 | 1));
    }

    #[test]
    fn a_time_that_now_told_says_how_long_the_program_has_been_running() {
        let now = Moment { running: Some(211_181_927), ..Moment::unix(0, Zone::UTC) };
        let said = |moment: &Moment| moment.text().expect("text").to_string_lossy().into_owned();
        assert_eq!(said(&now), "1970-01-01 00:00:00 +0000 UTC m=+0.211181927");
        assert_eq!(said(&now.moved(-2_000_000_000)), "1969-12-31 23:59:58 +0000 UTC m=-1.788818073");
        assert_eq!(said(&now.add_date(0, 0, 1)), "1970-01-02 00:00:00 +0000 UTC");
        assert_eq!(said(&now.clone().settled()), "1970-01-01 00:00:00 +0000 UTC");
        assert_eq!(now.moved(5).since(&now), 5);
    }
}
