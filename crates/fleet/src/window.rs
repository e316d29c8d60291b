//! When upgrades may begin: maintenance windows, a function of time and of nothing else.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// A time of some days in which upgrades may begin, such as `mon,tue 22:00 4h Europe/Berlin`. Stored as that text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window {
    days: Vec<Weekday>,
    start: Time,
    minutes: i64,
    zone: TimeZone,
    text: String,
}

/// All the windows of a campaign; without any, it is always time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Windows(pub Vec<Window>);

/// A window that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no window: {why}; write DAYS START DURATION [ZONE], as in `mon,tue 22:00 4h Europe/Berlin` or `daily 01:30 90m`"
)]
pub struct BadWindow {
    text: String,
    why: &'static str,
}

impl Window {
    /// Reads a window: days (`daily`, or some of `mon` to `sun` with commas), when it opens, for how long (`4h`, `90m`, at most a
    /// day), and in which time zone (UTC if not said).
    ///
    /// # Errors
    /// When a piece is missing or cannot be read, or the zone is not known on this machine.
    pub fn parse(text: &str) -> Result<Self, BadWindow> {
        let bad = |why| BadWindow { text: text.to_owned(), why };
        let mut words = text.split_whitespace();
        let days = match words.next().ok_or_else(|| bad("it is empty"))? {
            "daily" => Weekday::Monday.cycle_forward().take(7).collect(),
            days => days.split(',').map(weekday).collect::<Option<Vec<_>>>().ok_or_else(|| bad("its days are none"))?,
        };
        let start = words.next().ok_or_else(|| bad("it does not say when it opens"))?;
        let start = Time::strptime("%H:%M", start).map_err(|_| bad("it does not say when it opens"))?;
        let duration = words.next().ok_or_else(|| bad("it does not say for how long"))?;
        let minutes = minutes(duration).ok_or_else(|| bad("its duration is none"))?;
        let zone = match words.next() {
            Some(zone) => TimeZone::get(zone).map_err(|_| bad("its time zone is not known"))?,
            None => TimeZone::UTC,
        };
        match words.next() {
            Some(_) => Err(bad("there is more than a window")),
            None => Ok(Self { days, start, minutes, zone, text: text.to_owned() }),
        }
    }

    /// When it opens and closes around or next after a time.
    fn next(&self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let today = now.to_zoned(self.zone.clone()).date();
        (-1..=8).find_map(|offset| {
            let day = today.checked_add(Span::new().days(offset)).ok()?;
            if !self.days.contains(&day.weekday()) {
                return None;
            }
            let opens = day.to_datetime(self.start).to_zoned(self.zone.clone()).ok()?.timestamp();
            let closes = opens.checked_add(Span::new().minutes(self.minutes)).ok()?;
            (closes > now).then_some((opens, closes))
        })
    }
}

impl Windows {
    /// Until when it is time (seconds since 1970), if it is; `i64::MAX` where there is no window.
    #[must_use]
    pub fn open_until(&self, now: i64) -> Option<i64> {
        if self.0.is_empty() {
            return Some(i64::MAX);
        }
        self.spans(now).filter(|(opens, _)| *opens <= now).map(|(_, closes)| closes).max()
    }

    /// When it is time next, if it is not.
    #[must_use]
    pub fn opens_at(&self, now: i64) -> Option<i64> {
        self.spans(now).map(|(opens, _)| opens).min()
    }

    fn spans(&self, now: i64) -> impl Iterator<Item = (i64, i64)> {
        let now = Timestamp::from_second(now).unwrap_or(Timestamp::UNIX_EPOCH);
        self.0
            .iter()
            .filter_map(move |window| window.next(now))
            .map(|(opens, closes)| (opens.as_second(), closes.as_second()))
    }
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text {
        "mon" => Weekday::Monday,
        "tue" => Weekday::Tuesday,
        "wed" => Weekday::Wednesday,
        "thu" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "sat" => Weekday::Saturday,
        "sun" => Weekday::Sunday,
        _ => return None,
    })
}

fn minutes(text: &str) -> Option<i64> {
    let (number, factor) = match text.strip_suffix('h') {
        Some(hours) => (hours, 60),
        None => (text.strip_suffix('m')?, 1),
    };
    let minutes = number.parse::<i64>().ok()?.checked_mul(factor)?;
    (1..=24 * 60).contains(&minutes).then_some(minutes)
}

impl TryFrom<String> for Window {
    type Error = BadWindow;
    fn try_from(text: String) -> Result<Self, BadWindow> {
        Self::parse(&text)
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        window.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("a time").as_second()
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_opens() {
        let windows = Windows(vec![Window::parse("fri 22:00 4h Europe/Berlin").expect("a window")]);
        // Friday 2026-06-05, 22:00 in Berlin is 20:00 UTC.
        assert_eq!(windows.open_until(at("2026-06-05T19:59:59Z")), None);
        assert_eq!(windows.opens_at(at("2026-06-05T19:59:59Z")), Some(at("2026-06-05T20:00:00Z")));
        assert_eq!(windows.open_until(at("2026-06-05T20:00:00Z")), Some(at("2026-06-06T00:00:00Z")));
        assert_eq!(windows.open_until(at("2026-06-05T23:59:59Z")), Some(at("2026-06-06T00:00:00Z")));
        assert_eq!(windows.open_until(at("2026-06-06T00:00:00Z")), None);
    }

    #[test]
    fn without_windows_it_is_always_time() {
        assert_eq!(Windows::default().open_until(0), Some(i64::MAX));
        assert_eq!(Windows::default().opens_at(0), None);
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in [
            "",
            "mon",
            "mon 25:00 1h",
            "mon 22:00 25h",
            "mon 22:00 0m",
            "xyz 22:00 1h",
            "mon 22:00 1h Nowhere/City",
            "mon 22:00 1h UTC x",
        ] {
            assert!(Window::parse(text).is_err(), "{text}");
        }
    }
}
