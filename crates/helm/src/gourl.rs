//! A reference to a chart as Go's `net/url` reads it and writes it back (`url.Parse`, `URL.String`), for the words in which Helm
//! tells of one that leads nowhere. Only references without a host come here.

/// A reference that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// The part that is looked for in repositories, unescaped; empty where what stands behind a scheme is opaque.
    pub(super) path: Vec<u8>,
    /// The whole as Go writes it.
    pub(super) written: String,
}

/// Which part is escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Fragment,
}

impl Reference {
    /// Reads `text`; `None` where Go takes it for no address.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return None;
        }
        let (text, fragment) = text.split_once('#').map_or((text, ""), |(text, fragment)| (text, fragment));
        let mut written = String::new();
        let mut rest = text;
        if let Some((scheme, behind)) = scheme(text)? {
            written.push_str(&scheme.to_ascii_lowercase());
            written.push(':');
            rest = behind;
        }
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let mut found = Vec::new();
        if !path.starts_with('/') && !written.is_empty() {
            // Opaque: Go looks into it no further.
            written.push_str(path);
        } else {
            if !path.starts_with('/') && path.split('/').next().is_some_and(|first| first.contains(':')) {
                return None;
            }
            found = unescaped(path)?;
            written.push_str(&shown(path, &found, Part::Path));
        }
        if let Some(query) = query {
            written.push('?');
            written.push_str(query);
        }
        let bare = unescaped(fragment)?;
        if !fragment.is_empty() {
            written.push('#');
            written.push_str(&shown(fragment, &bare, Part::Fragment));
        }
        Some(Self { path: found, written })
    }
}

/// What stands before the first colon, and behind it; `None` in it where there is no scheme, `None` where one is missing.
#[expect(clippy::option_option, reason = "no scheme and a wrong one are two answers")]
fn scheme(text: &str) -> Option<Option<(&str, &str)>> {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return None,
            b':' => return Some(Some((&text[..at], &text[at + 1..]))),
            _ => break,
        }
    }
    Some(None)
}

/// The bytes that `%41` and the like stand for; `None` where a `%` stands before anything else.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
            out.push((high * 16 + low) as u8);
        } else {
            out.push(byte);
        }
    }
    Some(out)
}

/// As it was written where that is valid, else escaped (Go: `URL.EscapedPath`).
fn shown(raw: &str, bytes: &[u8], part: Part) -> String {
    let is_valid = |byte: u8| b"!$&'()*+,;=:@[]%".contains(&byte) || !is_escaped(byte, part);
    if raw.bytes().all(is_valid) {
        return raw.to_owned();
    }
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        if is_escaped(*byte, part) {
            out.push_str(&format!("%{byte:02X}"));
        } else {
            out.push(char::from(*byte));
        }
    }
    out
}

fn is_escaped(byte: u8, part: Part) -> bool {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => false,
        b'$' | b'&' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'@' => false,
        b'?' | b'!' | b'(' | b')' | b'*' => part == Part::Path,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_written_as_go_writes_it() {
        for (text, written) in [
            ("shop", "shop"),
            ("é=[]", "%C3%A9=%5B%5D"),
            ("=[]", "=[]"),
            ("a b", "a%20b"),
            ("a!b", "a!b"),
            ("a!b c", "a%21b%20c"),
            ("a%41é", "aA%C3%A9"),
            ("a%41", "a%41"),
            ("a?b é", "a?b é"),
            ("a#(é", "a#(%C3%A9"),
            ("A:b", "a:b"),
            ("{x}", "%7Bx%7D"),
        ] {
            assert_eq!(Reference::parse(text).map(|read| read.written).as_deref(), Some(written), "{text}");
        }
        for text in [":a", "a%zz", "é:b", "a\tb", "a%4"] {
            assert_eq!(Reference::parse(text), None, "{text}");
        }
        assert_eq!(Reference::parse("a%2Fb?c/d").map(|read| read.path), Some(b"a/b".to_vec()));
        assert_eq!(Reference::parse("a:b/c").map(|read| read.path), Some(Vec::new()));
    }
}
