//! JSON text to values, with Go's words for what is wrong with it.

use landfall_gotemplate::{List, Map, Type, Value};

/// Deepest text that is read, as in `encoding/json`.
const MAX_DEPTH: usize = 10_000;

/// Deepest value that is made: less than is read, so that nothing that walks it runs out of stack.
const MAX_VALUE_DEPTH: usize = 500;

/// The value of a JSON text: numbers are `float64`, keys that occur twice keep the later value.
///
/// # Errors
/// The words of `json.Unmarshal`, without a place, as Go has none.
pub fn parse(text: &[u8]) -> Result<Value, String> {
    match parse_keeping(text)? {
        (_, Some(problem)) => Err(problem),
        (value, None) => Ok(value),
    }
}

/// As [`parse`], but a number too large for a `float64` is nil in the value and told beside it, as `json.Unmarshal` goes
/// on behind it.
pub(super) fn parse_keeping(text: &[u8]) -> Result<(Value, Option<String>), String> {
    let mut reader = Reader { text, at: 0, depth: 0, too_large: None };
    reader.blanks();
    let value = reader.value("looking for beginning of value")?;
    reader.blanks();
    if reader.at < text.len() {
        return Err(reader.invalid("after top-level value"));
    }
    Ok((value, reader.too_large))
}

/// Whether an error's words mean the middle of a token.
fn is_inside(context: &str) -> bool {
    context.starts_with("in ") || context.ends_with("literal")
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
    /// What Go says about the first number that is no `float64`.
    too_large: Option<String>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn invalid(&self, context: &str) -> String {
        match self.peek() {
            // Go ends a text with a blank, which fits between tokens and in strings only.
            None if context.starts_with("in string literal") || !is_inside(context) => {
                "unexpected end of JSON input".to_owned()
            }
            None => format!("invalid character ' ' {context}"),
            Some(b'\'') => format!("invalid character '\\'' {context}"),
            Some(b'"') => format!("invalid character '\"' {context}"),
            Some(byte) => {
                let quoted = landfall_gotemplate::format::quote(char::from(byte).to_string().as_bytes());
                format!("invalid character '{}' {context}", &quoted[1..quoted.len() - 1])
            }
        }
    }

    fn value(&mut self, context: &str) -> Result<Value, String> {
        match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => Ok(Value::from(self.string()?)),
            Some(b't') => self.literal("true").map(|()| Value::from(true)),
            Some(b'f') => self.literal("false").map(|()| Value::from(false)),
            Some(b'n') => self.literal("null").map(|()| Value::nil()),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.invalid(context)),
        }
    }

    fn enter(&mut self) -> Result<(), String> {
        self.depth += 1;
        self.at += 1;
        if self.depth > MAX_DEPTH.min(MAX_VALUE_DEPTH) {
            return Err("exceeded max depth".to_owned());
        }
        self.blanks();
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    fn object(&mut self) -> Result<Value, String> {
        self.enter()?;
        let map = Map::new();
        if self.peek() == Some(b'}') {
            self.leave();
            return Ok(Value::from(map));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.invalid("looking for beginning of object key string"));
            }
            let key = self.string()?;
            self.blanks();
            if self.peek() != Some(b':') {
                return Err(self.invalid("after object key"));
            }
            self.at += 1;
            self.blanks();
            let value = self.value("looking for beginning of value")?;
            map.insert(key, value);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.leave();
                    return Ok(Value::from(map));
                }
                _ => return Err(self.invalid("after object key:value pair")),
            }
            self.blanks();
        }
    }

    fn array(&mut self) -> Result<Value, String> {
        self.enter()?;
        let mut values = Vec::new();
        if self.peek() == Some(b']') {
            self.leave();
            return Ok(Value::from(List::grown(Type::Any, values)));
        }
        loop {
            values.push(self.value("looking for beginning of value")?);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.leave();
                    return Ok(Value::from(List::grown(Type::Any, values)));
                }
                _ => return Err(self.invalid("after array element")),
            }
            self.blanks();
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), String> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                return Err(self.invalid(&format!("in literal {word} (expecting '{}')", char::from(expected))));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.invalid("in numeric literal")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                return Err(self.invalid("after decimal point in numeric literal"));
            }
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                return Err(self.invalid("in exponent of numeric literal"));
            }
            self.digits();
        }
        let text = String::from_utf8_lossy(&self.text[start..self.at]);
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::from(number)),
            _ => {
                let problem = format!("json: cannot unmarshal number {text} into Go value of type float64");
                self.too_large.get_or_insert(problem);
                Ok(Value::nil())
            }
        }
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    /// A string in quotes; what is not UTF-8 becomes U+FFFD, byte by byte.
    fn string(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    let characters = crate::text::runes(&out).map(|(_, c, _)| c);
                    return Ok(characters.collect());
                }
                Some(b'\\') => {
                    self.at += 1;
                    let escaped = self.escape()?;
                    out.extend_from_slice(escaped.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(byte) if byte >= 0x20 => {
                    out.push(byte);
                    self.at += 1;
                }
                _ => return Err(self.invalid("in string literal")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let meaning = match self.peek() {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                let high = self.hex()?;
                return Ok(self.unit(high));
            }
            _ => return Err(self.invalid("in string escape code")),
        };
        self.at += 1;
        Ok(meaning)
    }

    fn hex(&mut self) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                return Err(self.invalid("in \\u hexadecimal character escape"));
            };
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }

    /// A UTF-16 unit, with its second half if that follows; a half alone is U+FFFD.
    fn unit(&mut self, high: u32) -> char {
        if (0xD800..0xDC00).contains(&high) && self.text[self.at..].starts_with(b"\\u") {
            let before = self.at;
            self.at += 2;
            if let Ok(low) = self.hex()
                && (0xDC00..0xE000).contains(&low)
            {
                let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                return char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            }
            self.at = before;
        }
        char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_json_is_refused_in_gos_words() {
        for (text, words) in [
            ("", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("x", "invalid character 'x' looking for beginning of value"),
            ("{a:1}", "invalid character 'a' looking for beginning of object key string"),
            ("[1 2]", "invalid character '2' after array element"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 \"b\"}", "invalid character '\"' after object key:value pair"),
            ("1 2", "invalid character '2' after top-level value"),
            ("tru", "invalid character ' ' in literal true (expecting 'e')"),
            ("\"a", "unexpected end of JSON input"),
            ("trux", "invalid character 'x' in literal true (expecting 'e')"),
            ("\"\\q\"", "invalid character 'q' in string escape code"),
            ("\"\n\"", "invalid character '\\n' in string literal"),
            ("-x", "invalid character 'x' in numeric literal"),
            ("1.", "invalid character ' ' after decimal point in numeric literal"),
        ] {
            assert_eq!(parse(text.as_bytes()).expect_err("broken"), words, "{text}");
        }
    }
}
