//! Cron schedules as `robfig/cron` reads them: five fields, names, steps, `@hourly`, `@every`.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// When something happens again and again: a cron job, the beginning of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// At the minutes that all fields take in.
    Fields(Box<Fields>),
    /// Again and again after this time.
    Every(SignedDuration),
}

/// Which minutes, hours, days, months and weekdays, as bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    minute: u64,
    hour: u64,
    day: u64,
    month: u64,
    weekday: u64,
    any_day: bool,
    any_weekday: bool,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Schedule {
    /// Reads a schedule; `None` for one that cannot be read.
    pub fn parse(written: &str) -> Option<Self> {
        let written = written.trim();
        let fields = match written {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            _ => {
                if let Some(every) = written.strip_prefix("@every ") {
                    let every = go_duration(every)?;
                    return (every >= SignedDuration::from_secs(1)).then_some(Self::Every(every));
                }
                written
            }
        };
        let parts: Vec<&str> = fields.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = parts.as_slice() else { return None };
        let star = |part: &str| part.split(',').any(|p| matches!(p.split('/').next(), Some("*" | "?")));
        let mut weekdays = field(weekday, 0, 7, &WEEKDAYS)?;
        if weekdays & (1 << 7) != 0 {
            weekdays |= 1;
        }
        Some(Self::Fields(Box::new(Fields {
            minute: field(minute, 0, 59, &[])?,
            hour: field(hour, 0, 23, &[])?,
            day: field(day, 1, 31, &[])?,
            month: field(month, 1, 12, &MONTHS)?,
            weekday: weekdays,
            any_day: star(day),
            any_weekday: star(weekday),
        })))
    }

    /// The first time after `after`.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Every(every) => after.checked_add(*every).ok(),
            Self::Fields(fields) => fields.next(after, zone),
        }
    }
}

/// Reads a Go duration: `500ms`, `2s`, `1h30m`.
pub fn go_duration(written: &str) -> Option<SignedDuration> {
    let units = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'h' | 'm' | 's' | 'u' | 'n' | 'µ');
    let begins = written.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if !begins || !written.chars().all(units) {
        return None;
    }
    written.parse().ok()
}

/// One field as bits; steps, ranges, lists, names.
fn field(written: &str, least: u32, most: u32, names: &[&str]) -> Option<u64> {
    let number = |text: &str| -> Option<u32> {
        let lower = text.to_ascii_lowercase();
        let named = names.iter().position(|n| *n == lower).and_then(|i| u32::try_from(i).ok());
        named.map(|index| index + least).or_else(|| text.parse().ok())
    };
    let mut bits = 0_u64;
    for part in written.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<u32>().ok().filter(|s| *s > 0)?),
            None => (part, 1),
        };
        let (first, last) = match range {
            "*" | "?" => (least, if most == 7 { 6 } else { most }),
            _ => match range.split_once('-') {
                Some((first, last)) => (number(first)?, number(last)?),
                None if part.contains('/') => (number(range)?, most),
                None => (number(range)?, number(range)?),
            },
        };
        if first < least || last > most || first > last {
            return None;
        }
        for value in (first..=last).step_by(usize::try_from(step).ok()?) {
            bits |= 1 << value;
        }
    }
    (bits != 0).then_some(bits)
}

impl Fields {
    fn takes_day(&self, at: DateTime) -> bool {
        let day = self.day & (1 << at.day()) != 0;
        let weekday = self.weekday & (1 << at.weekday().to_sunday_zero_offset()) != 0;
        // A star in one of the two leaves the other to decide; else either is enough.
        if self.any_day || self.any_weekday { day && weekday } else { day || weekday }
    }

    fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut at = after.to_zoned(zone.clone()).datetime();
        at = at.with().second(0).subsec_nanosecond(0).build().ok()?.checked_add(1.minute()).ok()?;
        let end = at.checked_add(5.years()).ok()?;
        while at < end {
            if self.month & (1 << at.month()) == 0 {
                at = at.first_of_month().with().hour(0).minute(0).build().ok()?.checked_add(1.month()).ok()?;
            } else if !self.takes_day(at) {
                at = at.with().hour(0).minute(0).build().ok()?.checked_add(1.day()).ok()?;
            } else if self.hour & (1 << at.hour()) == 0 {
                at = at.with().minute(0).build().ok()?.checked_add(1.hour()).ok()?;
            } else if self.minute & (1 << at.minute()) == 0 {
                at = at.checked_add(1.minute()).ok()?;
            } else {
                let found = zone.to_ambiguous_zoned(at).compatible().ok()?.timestamp();
                if found > after {
                    return Some(found);
                }
                at = at.checked_add(1.minute()).ok()?;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, after: &str, zone: &str) -> String {
        let zone = TimeZone::get(zone).expect("a known zone");
        let after = after.parse().expect("an instant");
        Schedule::parse(schedule)
            .and_then(|s| s.next(after, &zone))
            .map_or_else(|| "never".to_owned(), |t| t.to_string())
    }

    #[test]
    fn schedules_find_their_next_minute() {
        let at = "2026-01-01T10:07:30Z";
        assert_eq!(next("*/5 * * * *", at, "UTC"), "2026-01-01T10:10:00Z");
        assert_eq!(next("0 3 * * *", at, "UTC"), "2026-01-02T03:00:00Z");
        assert_eq!(next("0 0 * * mon-fri", "2026-01-02T10:00:00Z", "UTC"), "2026-01-05T00:00:00Z");
        assert_eq!(next("0 0 31 2 *", at, "UTC"), "never");
        assert_eq!(next("0 0 1,15 * 5", at, "UTC"), "2026-01-02T00:00:00Z");
        assert_eq!(next("@hourly", at, "UTC"), "2026-01-01T11:00:00Z");
        assert_eq!(next("@every 90s", at, "UTC"), "2026-01-01T10:09:00Z");
        assert_eq!(next("0 9 * * *", at, "Europe/Berlin"), "2026-01-02T08:00:00Z");
    }

    #[test]
    fn durations_are_gos() {
        assert_eq!(go_duration("1h30m"), Some(SignedDuration::from_secs(5400)));
        assert_eq!(go_duration("90m"), Some(SignedDuration::from_secs(5400)));
        assert_eq!(go_duration("1.5h"), Some(SignedDuration::from_secs(5400)));
        assert_eq!(go_duration("500ms"), Some(SignedDuration::from_millis(500)));
        for wrong in ["", "2", "1d", "1h 30m", "1 hour", "-1h", "PT1H"] {
            assert_eq!(go_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for wrong in ["", "* * * *", "61 * * * *", "*/0 * * * *", "5-1 * * * *", "a * * * *", "@often", "@every 1ms"] {
            assert_eq!(Schedule::parse(wrong), None, "{wrong}");
        }
    }
}
