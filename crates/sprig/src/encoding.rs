//! Base64, base32 and checksums.

use aws_lc_rs::digest;
use base64::Engine as _;
use landfall_gotemplate::{Func, FuncMap, Str, Type, Value};

pub(crate) fn register(funcs: &mut FuncMap) {
    let mut text = |name: &str, map: fn(&[u8]) -> Str| {
        funcs.insert(name, Func::new(&[Type::String], move |_, a| Ok(Value::from(map(a.bytes(0))))));
    };
    text("b64enc", |bytes| Str::from(base64::engine::general_purpose::STANDARD.encode(bytes)));
    text("b64dec", |text| decoded("base64", decode_base64(text)));
    text("b32enc", |bytes| Str::from(encode_base32(bytes)));
    text("b32dec", |text| decoded("base32", decode_base32(text)));
    text("sha1sum", |bytes| hex(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref()));
    text("sha256sum", |bytes| hex(digest::digest(&digest::SHA256, bytes).as_ref()));
    text("sha512sum", |bytes| hex(digest::digest(&digest::SHA512, bytes).as_ref()));
    text("adler32sum", |bytes| Str::from(adler32(bytes).to_string()));
}

/// The bytes, or Go's complaint: these functions give the error's text as their result.
fn decoded(what: &str, result: Result<Vec<u8>, usize>) -> Str {
    match result {
        Ok(bytes) => Str::from(bytes),
        Err(at) => Str::from(format!("illegal {what} data at input byte {at}")),
    }
}

fn hex(bytes: &[u8]) -> Str {
    Str::from(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    // 5,552 bytes are the most that cannot overflow before the remainder is taken.
    for part in bytes.chunks(5552) {
        for byte in part {
            a += u32::from(*byte);
            b += a;
        }
        a %= 65521;
        b %= 65521;
    }
    b << 16 | a
}

fn is_newline(byte: &u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

fn base64_digit(byte: u8) -> Option<u32> {
    Some(
        match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        }
        .into(),
    )
}

/// Go's standard base64: padding is a must, line breaks are passed over.
///
/// # Errors
/// The place that Go names: `illegal base64 data at input byte N`.
pub fn decode_base64(text: &[u8]) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut at = 0;
    loop {
        let mut bits = 0u32;
        let mut digits = 0;
        while digits < 4 {
            let Some(byte) = text.get(at).copied() else {
                return if digits == 0 { Ok(out) } else { Err(at - digits) };
            };
            at += 1;
            if is_newline(&byte) {
                continue;
            }
            match base64_digit(byte) {
                Some(digit) => {
                    bits = bits << 6 | digit;
                    digits += 1;
                }
                None if byte == b'=' && digits >= 2 => {
                    end_base64(text, at, digits)?;
                    bits <<= 6 * (4 - digits);
                    let bytes = bits.to_be_bytes();
                    out.extend_from_slice(&bytes[1..digits]);
                    return Ok(out);
                }
                None => return Err(at - 1),
            }
        }
        out.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
}

/// What may stand behind the first `=`.
fn end_base64(text: &[u8], mut at: usize, digits: usize) -> Result<(), usize> {
    let skip = |at: usize| at + text[at..].iter().take_while(|byte| is_newline(byte)).count();
    if digits == 2 {
        at = skip(at);
        match text.get(at) {
            None => return Err(text.len()),
            Some(b'=') => at += 1,
            Some(_) => return Err(at - 1),
        }
    }
    at = skip(at);
    if at < text.len() { Err(at) } else { Ok(()) }
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn encode_base32(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for part in bytes.chunks(5) {
        let mut block = [0; 8];
        block[3..3 + part.len()].copy_from_slice(part);
        let bits = u64::from_be_bytes(block);
        let digits = (part.len() * 8).div_ceil(5);
        for place in 0..8 {
            let digit = (bits >> (35 - 5 * place) & 31) as usize;
            out.push(if place < digits { char::from(BASE32[digit]) } else { '=' });
        }
    }
    out
}

/// Go's standard base32. The error is the place that Go names, counted without line breaks.
fn decode_base32(text: &[u8]) -> Result<Vec<u8>, usize> {
    let text: Vec<u8> = text.iter().copied().filter(|byte| !is_newline(byte)).collect();
    let len = text.len();
    let mut out = Vec::new();
    let mut at = 0;
    while at < len {
        let mut bits = 0u64;
        let mut digits = 0;
        let mut end = false;
        while digits < 8 {
            let Some(byte) = text.get(at).copied() else { return Err(at - digits) };
            at += 1;
            let left = len - at;
            if byte == b'=' && digits >= 2 && left < 8 {
                if left + digits < 7 {
                    return Err(len);
                }
                for k in 0..7 - digits {
                    if left > k && text[at + k] != b'=' {
                        return Err(at + k - 1);
                    }
                }
                if matches!(digits, 3 | 6) {
                    return Err(at - 1);
                }
                end = true;
                break;
            }
            let Some(digit) = BASE32.iter().position(|known| *known == byte) else { return Err(at - 1) };
            bits = bits << 5 | digit as u64;
            digits += 1;
        }
        bits <<= 5 * (8 - digits);
        out.extend_from_slice(&bits.to_be_bytes()[3..3 + digits * 5 / 8]);
        if end {
            break;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_errors_name_the_place_that_go_names() {
        assert_eq!(decode_base64(b"aGk="), Ok(b"hi".to_vec()));
        assert_eq!(decode_base64(b"aG\nk=\n"), Ok(b"hi".to_vec()));
        assert_eq!(decode_base64(b"!"), Err(0));
        assert_eq!(decode_base64(b"aGk"), Err(0));
        assert_eq!(decode_base64(b"aGk=x"), Err(4));
        assert_eq!(decode_base64(b"aG="), Err(3));
    }

    #[test]
    fn base32_goes_there_and_back() {
        for text in [&b"a"[..], b"ab", b"abc", b"abcd", b"abcde", b"abcdef"] {
            assert_eq!(decode_base32(encode_base32(text).as_bytes()), Ok(text.to_vec()));
        }
        assert_eq!(encode_base32(b"hi"), "NBUQ====");
        assert_eq!(adler32(b"Wikipedia"), 0x11E6_0398);
    }
}
