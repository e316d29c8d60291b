//! Which texts go-yaml takes for a point in time. They stay strings; only writing them plain is not allowed.

/// Whether one of go-yaml's four layouts fits: `2006-1-2`, with `15:4:5` after a blank, or with `T`/`t` and a zone.
pub(crate) fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    let year_digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    if year_digits != 4 || bytes.get(4) != Some(&b'-') {
        return false;
    }
    let year: u32 = text[..4].parse().unwrap_or(0);
    let Some((month, rest)) = short(&text[5..]) else { return false };
    let Some((day, rest)) = rest.strip_prefix('-').and_then(short) else { return false };
    if !(1..=12).contains(&month) || day < 1 || day > days(year, month) {
        return false;
    }
    match rest.bytes().next() {
        None => true,
        Some(b'T' | b't') => clock(&rest[1..]).is_some_and(is_zone),
        Some(b' ') => clock(rest.trim_start_matches(' ')).is_some_and(str::is_empty),
        _ => false,
    }
}

/// One or two digits.
fn short(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    Some((text[..digits].parse().ok()?, &text[digits..]))
}

/// `15:4:5` with an optional fraction; what follows.
fn clock(text: &str) -> Option<&str> {
    let (hour, rest) = short(text)?;
    let (minute, rest) = short(rest.strip_prefix(':')?)?;
    let (second, rest) = short(rest.strip_prefix(':')?)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let Some(fraction) = rest.strip_prefix(['.', ',']) else { return Some(rest) };
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    Some(if digits == 0 { rest } else { &fraction[digits..] })
}

/// `Z` or `+07:00`.
fn is_zone(text: &str) -> bool {
    if text == "Z" {
        return true;
    }
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<u8>().ok());
    bytes.len() == 6
        && matches!(bytes[0], b'+' | b'-')
        && bytes[3] == b':'
        && bytes[1].is_ascii_digit()
        && bytes[4].is_ascii_digit()
        && digits(1..3).is_some_and(|hours| hours <= 24)
        && digits(4..6).is_some_and(|minutes| minutes <= 60)
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::is_timestamp;

    #[test]
    fn the_four_layouts_are_known_and_nothing_else() {
        for yes in [
            "2001-12-14",
            "2001-1-1",
            "2001-12-14T21:59:43.10Z",
            "2001-12-14t21:59:43.10-05:00",
            "2001-12-14 21:59:43.1",
            "2001-12-14 1:2:3",
            "2024-02-29",
        ] {
            assert!(is_timestamp(yes), "{yes}");
        }
        for no in [
            "2001-13-14",
            "2023-02-29",
            "2001-12-14T21:59:43",
            "2001-12-14 21:59:43Z",
            "12:30:45",
            "20010101",
            "2001-12",
            "2001-12-14x",
            "2001-12-14 ",
        ] {
            assert!(!is_timestamp(no), "{no}");
        }
    }
}
