//! The little DER and PEM that Go's forms of a private key need.
//!
//! What is read is checked for its lengths and nothing else; what it means is the caller's to know.

use base64::Engine as _;

/// One element: its tag and content; what follows it.
pub fn read(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (len, rest) = match *first {
        short @ 0..0x80 => (usize::from(short), rest),
        long => {
            let count = usize::from(long & 0x7F);
            if count == 0 || count > 4 || rest.len() < count {
                return None;
            }
            let len = rest[..count].iter().fold(0usize, |len, byte| len << 8 | usize::from(*byte));
            (len, &rest[count..])
        }
    };
    (rest.len() >= len).then(|| (*tag, &rest[..len], &rest[len..]))
}

/// An element.
pub fn write(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..0x80 => out.push(short as u8),
        long => {
            let bytes = long.to_be_bytes();
            let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(0);
            out.push(0x80 | (bytes.len() - start) as u8);
            out.extend_from_slice(&bytes[start..]);
        }
    }
    out.extend_from_slice(content);
    out
}

/// The tag of a sequence.
pub const SEQUENCE: u8 = 0x30;
/// The tag of a whole number.
pub const INTEGER: u8 = 0x02;
/// The tag of a string of bytes.
pub const OCTETS: u8 = 0x04;
/// The tag of a string of bits.
pub const BITS: u8 = 0x03;
/// The tag of a set.
pub const SET: u8 = 0x31;
/// The tag of a `PrintableString`.
pub const PRINTABLE: u8 = 0x13;
/// The tag of a `UTF8String`.
pub const UTF8: u8 = 0x0C;
const VERSION: u8 = 0xA0;

/// The subject of a certificate, whole.
pub fn subject(certificate: &[u8]) -> Option<&[u8]> {
    let (SEQUENCE, certificate, _) = read(certificate)? else { return None };
    let (SEQUENCE, mut rest, _) = read(certificate)? else { return None };
    if let (VERSION, _, behind) = read(rest)? {
        rest = behind;
    }
    // Serial number, algorithm, issuer and times stand in front.
    for _ in 0..4 {
        rest = read(rest)?.2;
    }
    let behind = read(rest)?.2;
    Some(&rest[..rest.len() - behind.len()])
}

/// The algorithm and the key inside a PKCS #8 `PrivateKeyInfo`.
pub fn pkcs8_parts(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (SEQUENCE, body, _) = read(bytes)? else { return None };
    let (INTEGER, _, rest) = read(body)? else { return None };
    let (SEQUENCE, algorithm, rest) = read(rest)? else { return None };
    let (OCTETS, key, _) = read(rest)? else { return None };
    Some((algorithm, key))
}

/// PEM text of a block, as `encoding/pem` writes it.
pub fn pem(label: &str, bytes: &[u8]) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// All PEM blocks of a text that can be read, in their order.
pub fn pem_blocks(text: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(BEGIN.len()).position(|window| window == BEGIN.as_bytes()) {
        rest = &rest[at..];
        found.extend(pem_block(rest));
        rest = &rest[BEGIN.len()..];
    }
    found
}

/// What every PEM block begins with.
const BEGIN: &str = "-----BEGIN ";

/// The first PEM block of a text: its label and bytes.
pub fn pem_block(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let text = std::str::from_utf8(text).ok()?;
    let begin = text.find(BEGIN)?;
    let (label, body) = text[begin + 11..].split_once("-----")?;
    let (body, _) = body.split_once(&format!("-----END {label}-----"))?;
    // Headers (`Proc-Type: …`) stand before a blank line.
    let body = if body.contains(':') { body.split_once("\n\n")?.1 } else { body };
    let packed: Vec<u8> = body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    Some((label.to_owned(), crate::encoding::decode_base64(&packed).ok()?))
}
