//! When a CronJob runs: the grammar and the words of `robfig/cron` (`parser.go`), and of Go's time zones.

use jiff::tz::TimeZone;

/// Minutes, hours, days of the month, months, days of the week: least, most, and the names that stand for numbers.
const FIELDS: [(u64, u64, &[&str]); 5] = [
    (0, 59, &[]),
    (0, 23, &[]),
    (1, 31, &[]),
    (1, 12, &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    (0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

/// Why a schedule is none.
pub(super) fn schedule_error(schedule: &str) -> Option<String> {
    let zoned = schedule.starts_with("TZ=") || schedule.starts_with("CRON_TZ=");
    let spec = match schedule.split_once(' ') {
        Some((zone, rest)) if zoned => {
            let name = zone.split_once('=').map_or("", |(_, name)| name);
            if !is_known_zone(name) {
                return Some(format!("provided bad location {name}: unknown time zone {name}"));
            }
            rest.trim()
        }
        _ => schedule,
    };
    if spec.starts_with('@') {
        return descriptor_error(spec);
    }
    let fields: Vec<&str> = spec.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        let listed = fields.join(" ");
        return Some(format!("expected exactly 5 fields, found {}: [{listed}]", fields.len()));
    }
    fields.iter().zip(FIELDS).find_map(|(field, bounds)| {
        field.split(',').filter(|part| !part.is_empty()).find_map(|part| range_error(part, bounds).err())
    })
}

fn descriptor_error(descriptor: &str) -> Option<String> {
    let known = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
    if known.contains(&descriptor) {
        return None;
    }
    match descriptor.strip_prefix("@every ") {
        Some(text) => duration_error(text).map(|error| format!("failed to parse duration {descriptor}: {error}")),
        None => Some(format!("unrecognized descriptor: {descriptor}")),
    }
}

/// Why a text is no duration (`time.ParseDuration`).
fn duration_error(text: &str) -> Option<String> {
    let invalid = || Some(format!("time: invalid duration {text:?}"));
    let mut rest = text.trim_start_matches(['-', '+']);
    if text.len() - rest.len() > 1 || rest.is_empty() {
        return invalid();
    }
    if rest == "0" {
        return None;
    }
    while !rest.is_empty() {
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = &rest[..rest.len() - after.len()];
        if !number.contains(|c: char| c.is_ascii_digit()) || number.matches('.').count() > 1 {
            return invalid();
        }
        let next = after.trim_start_matches(|c: char| !c.is_ascii_digit() && c != '.');
        let unit = &after[..after.len() - next.len()];
        if unit.is_empty() {
            return Some(format!("time: missing unit in duration {text:?}"));
        }
        if !["ns", "us", "µs", "μs", "ms", "s", "m", "h"].contains(&unit) {
            return Some(format!("time: unknown unit {unit:?} in duration {text:?}"));
        }
        rest = next;
    }
    None
}

fn range_error(part: &str, (least, most, words): (u64, u64, &[&str])) -> Result<(), String> {
    let mut steps = part.split('/');
    let range = steps.next().unwrap_or_default();
    let ends: Vec<&str> = range.split('-').collect();
    let (start, mut end) = if matches!(ends[0], "*" | "?") {
        (least, most)
    } else {
        let start = number_or_name(ends[0], least, words)?;
        match ends.as_slice() {
            [_] => (start, start),
            [_, end] => (start, number_or_name(end, least, words)?),
            _ => return Err(format!("too many hyphens: {part}")),
        }
    };
    let step = match (steps.next(), steps.next()) {
        (None, _) => 1,
        (Some(step), None) => {
            let step = number(step)?;
            // One number and a step go on to the end.
            if ends.len() == 1 {
                end = most;
            }
            step
        }
        _ => return Err(format!("too many slashes: {part}")),
    };
    if start < least {
        return Err(format!("beginning of range ({start}) below minimum ({least}): {part}"));
    }
    if end > most {
        return Err(format!("end of range ({end}) above maximum ({most}): {part}"));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {part}"));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {part}"));
    }
    Ok(())
}

fn number_or_name(text: &str, least: u64, words: &[&str]) -> Result<u64, String> {
    match words.iter().position(|word| *word == text.to_lowercase()) {
        Some(at) => Ok(least + at as u64),
        None => number(text),
    }
}

fn number(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax"));
    }
    let number: i64 = text
        .parse()
        .map_err(|_| format!("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: value out of range"))?;
    u64::try_from(number).map_err(|_| format!("negative number ({number}) not allowed: {text}"))
}

/// Why a name is no time zone.
pub(super) fn zone_errors(zone: &str) -> Vec<String> {
    if zone.is_empty() {
        return vec!["timeZone must be nil or non-empty string".to_owned()];
    }
    let readable = |part: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte);
        !matches!(part, "" | "." | "..") && !part.starts_with('-') && part.bytes().all(fits)
    };
    if !zone.split('/').all(readable) {
        return vec![format!("unknown time zone {zone}")];
    }
    if zone.eq_ignore_ascii_case("Local") {
        return vec!["timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones".to_owned()];
    }
    if is_known_zone(zone) { Vec::new() } else { vec![format!("unknown time zone {zone}")] }
}

fn is_known_zone(zone: &str) -> bool {
    matches!(zone, "" | "UTC" | "Local") || TimeZone::get(zone).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_read_as_the_library_reads_them() {
        for fine in
            ["* * * * *", "*/15 0-6,22 1 jan-mar sun", "@every 1h30m", "@daily", "TZ=UTC 0 0 * * *", "1/2 * * * ?"]
        {
            assert_eq!(schedule_error(fine), None, "{fine}");
        }
        for (wrong, why) in [
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
            ("1/2/3 * * * *", "too many slashes: 1/2/3"),
            ("*/-1 * * * *", "negative number (-1) not allowed: -1"),
            ("@every x", "failed to parse duration @every x: time: invalid duration \"x\""),
            ("@often", "unrecognized descriptor: @often"),
        ] {
            assert_eq!(schedule_error(wrong).as_deref(), Some(why), "{wrong}");
        }
    }
}
