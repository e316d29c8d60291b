//! What Go's YAML makes of a text, where SOPS takes it into its digest (`gopkg.in/yaml.v3/resolve.go`, `parseTimestamp`).

/// A moment as SOPS writes it, of a text that Go's YAML takes for one: a date, or a date and a time of day.
pub(super) fn moment(text: &str) -> Option<String> {
    let (date, rest) = text.split_at_checked(text.find(['T', 't', ' ']).unwrap_or(text.len()))?;
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let is_date = year.len() == 4 && parts.next().is_none();
    let [year, month, day] = [(year, 4), (month, 2), (day, 2)].map(|(text, most)| number(text, most));
    let date = jiff::civil::Date::new(year?.try_into().ok()?, month?.try_into().ok()?, day?.try_into().ok()?).ok()?;
    let (time, zone) = match rest.chars().next() {
        None => ("00:00:00".to_owned(), "Z"),
        Some(sign) => of_day(&rest[1..], sign)?,
    };
    is_date.then(|| format!("{date}T{time}{zone}"))
}

/// A time of day, and the zone behind it: after a space there is none, and it is UTC.
fn of_day(text: &str, sign: char) -> Option<(String, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && !":.".contains(letter)).unwrap_or(text.len());
    let (time, zone) = text.split_at(end);
    let zone = match (sign, zone) {
        (' ', "") => "Z",
        (' ', _) => return None,
        (_, "Z" | "+00:00" | "-00:00") => "Z",
        (_, zone) => {
            let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
            (number(hours, 2)? < 24 && number(minutes, 2)? < 60 && zone.len() == 6).then_some(zone)?
        }
    };
    let (time, part) = time.split_once('.').unwrap_or((time, ""));
    let mut parts = time.split(':');
    let (hour, minute, second) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 || part.len() > 9 {
        return None;
    }
    let part = if part.is_empty() { 0 } else { number(&format!("{part:0<9}"), 9)? };
    let part = if part == 0 { String::new() } else { format!(".{part:09}").trim_end_matches('0').to_owned() };
    Some((format!("{hour:02}:{minute:02}:{second:02}{part}"), zone))
}

/// A number of at most so many digits, and of nothing else.
fn number(text: &str, most: usize) -> Option<u32> {
    let is_one = !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_what_go_takes_for_one() {
        for (text, wanted) in [
            ("2024-01-02", "2024-01-02T00:00:00Z"),
            ("2024-1-2", "2024-01-02T00:00:00Z"),
            ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
            ("2024-01-02t3:4:5.120+02:00", "2024-01-02T03:04:05.12+02:00"),
            ("2024-01-02 03:04:05.5", "2024-01-02T03:04:05.5Z"),
        ] {
            assert_eq!(moment(text).as_deref(), Some(wanted), "{text}");
        }
        for text in ["", "2024", "2024-13-01", "24-01-02", "2024-01-02T", "2024-01-02T25:00:00Z", "1.2.3-4", "a-b-c"] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
