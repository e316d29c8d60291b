//! Go's `strings`, `unicode` and slices, over strings that may hold any bytes.

use landfall_gotemplate::FuncError;

/// Longest string that a function makes out of thin air, in bytes.
pub(crate) const MAX_MADE: usize = 128 << 20;

/// Characters with their places and widths; a byte that is not part of a character is U+FFFD of width 1, as in Go.
pub(crate) fn runes(text: &[u8]) -> impl Iterator<Item = (usize, char, usize)> + '_ {
    let mut at = 0;
    text.utf8_chunks().flat_map(move |chunk| {
        let start = at;
        let valid = chunk.valid();
        at += valid.len() + chunk.invalid().len();
        let bad = start + valid.len();
        valid
            .char_indices()
            .map(move |(offset, c)| (start + offset, c, c.len_utf8()))
            .chain((0..chunk.invalid().len()).map(move |k| (bad + k, char::REPLACEMENT_CHARACTER, 1)))
    })
}

/// Go's `strings.Map` with a function that keeps every character.
pub(crate) fn map_runes(text: &[u8], map: impl Fn(char) -> char) -> Vec<u8> {
    let mut out = String::with_capacity(text.len());
    out.extend(runes(text).map(|(_, c, _)| map(c)));
    out.into_bytes()
}

/// Go's `unicode.ToUpper`: one character for one.
pub(crate) fn to_upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(single), None) => single,
        _ => c,
    }
}

/// Go's `unicode.ToLower`: one character for one.
pub(crate) fn to_lower(c: char) -> char {
    if c == 'İ' {
        return 'i';
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(single), None) => single,
        _ => c,
    }
}

/// Where `needle` stands in `text`.
pub(crate) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, needle)
}

/// How many parts splitting a text gives, at most.
pub(crate) fn parts(text: &[u8], separator: &[u8]) -> usize {
    if separator.is_empty() { text.len() } else { memchr::memmem::find_iter(text, separator).count() + 1 }
}

/// Go's `strings.SplitN`; `None` is all parts, an empty separator splits after each character.
pub(crate) fn split<'t>(text: &'t [u8], separator: &[u8], limit: Option<usize>) -> Vec<&'t [u8]> {
    let limit = limit.unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    if limit == 0 {
        return parts;
    }
    let mut rest = text;
    if separator.is_empty() {
        while parts.len() + 1 < limit {
            let Some((_, _, width)) = runes(rest).next() else { return parts };
            parts.push(&rest[..width]);
            rest = &rest[width..];
        }
        if !rest.is_empty() {
            parts.push(rest);
        }
        return parts;
    }
    while parts.len() + 1 < limit
        && let Some(at) = find(rest, separator)
    {
        parts.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
    }
    parts.push(rest);
    parts
}

/// Go's `strings.ReplaceAll`; an empty `old` stands before each character and at the end.
pub(crate) fn replace(text: &[u8], old: &[u8], new: &[u8]) -> Result<Vec<u8>, FuncError> {
    let mut out = Vec::with_capacity(text.len());
    if old.is_empty() {
        bounded(text.len().saturating_add(1).saturating_mul(new.len().saturating_add(1)))?;
        for (at, _, width) in runes(text) {
            out.extend_from_slice(new);
            out.extend_from_slice(&text[at..at + width]);
        }
        out.extend_from_slice(new);
        return Ok(out);
    }
    let mut rest = text;
    while let Some(at) = find(rest, old) {
        bounded(out.len() + at + new.len())?;
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(new);
        rest = &rest[at + old.len()..];
    }
    out.extend_from_slice(rest);
    Ok(out)
}

/// Go's `strings.Repeat`.
pub(crate) fn repeat(text: &[u8], count: i64) -> Result<Vec<u8>, FuncError> {
    let count = usize::try_from(count).map_err(|_| FuncError::new("strings: negative Repeat count"))?;
    bounded(text.len().saturating_mul(count))?;
    Ok(text.repeat(count))
}

/// Refuses to make a string that is too long.
pub(crate) fn bounded(len: usize) -> Result<(), FuncError> {
    if len > MAX_MADE {
        return Err(FuncError::new("strings: Repeat output length overflow"));
    }
    Ok(())
}

/// Go's `text[low:high]`, with the words of its panic.
pub(crate) fn slice(text: &[u8], low: i64, high: i64) -> Result<&[u8], FuncError> {
    let len = text.len() as i64;
    let problem = if high < 0 {
        format!("[:{high}]")
    } else if high > len {
        format!("[:{high}] with length {len}")
    } else if low < 0 {
        format!("[{low}:]")
    } else if low > high {
        format!("[{low}:{high}]")
    } else {
        return Ok(&text[low as usize..high as usize]);
    };
    Err(FuncError::new(format!("runtime error: slice bounds out of range {problem}")))
}

/// Go's `strings.TrimSpace`.
pub(crate) fn trim_space(text: &[u8]) -> &[u8] {
    trim(text, char::is_whitespace)
}

/// Go's `strings.TrimFunc`.
pub(crate) fn trim(text: &[u8], cut: impl Fn(char) -> bool) -> &[u8] {
    let Some(start) = runes(text).find(|(_, c, _)| !cut(*c)).map(|(at, ..)| at) else {
        return &text[text.len()..];
    };
    let mut end = text.len();
    // The last character is found from behind: at most four bytes make one.
    while end > start {
        let from = (1..=4.min(end - start))
            .map(|back| end - back)
            .find(|from| std::str::from_utf8(&text[*from..end]).is_ok_and(|last| last.chars().count() == 1));
        let (from, last) = match from {
            Some(from) => {
                let last = std::str::from_utf8(&text[from..end]).ok().and_then(|last| last.chars().next());
                (from, last.unwrap_or(char::REPLACEMENT_CHARACTER))
            }
            None => (end - 1, char::REPLACEMENT_CHARACTER),
        };
        if !cut(last) {
            break;
        }
        end = from;
    }
    &text[start..end]
}
