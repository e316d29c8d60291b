//! What can be seen to be wrong with a text without knowing what it is about.

/// Go's durations: `720h`, `1h30m`, `1.5s`; no days.
pub(super) fn go_duration(text: &str) -> Result<(), String> {
    let text = text.trim_start_matches(['+', '-']);
    if text == "0" || in_units(text, &["ns", "us", "µs", "μs", "ms", "s", "m", "h"], true) {
        return Ok(());
    }
    Err(match in_units(text, &["ms", "s", "m", "h", "d", "w", "y"], true) {
        true => "Go's durations end with hours: there are no days, weeks or years (90 days are `2160h`)".to_owned(),
        false => "a duration is numbers with their units, as `720h` or `1h30m`".to_owned(),
    })
}

/// Prometheus' durations: `5m`, `1h30m`, `7d`; whole numbers, without spaces, the longest unit first.
pub(super) fn prometheus_duration(text: &str) -> Result<(), String> {
    if text == "0" || in_units(text, &["ms", "s", "m", "h", "d", "w", "y"], false) {
        return Ok(());
    }
    Err("a duration is whole numbers with their units and no spaces, as `5m` or `1h30m`".to_owned())
}

/// How long a duration of Prometheus is; nothing where it is none.
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    const UNITS: &[(&str, u64)] = &[
        ("ms", 1),
        ("s", 1_000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
        ("w", 604_800_000),
        ("y", 31_536_000_000),
    ];
    let mut rest = prometheus_duration(text).ok().map(|()| text)?;
    let mut sum = 0_u64;
    while !rest.is_empty() && rest != "0" {
        let digits = rest.find(|it: char| !it.is_ascii_digit())?;
        let unit = rest[digits..].find(|it: char| it.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let (_, length) = UNITS.iter().find(|(name, _)| *name == &rest[digits..unit])?;
        sum = sum.checked_add(rest[..digits].parse::<u64>().ok()?.checked_mul(*length)?)?;
        rest = &rest[unit..];
    }
    Some(sum)
}

/// Whether a text is numbers, each with one of these units.
fn in_units(text: &str, units: &[&str], fractions: bool) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !(letter.is_ascii_digit() || (fractions && letter == '.')));
        let Some(at) = digits.filter(|at| *at > 0) else { return false };
        let unit: usize =
            rest[at..].find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(rest.len() - at);
        if !units.contains(&&rest[at..at + unit]) {
            return false;
        }
        rest = &rest[at + unit..];
    }
    !text.is_empty()
}

/// A query of Prometheus: brackets and quotes are closed, no operator stands at its end, and two sides are compared by `==`.
pub(super) fn query(text: &str) -> Result<(), String> {
    let plain = closed(text, true)?;
    let end = plain.trim_end();
    if end.ends_with(['+', '*', '/', '%', '^', '<', '>', '=', ','])
        || ends_with_word(end, &["and", "or", "unless", "by", "on"])
    {
        return Err("it ends with an operator, and nothing stands behind it".to_owned());
    }
    // Of what is computed there is a range only as a subquery, with its steps: `[1h:5m]`.
    let ranged = plain.match_indices(')').any(|(at, _)| {
        let behind =
            plain[at + 1..].trim_start().strip_prefix('[').and_then(|it| it.split_once(']')).map(|(range, _)| range);
        behind
            .is_some_and(|range| !range.contains([':', '"', '$']) && range.starts_with(|it: char| it.is_ascii_digit()))
    });
    if ranged {
        return Err(
            "a range in `[]` stands behind something that is computed, which has none (`[1h:5m]` makes one of it)"
                .to_owned(),
        );
    }
    if is_compared_with_text(&plain) {
        return Err("a series is compared with a text, and only numbers are compared".to_owned());
    }
    let mut depth = 0_i32;
    let bytes = plain.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b'=' if depth == 0 => {
                let before = at.checked_sub(1).map(|at| bytes[at]);
                let after = bytes.get(at + 1).copied();
                let is_part = matches!(before, Some(b'=' | b'!' | b'<' | b'>')) || matches!(after, Some(b'=' | b'~'));
                if !is_part {
                    return Err("`=` stands between two sides, which are compared by `==`".to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a text (which `closed` leaves one quote of) stands behind a comparison, outside of `{}`.
fn is_compared_with_text(plain: &str) -> bool {
    let mut depth = 0_i32;
    plain.char_indices().any(|(at, letter)| {
        depth += match letter {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        let before = plain[..at].trim_end();
        letter == '"' && depth == 0 && ["==", "!=", "<", ">", "<=", ">="].iter().any(|it| before.ends_with(it))
    })
}

fn ends_with_word(text: &str, words: &[&str]) -> bool {
    text.rsplit(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .next()
        .is_some_and(|last| words.contains(&last))
        && text.contains(char::is_whitespace)
}

/// A matcher of Traefik's: brackets and quotes are closed, and what is joined is joined by `&&` and `||`.
pub(super) fn matcher(text: &str) -> Result<(), String> {
    let plain = closed(text, false)?;
    let end = plain.trim_end();
    if end.ends_with(['&', '|', '!']) {
        return Err("it ends with an operator, and nothing stands behind it".to_owned());
    }
    let joined = plain.replace("&&", "").replace("||", "");
    if joined.contains(['&', '|']) {
        return Err("matchers are joined by `&&` and `||`".to_owned());
    }
    Ok(())
}

/// The text without what stands in quotes, where all quotes and brackets are closed.
fn closed(text: &str, comments: bool) -> Result<String, String> {
    let (mut plain, mut open) = (String::new(), Vec::new());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' | '\'' | '`' => {
                plain.push('"');
                loop {
                    match letters.next() {
                        Some('\\') if letter != '`' => drop(letters.next()),
                        Some(end) if end == letter => break,
                        Some(_) => {}
                        None => return Err(format!("a quote ({letter}) is not closed")),
                    }
                }
                continue;
            }
            '#' if comments => {
                let _ = letters.by_ref().find(|letter| *letter == '\n');
                plain.push('\n');
                continue;
            }
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' if open.pop() != Some(letter) => {
                return Err(format!("`{letter}` closes what was not opened"));
            }
            _ => {}
        }
        plain.push(letter);
    }
    match open.pop() {
        Some(missing) => Err(format!("`{missing}` is missing: a bracket is not closed")),
        None => Ok(plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for text in ["720h", "1h30m", "1.5s", "0", "2160h0m0s", "100ms"] {
            assert!(go_duration(text).is_ok(), "{text}");
        }
        for text in ["90d", "1 h", "h", "30", "1h30", "5 minutes"] {
            assert!(go_duration(text).is_err(), "{text}");
        }
        for text in ["5m", "1h30m", "7d", "0", "1d12h", "30s"] {
            assert!(prometheus_duration(text).is_ok(), "{text}");
        }
        for text in ["5 minutes", "1.5h", "5", "m", "5min"] {
            assert!(prometheus_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn queries_are_closed_and_compare_by_two_signs() {
        for text in [
            "up == 0",
            "sum by (pod) (rate(http_requests_total{code=~\"5..\",job!=\"a\"}[5m])) > 0.1",
            "a >= b # and more\n or c != 1",
            "label_replace(x, \"a\", \"$1\", \"b\", \"(.*\")",
            "absent(up{job=\"it's\"}) == bool 1",
            "count(up{job!=\"\"}) > 1 and label_join(x, \"a\", \"b\") > 2",
            "rate(x[5m] offset 1h)",
            "x{a='}'} =~ 1",
            "up",
            "node_load1 and on",
        ] {
            assert_eq!(query(text).is_ok(), !text.ends_with(" on"), "{text}");
        }
        for text in [
            "max(up) == \"\"",
            "a and b != 'c'",
            "up = 0",
            "sum(rate(x[5m]) > 0",
            "x{a=\"b}",
            "x +",
            "a) > 1",
            "x{a=\"1\"] > 1",
        ] {
            assert!(query(text).is_err(), "{text}");
        }
    }

    #[test]
    fn matchers_are_closed_and_joined() {
        for text in
            ["Host(`a.example.org`) && (PathPrefix(`/x`) || Path(`/y`))", "HostRegexp(`^a(b|c)$`)", "!Path(`/a&b`)"]
        {
            assert!(matcher(text).is_ok(), "{text}");
        }
        for text in ["Host(`a.example.org`", "Host(`a) && Path(`/`)", "Host(`a`) & Path(`/`)", "Host(`a`) &&"] {
            assert!(matcher(text).is_err(), "{text}");
        }
    }
}
