//! Characters that a terminal obeys or hides, written so that a person sees them.

use std::borrow::Cow;
use std::fmt::Write;

/// What takes no room, joins or turns around what stands beside it, besides the control characters: ranges of code
/// points, both ends included, in order.
const UNSEEN: &[(u32, u32)] = &[
    // Soft hyphen, grapheme joiner, Arabic letter mark, Hangul fillers, Khmer inherent vowels, Mongolian separators.
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    // Zero width, direction marks; line and paragraph separators, embeddings and overrides; invisible operators,
    // isolates, deprecated formats.
    (0x200B, 0x200F),
    (0x2028, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    // Noncharacters; byte order mark; half-width filler; annotations; noncharacters.
    (0xFDD0, 0xFDEF),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB),
    (0xFFFE, 0xFFFF),
    // Shorthand and musical formats, tags, variation selectors of the second kind, all else that is reserved there.
    (0x1_BCA0, 0x1_BCA3),
    (0x1_D173, 0x1_D17A),
    (0xE_0000, 0xE_0FFF),
];

/// Whether a terminal shows a character as what it is, and obeys nothing in it: printable characters, `\n` and `\t`.
pub fn is_harmless(c: char) -> bool {
    match c {
        ' '..='~' | '\n' | '\t' => true,
        '\0'..='\u{9f}' => false,
        c => {
            let code = u32::from(c);
            let after = UNSEEN.partition_point(|(first, _)| *first <= code);
            let unseen = after.checked_sub(1).and_then(|at| UNSEEN.get(at)).is_some_and(|(_, last)| code <= *last);
            // The last two code points of every plane are noncharacters.
            !unseen && code & 0xFFFE != 0xFFFE
        }
    }
}

/// Writes a character as an escape: `\x1b` below 0x80, `\u{202e}` above, `\r` for a carriage return.
fn escaped(out: &mut String, c: char) {
    let written = match c {
        '\r' => out.write_str("\\r"),
        '\n' => out.write_str("\\n"),
        '\t' => out.write_str("\\t"),
        c if c.is_ascii() => write!(out, "\\x{:02x}", u32::from(c)),
        c => write!(out, "\\u{{{:x}}}", u32::from(c)),
    };
    written.expect("a String takes all that is written to it");
}

/// A text for a terminal: each character that is not harmless as an escape; a line's end of `\r\n` becomes `\n`.
///
/// A text of harmless characters comes back as it is.
pub fn shown(text: &str) -> Cow<'_, str> {
    show(text, is_harmless)
}

/// As [`shown`], for what has to stay on one line: a name, a path, a value in a sentence. Line ends and tabs are
/// escaped, too.
pub fn shown_on_a_line(text: &str) -> Cow<'_, str> {
    show(text, |c| is_harmless(c) && !matches!(c, '\n' | '\t'))
}

fn show(text: &str, fits: impl Fn(char) -> bool) -> Cow<'_, str> {
    let Some(first) = text.char_indices().find(|(_, c)| !fits(*c)).map(|(at, _)| at) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    let mut chars = text[first..].chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if fits(c) => out.push(c),
            '\r' if chars.peek() == Some(&'\n') && fits('\n') => {}
            c => escaped(&mut out, c),
        }
    }
    Cow::Owned(out)
}

/// As [`shown`], for bytes that may not be text: what is no UTF-8 becomes `\xff`.
pub fn shown_bytes(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => shown(text),
        Err(_) => {
            let mut out = String::with_capacity(bytes.len() + 16);
            for chunk in bytes.utf8_chunks() {
                out.push_str(&shown(chunk.valid()));
                for byte in chunk.invalid() {
                    raw_byte(&mut out, *byte);
                }
            }
            Cow::Owned(out)
        }
    }
}

/// Writes a byte that belongs to no character.
pub(crate) fn raw_byte(out: &mut String, byte: u8) {
    write!(out, "\\x{byte:02x}").expect("a String takes all that is written to it");
}

/// A JSON document without characters that are not harmless: in its strings they become JSON's own escapes, so that it
/// means the same.
pub fn in_json(document: &str) -> Cow<'_, str> {
    let Some(first) = document.char_indices().find(|(_, c)| !is_harmless(*c)).map(|(at, _)| at) else {
        return Cow::Borrowed(document);
    };
    let mut out = String::with_capacity(document.len() + 32);
    out.push_str(&document[..first]);
    for c in document[first..].chars() {
        // Outside of strings JSON has no such character but a carriage return, which is white space.
        match c {
            c if is_harmless(c) => out.push(c),
            '\r' => out.push(' '),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}").expect("a String takes all that is written to it");
                }
            }
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_obeys_is_written_out() {
        for (raw, seen) in [
            ("a\u{1b}[2Jb", "a\\x1b[2Jb"),
            ("\u{7}\u{8}\u{7f}", "\\x07\\x08\\x7f"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("user\u{202e}nimda", "user\\u{202e}nimda"),
            ("\u{2066}\u{200f}\u{61c}", "\\u{2066}\\u{200f}\\u{61c}"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("\u{e0041}", "\\u{e0041}"),
            ("a\u{2028}b", "a\\u{2028}b"),
            ("50%\rdone", "50%\\rdone"),
            ("one\r\ntwo\ttabs\n", "one\ntwo\ttabs\n"),
            ("ends\r", "ends\\r"),
        ] {
            assert_eq!(shown(raw), seen);
        }
        assert_eq!(shown_on_a_line("a\nb\tc\r\n"), "a\\nb\\tc\\r\\n");
        assert_eq!(shown_bytes(b"a\xff\x1b\xc3"), "a\\xff\\x1b\\xc3");
    }

    #[test]
    fn the_worlds_scripts_are_harmless() {
        for text in ["Grüße", "日本語", "Привет", "שלום", "العربية", "한국어", "🚀 ✓ — … ⎿", "a\u{fe0f}"]
        {
            assert!(matches!(shown(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn unseen_ranges_are_in_order() {
        assert!(UNSEEN.windows(2).all(|pair| pair[0].1 < pair[1].0) && UNSEEN.iter().all(|(a, b)| a <= b));
    }

    proptest! {
        #[test]
        fn nothing_but_harmless_characters_comes_out(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            prop_assert!(shown(&text).chars().all(is_harmless));
            prop_assert!(shown_on_a_line(&text).chars().all(|c| is_harmless(c) && c != '\n'));
            prop_assert!(shown_bytes(&bytes).chars().all(is_harmless));
        }

        #[test]
        fn what_was_shown_once_is_shown_the_same_again(text in any::<String>()) {
            let once = shown(&text).into_owned();
            prop_assert_eq!(shown(&once), once.as_str());
            let line = shown_on_a_line(&text).into_owned();
            prop_assert_eq!(shown_on_a_line(&line), line.as_str());
        }

        #[test]
        fn any_control_and_direction_character_is_escaped_wherever_it_stands(
            before in "\\PC{0,8}", after in "\\PC{0,8}",
            hidden in prop::sample::select(vec!['\u{1b}', '\u{7}', '\u{9d}', '\u{202e}', '\u{2069}', '\u{200d}', '\u{2029}']),
        ) {
            let text = format!("{before}{hidden}{after}");
            prop_assert!(!shown(&text).contains(hidden));
        }
    }
}
