//! Go's `path/filepath.Match` (Unix rules), used by `.helmignore` and `--show-only`.

/// A pattern that is not well formed; displays as Go's `filepath.ErrBadPattern`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern")]
pub struct BadPattern;

/// Whether the whole name matches the pattern: `*` and `?` stop at `/`, `[a-z]`, `[^a]`, `\` quotes.
///
/// # Errors
/// [`BadPattern`] for an unclosed class or a trailing backslash, found as Go finds it.
pub fn path_match(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let mut pattern = pattern.as_bytes();
    let mut name = name.as_bytes();
    'pattern: while !pattern.is_empty() {
        let (star, chunk, rest) = scan_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Ok(!name.contains(&b'/'));
        }
        let matched = match_chunk(chunk, name)?;
        if let Some(left) = matched
            && (left.is_empty() || !pattern.is_empty())
        {
            name = left;
            continue;
        }
        if star {
            let mut at = 0;
            while at < name.len() && name[at] != b'/' {
                if let Some(left) = match_chunk(chunk, &name[at + 1..])? {
                    if pattern.is_empty() && !left.is_empty() {
                        at += 1;
                        continue;
                    }
                    name = left;
                    continue 'pattern;
                }
                at += 1;
            }
        }
        // A mismatch still has to notice a malformed rest.
        while !pattern.is_empty() {
            let (_, chunk, rest) = scan_chunk(pattern);
            pattern = rest;
            match_chunk(chunk, b"")?;
        }
        return Ok(false);
    }
    Ok(name.is_empty())
}

/// The next segment: whether stars precede it, the segment up to the next star, the rest.
fn scan_chunk(pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let stars = pattern.iter().take_while(|&&b| b == b'*').count();
    let pattern = &pattern[stars..];
    let mut in_class = false;
    let mut at = 0;
    while at < pattern.len() {
        match pattern[at] {
            b'\\' if at + 1 < pattern.len() => at += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'*' if !in_class => break,
            _ => {}
        }
        at += 1;
    }
    (stars > 0, &pattern[..at], &pattern[at..])
}

/// Matches a segment at the start of the text; gives what is left of the text.
fn match_chunk<'t>(mut chunk: &[u8], mut text: &'t [u8]) -> Result<Option<&'t [u8]>, BadPattern> {
    // As in Go, after a mismatch the segment is read to its end to find what is malformed.
    let mut failed = false;
    while !chunk.is_empty() {
        if !failed && text.is_empty() {
            failed = true;
        }
        match chunk[0] {
            b'[' => {
                let mut r = None;
                if !failed {
                    let (c, size) = decode(text);
                    r = Some(c);
                    text = &text[size..];
                }
                chunk = &chunk[1..];
                let negated = chunk.first() == Some(&b'^');
                if negated {
                    chunk = &chunk[1..];
                }
                let mut matched = false;
                let mut ranges = 0;
                loop {
                    if chunk.first() == Some(&b']') && ranges > 0 {
                        chunk = &chunk[1..];
                        break;
                    }
                    let (low, rest) = class_char(chunk)?;
                    chunk = rest;
                    let mut high = low;
                    if chunk[0] == b'-' {
                        let (end, rest) = class_char(&chunk[1..])?;
                        high = end;
                        chunk = rest;
                    }
                    if let Some(r) = r {
                        matched |= low <= r && r <= high;
                    }
                    ranges += 1;
                }
                if matched == negated {
                    failed = true;
                }
            }
            b'?' => {
                if !failed {
                    if text[0] == b'/' {
                        failed = true;
                    }
                    let (_, size) = decode(text);
                    text = &text[size..];
                }
                chunk = &chunk[1..];
            }
            byte => {
                let mut byte = byte;
                if byte == b'\\' {
                    chunk = &chunk[1..];
                    byte = *chunk.first().ok_or(BadPattern)?;
                }
                if !failed {
                    if byte != text[0] {
                        failed = true;
                    }
                    text = &text[1..];
                }
                chunk = &chunk[1..];
            }
        }
    }
    Ok(if failed { None } else { Some(text) })
}

/// One character of a class, possibly quoted; the rest is not empty.
fn class_char(chunk: &[u8]) -> Result<(u32, &[u8]), BadPattern> {
    let chunk = match chunk.first() {
        None | Some(b'-' | b']') => return Err(BadPattern),
        Some(b'\\') => &chunk[1..],
        Some(_) => chunk,
    };
    if chunk.is_empty() {
        return Err(BadPattern);
    }
    let (c, size) = decode(chunk);
    if c == 0xFFFD && size == 1 {
        return Err(BadPattern);
    }
    let rest = &chunk[size..];
    if rest.is_empty() { Err(BadPattern) } else { Ok((c, rest)) }
}

/// The first character and its length; an invalid byte counts as U+FFFD of length one.
fn decode(text: &[u8]) -> (u32, usize) {
    let head = &text[..text.len().min(4)];
    let valid = match std::str::from_utf8(head) {
        Ok(s) => s,
        Err(e) => std::str::from_utf8(&head[..e.valid_up_to()]).unwrap_or(""),
    };
    valid.chars().next().map_or((0xFFFD, 1), |c| (c as u32, c.len_utf8()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_go() {
        let rows: &[(&str, &str, Result<bool, BadPattern>)] = &[
            ("abc", "abc", Ok(true)),
            ("*", "abc", Ok(true)),
            ("*c", "abc", Ok(true)),
            ("a*", "a", Ok(true)),
            ("a*", "ab/c", Ok(false)),
            ("a*/b", "abc/b", Ok(true)),
            ("a*/b", "a/c/b", Ok(false)),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", Ok(true)),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", Ok(false)),
            ("a*b?c*x", "abxbbxdbxebxczzx", Ok(true)),
            ("ab[c]", "abc", Ok(true)),
            ("ab[b-d]", "abc", Ok(true)),
            ("ab[^e-g]", "abc", Ok(true)),
            ("ab[^c]", "abc", Ok(false)),
            ("a\\*b", "a*b", Ok(true)),
            ("a???b", "aµµµb", Ok(true)),
            ("a?b", "a/b", Ok(false)),
            ("[\\]a]", "]", Ok(true)),
            ("[]a]", "]", Err(BadPattern)),
            ("[-x]", "-", Err(BadPattern)),
            ("a[", "a", Err(BadPattern)),
            ("a[", "ab", Err(BadPattern)),
            ("\\", "a", Err(BadPattern)),
            ("*x", "xxx", Ok(true)),
            ("", "", Ok(true)),
        ];
        for (pattern, name, expected) in rows {
            assert_eq!(path_match(pattern, name), *expected, "{pattern} on {name}");
        }
    }
}
