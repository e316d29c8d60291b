//! The formats that drafts up to 7 assert, with the words of Helm's validator.

use super::draft::Draft;

/// Checks a text against a format; formats that are not known fit always.
pub(super) fn check(name: &str, text: &str, draft: Draft) -> Result<(), String> {
    match name {
        "email" => email(text),
        "ipv4" => ipv4(text),
        "ipv6" => ipv6(text),
        "hostname" => hostname(text),
        "date" if draft >= Draft::D7 => date(text),
        "time" if draft >= Draft::D7 => time(text),
        "date-time" => date_time(text),
        "uri" => uri(text),
        "uuid" => uuid(text),
        "regex" => match regex::Regex::new(text) {
            Ok(_) => Ok(()),
            Err(_) => Err("error parsing regexp".to_owned()),
        },
        "json-pointer" if draft >= Draft::D6 && !text.is_empty() && !text.starts_with('/') => {
            Err("not starting with /".to_owned())
        }
        _ => Ok(()),
    }
}

fn fail(words: impl Into<String>) -> Result<(), String> {
    Err(words.into())
}

fn character(c: char) -> Result<(), String> {
    Err(format!("invalid character {c:?}"))
}

fn ipv4(text: &str) -> Result<(), String> {
    let groups: Vec<&str> = text.split('.').collect();
    if groups.len() != 4 {
        return fail("expected four decimals");
    }
    for group in groups {
        if group.len() > 1 && group.starts_with('0') {
            return fail("leading zeros");
        }
        match group.parse::<i64>() {
            Err(_) => return Err(format!("strconv.Atoi: parsing {group:?}: invalid syntax")),
            Ok(number) if !(0..=255).contains(&number) => return fail("decimal must be between 0 and 255"),
            Ok(_) => {}
        }
    }
    Ok(())
}

fn ipv6(text: &str) -> Result<(), String> {
    if !text.contains(':') {
        return fail("missing colon");
    }
    if text.contains('%') {
        return fail("zone id is not a part of ipv6 address");
    }
    match text.parse::<std::net::Ipv6Addr>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("ParseAddr({text:?}): unable to parse IP")),
    }
}

fn hostname(text: &str) -> Result<(), String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > 253 {
        return fail("more than 253 characters long");
    }
    for label in text.split('.') {
        if label.is_empty() || label.len() > 63 {
            return fail("label must be 1 to 63 characters long");
        }
        if label.starts_with('-') {
            return fail("label starts with hyphen");
        }
        if label.ends_with('-') {
            return fail("label ends with hyphen");
        }
        if let Some(c) = label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
            return character(c);
        }
    }
    Ok(())
}

fn email(text: &str) -> Result<(), String> {
    if text.len() > 254 {
        return fail("more than 255 characters long");
    }
    let Some((local, domain)) = text.rsplit_once('@') else { return fail("missing @") };
    if local.len() > 64 {
        return fail("local part more than 64 characters long");
    }
    if local.len() > 1 && local.starts_with('"') && local.ends_with('"') {
        if local[1..local.len() - 1].contains(['\\', '"']) {
            return fail("backslash and quote are not allowed within quoted local part");
        }
    } else {
        if local.starts_with('.') {
            return fail("starts with dot");
        }
        if local.ends_with('.') {
            return fail("ends with dot");
        }
        if local.contains("..") {
            return fail("consecutive dots");
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c);
        if let Some(c) = local.chars().find(|c| !allowed(*c)) {
            return character(c);
        }
    }
    if let Some(address) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return match address.strip_prefix("IPv6:") {
            Some(address) => ipv6(address).map_err(|words| format!("invalid ipv6 address: {words}")),
            None => ipv4(address).map_err(|words| format!("invalid ipv4 address: {words}")),
        };
    }
    hostname(domain).map_err(|words| format!("invalid domain: {words}"))
}

fn uuid(text: &str) -> Result<(), String> {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let groups: Vec<&str> = text.split('-').collect();
    if groups.len() != GROUPS.len() {
        return fail("must have 5 elements");
    }
    for (index, (group, length)) in groups.iter().zip(GROUPS).enumerate() {
        if group.len() != length {
            return Err(format!("element {} must be {length} characters long", index + 1));
        }
        if let Some(c) = group.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(format!("non-hex character {c:?}"));
        }
    }
    Ok(())
}

fn numbers(text: &str, separator: char) -> Option<Vec<u32>> {
    text.split(separator)
        .map(|part| if part.bytes().all(|b| b.is_ascii_digit()) { part.parse().ok() } else { None })
        .collect()
}

fn date(text: &str) -> Result<(), String> {
    let wrong = || Err(format!("parsing time {text:?} as \"2006-01-02\": cannot parse {text:?} as \"2006\""));
    let lengths = text.split('-').map(str::len).eq([4, 2, 2]);
    let Some(parts) = numbers(text, '-').filter(|_| lengths) else { return wrong() };
    let [year, month, day] = parts[..] else { return wrong() };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return Err(format!("parsing time {text:?}: month out of range")),
    };
    if day == 0 || day > days { Err(format!("parsing time {text:?}: day out of range")) } else { Ok(()) }
}

fn time(text: &str) -> Result<(), String> {
    if text.len() < 9 || !text.is_ascii() {
        return fail("less than 9 characters long");
    }
    if &text[2..3] != ":" || &text[5..6] != ":" {
        return fail("missing colon in correct place");
    }
    let Some(parts) = numbers(&text[..8], ':') else { return fail("invalid hour/min/sec") };
    if parts[0] > 23 || parts[1] > 59 || parts[2] > 60 {
        return fail("hour/min/sec out of range");
    }
    let mut rest = &text[8..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return fail("no digits in second fraction");
        }
        rest = &fraction[digits..];
    }
    if rest.eq_ignore_ascii_case("z") {
        return Ok(());
    }
    if rest.len() != 6 {
        return fail("offset must be 6 characters long");
    }
    if !rest.starts_with(['+', '-']) {
        return fail("offset must begin with plus/minus");
    }
    if &rest[3..4] != ":" {
        return fail("missing colon in offset in correct place");
    }
    match numbers(&rest[1..], ':') {
        None => fail("invalid hour/min in offset"),
        Some(parts) if parts[0] > 23 || parts[1] > 59 => fail("hour/min in offset out of range"),
        Some(_) => Ok(()),
    }
}

fn date_time(text: &str) -> Result<(), String> {
    if text.len() < 20 || !text.is_ascii() {
        return fail("less than 20 characters long");
    }
    if !text[10..11].eq_ignore_ascii_case("t") {
        return fail("11th character must be t or T");
    }
    date(&text[..10]).map_err(|words| format!("invalid date element: {words}"))?;
    time(&text[11..]).map_err(|words| format!("invalid time element: {words}"))
}

fn uri(text: &str) -> Result<(), String> {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    };
    match scheme {
        Some(scheme) if is_scheme(scheme) => Ok(()),
        Some("") => Err(format!("parse {text:?}: missing protocol scheme")),
        _ => fail("relative url"),
    }
}
