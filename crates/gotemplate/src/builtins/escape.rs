//! `html`, `js` and `urlquery`; `text/template/funcs.go`.

use crate::format::classes::is_printable;
use crate::format::utf8;

pub(super) fn html(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            byte => out.push(*byte),
        }
    }
    out
}

pub(super) fn js(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(&byte) = rest.first() {
        let mut length = 1;
        match byte {
            b'\\' => out.extend_from_slice(br"\\"),
            b'\'' => out.extend_from_slice(br"\'"),
            b'"' => out.extend_from_slice(br#"\""#),
            b'<' | b'>' | b'&' | b'=' | 0..=0x1f => out.extend_from_slice(format!("\\u{byte:04X}").as_bytes()),
            0x20..=0x7f => out.push(byte),
            _ => {
                let (character, bytes) = utf8::decode(rest);
                length = bytes;
                match character {
                    Some(character) if is_printable(character) => out.extend_from_slice(&rest[..bytes]),
                    // A wrong byte counts as the replacement character, which prints, as the byte that it is.
                    None => out.push(byte),
                    Some(character) => {
                        out.extend_from_slice(format!("\\u{:04X}", u32::from(character)).as_bytes());
                    }
                }
            }
        }
        rest = &rest[length..];
    }
    out
}

pub(super) fn url_query(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            b' ' => out.push(b'+'),
            byte => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    out
}
