//! Go's way through bytes that may not be UTF-8: one replacement character for each wrong byte.

/// The first character and its length; a wrong byte gives `None` and 1, no bytes `None` and 0.
pub(crate) fn decode(bytes: &[u8]) -> (Option<char>, usize) {
    let Some(&first) = bytes.first() else { return (None, 0) };
    if first < 0x80 {
        return (Some(first.into()), 1);
    }
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return (None, 1),
    };
    match bytes.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(|text| text.chars().next()) {
        Some(character) => (Some(character), length),
        None => (None, 1),
    }
}

/// Number of characters, each wrong byte counted as one (`utf8.RuneCount`).
pub(crate) fn count(bytes: &[u8]) -> usize {
    if bytes.is_ascii() {
        return bytes.len();
    }
    let mut rest = bytes;
    let mut count = 0;
    while !rest.is_empty() {
        rest = &rest[decode(rest).1..];
        count += 1;
    }
    count
}

/// The bytes of the first `characters` characters.
pub(crate) fn prefix(bytes: &[u8], characters: usize) -> &[u8] {
    let mut at = 0;
    for _ in 0..characters {
        if at >= bytes.len() {
            break;
        }
        at += decode(&bytes[at..]).1;
    }
    &bytes[..at]
}
