//! Values that somebody gives, as lines `KEY=VALUE`.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::masked::Masked;

/// Why lines are none; the line's number and never what is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GivenError {
    /// Not text.
    #[error("it is not text in UTF-8")]
    NoText,
    /// No `KEY=VALUE`.
    #[error("line {0} is no KEY=VALUE")]
    NoPair(usize),
    /// A key that was given before.
    #[error("line {line} gives `{key}` a second time")]
    Twice {
        /// The line.
        line: usize,
        /// The key.
        key: String,
    },
    /// A quote that is never closed.
    #[error("line {0} opens a quote that nothing closes")]
    Open(usize),
}

/// Reads lines `KEY=VALUE`: blank ones and those that begin with `#` are passed over, a value may stand in quotes, and goes
/// over several lines in double ones.
///
/// # Errors
/// [`GivenError`]
pub fn pairs(bytes: &[u8]) -> Result<BTreeMap<String, Masked>, GivenError> {
    let text = std::str::from_utf8(bytes).map_err(|_| GivenError::NoText)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = BTreeMap::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let number = at + 1;
        let trimmed = line.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let (key, value) = trimmed.split_once('=').ok_or(GivenError::NoPair(number))?;
        let key = key.strip_prefix("export ").unwrap_or(key).trim();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(GivenError::NoPair(number));
        }
        let value = match (value.strip_prefix('"'), value.strip_prefix('\'')) {
            (Some(first), _) => {
                let mut whole = Zeroizing::new(first.to_owned());
                while !is_closed(&whole) {
                    let (_, next) = lines.next().ok_or(GivenError::Open(number))?;
                    whole.push('\n');
                    whole.push_str(next);
                }
                unescaped(whole.trim_end().strip_suffix('"').unwrap_or_default())
            }
            (_, Some(first)) => {
                let inner = first.trim_end().strip_suffix('\'').ok_or(GivenError::Open(number))?;
                Zeroizing::new(inner.to_owned())
            }
            _ => Zeroizing::new(value.to_owned()),
        };
        if found.insert(key.to_owned(), Masked::from(value.as_bytes())).is_some() {
            return Err(GivenError::Twice { line: number, key: key.to_owned() });
        }
    }
    Ok(found)
}

/// Values as lines that [`pairs`] reads; in clear.
pub fn lines<'v>(values: impl IntoIterator<Item = (&'v str, &'v Masked)>) -> Masked {
    let mut out = Zeroizing::new(Vec::new());
    for (key, value) in values {
        let text = Zeroizing::new(String::from_utf8_lossy(value.reveal()).into_owned());
        out.extend_from_slice(key.as_bytes());
        out.push(b'=');
        let is_plain = !text.contains('\n') && !text.starts_with(['"', '\'']) && text.trim() == text.as_str();
        if is_plain {
            out.extend_from_slice(text.as_bytes());
        } else {
            let escaped = Zeroizing::new(text.replace('\\', "\\\\").replace('"', "\\\""));
            out.push(b'"');
            out.extend_from_slice(escaped.as_bytes());
            out.push(b'"');
        }
        out.push(b'\n');
    }
    Masked::from(&out[..])
}

/// Whether a text ends with a quote that no backslash takes back.
fn is_closed(text: &str) -> bool {
    let text = text.trim_end();
    let Some(before) = text.strip_suffix('"') else { return false };
    let slashes = before.chars().rev().take_while(|it| *it == '\\').count();
    slashes % 2 == 0
}

fn unescaped(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, if letter == '\\' { letters.next() } else { None }) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some(next @ ('"' | '\\'))) => out.push(next),
            ('\\', Some(next)) => {
                out.push('\\');
                out.push(next);
            }
            (letter, _) => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, GivenError> {
        let shown = |(key, value): (String, Masked)| format!("{key}={}", String::from_utf8_lossy(value.reveal()));
        pairs(text.as_bytes()).map(|found| found.into_iter().map(shown).collect())
    }

    #[test]
    fn lines_give_values_as_they_stand() {
        let text = "\u{feff}# made by hand\r\nA=a=b # no comment\r\n\nexport B=\nC='x y'\nD=\"a\\n\\\"b\\\\\"\nE=\"-----BEGIN\nbody\n-----END\"\n";
        assert_eq!(
            read(text).expect("fine"),
            ["A=a=b # no comment", "B=", "C=x y", "D=a\n\"b\\", "E=-----BEGIN\nbody\n-----END"]
        );
        let given = pairs(text.as_bytes()).expect("fine");
        let again = lines(given.iter().map(|(key, value)| (key.as_str(), value)));
        let again = pairs(again.reveal()).expect("its own form");
        assert!(
            given.iter().all(|(key, value)| again[key].reveal() == value.reveal()),
            "what is written is read again"
        );
        assert_eq!(read("nothing"), Err(GivenError::NoPair(1)));
        assert_eq!(read("A=1\nA=2"), Err(GivenError::Twice { line: 2, key: "A".to_owned() }));
        assert_eq!(read("A=\"x\ny"), Err(GivenError::Open(1)));
        assert_eq!(pairs(b"A=\xff").map(drop), Err(GivenError::NoText));
    }
}
