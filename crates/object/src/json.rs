//! JSON text of values.

use serde_json::Value;

/// Appends a value as JSON, without whitespace, keys in the map's order.
///
/// Whoever writes many objects writes them here: what a generic function costs depends on the crate that it is compiled for,
/// and this one is optimised in full.
pub fn write_json(value: &Value, out: &mut Vec<u8>) {
    // Writing a value into memory cannot fail.
    let _ = serde_json::to_writer(out, value);
}

/// A value as JSON, as [`write_json`] writes it.
pub fn to_json(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    write_json(value, &mut out);
    out
}

/// The value that JSON text is, read here for the same reason.
///
/// # Errors
/// Where the text is no JSON, or something follows it.
#[inline(never)]
pub fn read_json(text: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(text)
}

/// Appends a string as JSON writes it, quotes around it.
pub fn write_json_string(text: &str, out: &mut Vec<u8>) {
    // Writing a string into memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_what_serde_writes() {
        let value = json!({"a": "ü\n\"", "b": [1, -2.5, null, true], "c": {"d": "\u{1f}"}});
        let mut out = b"x".to_vec();
        write_json(&value, &mut out);
        assert_eq!(out[1..], *to_json(&value));
        assert_eq!(out[1..], *serde_json::to_vec(&value).expect("JSON"));
        assert_eq!(read_json(&out[1..]).expect("JSON"), value);
        assert!(read_json(b"{} {}").is_err());
        out.clear();
        write_json_string("a\"b", &mut out);
        assert_eq!(out, br#""a\"b""#);
    }
}
