//! Values to JSON text.

use landfall_gotemplate::{Data, FuncError, Host, HostKind, MAX_TEXT, Value};

use super::too_long;

/// Deepest value that is written; Go looks for cycles from there on.
const MAX_DEPTH: usize = 500;

/// How the text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// On one line, `<`, `>` and `&` escaped: `json.Marshal`.
    Html,
    /// On one line, only what must be is escaped: an encoder with `SetEscapeHTML(false)`.
    Raw,
    /// As [`Escape::Html`], indented by two spaces: `json.MarshalIndent`.
    Pretty,
}

/// A value's JSON text, keys sorted.
///
/// # Errors
/// Numbers without JSON form and values that hold themselves, in Go's words.
pub fn encode(value: &Value, escape: Escape) -> Result<Vec<u8>, FuncError> {
    let mut writer = Writer { out: Vec::new(), escape, depth: 0 };
    writer.value(value)?;
    Ok(writer.out)
}

struct Writer {
    out: Vec<u8>,
    escape: Escape,
    depth: usize,
}

impl Writer {
    fn value(&mut self, value: &Value) -> Result<(), FuncError> {
        // Values that hold one part many times.
        if self.out.len() > MAX_TEXT {
            return Err(too_long(MAX_TEXT));
        }
        match value.data() {
            Data::Nil => self.word("null"),
            Data::Bool(truth) => self.word(if *truth { "true" } else { "false" }),
            Data::Int(number) | Data::Int64(number) => self.word(&number.to_string()),
            Data::Int32(number) => self.word(&number.to_string()),
            Data::Uint(number) | Data::Uint64(number) => self.word(&number.to_string()),
            Data::Uint8(number) => self.word(&number.to_string()),
            Data::Float(number) => self.float(*number)?,
            Data::Complex(_) => return Err(FuncError::new("json: unsupported type: complex128")),
            Data::Str(text) => self.string(text),
            Data::Bytes(bytes) => {
                use base64::Engine as _;
                self.string(base64::engine::general_purpose::STANDARD.encode(bytes.as_bytes()).as_bytes());
            }
            Data::List(list) if list.is_nil() => self.word("null"),
            Data::List(list) => {
                self.open(b'[', value)?;
                for (at, element) in list.values().iter().enumerate() {
                    self.separate(at);
                    self.value(element)?;
                }
                self.close(b']', list.len());
            }
            Data::Map(map) if map.is_nil() => self.word("null"),
            Data::Map(map) => {
                let entries = map.entries();
                self.open(b'{', value)?;
                for (at, (key, element)) in entries.iter().enumerate() {
                    self.separate(at);
                    self.key(key);
                    self.value(element)?;
                }
                self.close(b'}', entries.len());
            }
            Data::Host(host) => self.host(&**host, value)?,
        }
        Ok(())
    }

    fn host(&mut self, host: &dyn Host, value: &Value) -> Result<(), FuncError> {
        if let Some(text) = host.json() {
            if self.escape == Escape::Html {
                self.out.extend_from_slice(text.as_bytes());
                return Ok(());
            }
            return self.transcribe(text.as_bytes(), value);
        }
        if let Some(below) = host.underlying() {
            return self.value(&below);
        }
        if host.kind() == HostKind::Defined {
            self.word("null");
            return Ok(());
        }
        let fields = host.fields();
        self.open(b'{', value)?;
        for (at, (name, field)) in fields.iter().enumerate() {
            self.separate(at);
            self.key(name.as_bytes());
            self.value(field)?;
        }
        self.close(b'}', fields.len());
        Ok(())
    }

    /// A JSON text without spaces written anew: the same tokens in the same order, escapes and indentation this writer's.
    fn transcribe(&mut self, mut text: &[u8], value: &Value) -> Result<(), FuncError> {
        while let Some((&byte, rest)) = text.split_first() {
            let mut taken = 1;
            match byte {
                b'{' | b'[' => {
                    self.open(byte, value)?;
                    if !matches!(rest.first(), Some(b'}' | b']')) {
                        self.line();
                    } else {
                        self.close(rest[0], 0);
                        taken = 2;
                    }
                }
                b'}' | b']' => self.close(byte, 1),
                b',' => self.separate(1),
                b':' => self.word(if self.escape == Escape::Pretty { ": " } else { ":" }),
                b'"' => {
                    taken = quoted(text);
                    let read = super::parse(&text[..taken]).map_err(FuncError::new)?;
                    self.value(&read)?;
                }
                _ => self.out.push(byte),
            }
            text = &text[taken..];
        }
        Ok(())
    }

    fn word(&mut self, word: &str) {
        self.out.extend_from_slice(word.as_bytes());
    }

    fn open(&mut self, bracket: u8, value: &Value) -> Result<(), FuncError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let problem = format!("json: unsupported value: encountered a cycle via {}", value.type_name());
            return Err(FuncError::new(problem));
        }
        self.out.push(bracket);
        Ok(())
    }

    fn close(&mut self, bracket: u8, len: usize) {
        self.depth -= 1;
        if len > 0 {
            self.line();
        }
        self.out.push(bracket);
    }

    fn separate(&mut self, at: usize) {
        if at > 0 {
            self.out.push(b',');
        }
        self.line();
    }

    fn line(&mut self) {
        if self.escape == Escape::Pretty {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + 2 * self.depth, b' ');
        }
    }

    fn key(&mut self, key: &[u8]) {
        self.string(key);
        self.word(if self.escape == Escape::Pretty { ": " } else { ":" });
    }

    fn float(&mut self, number: f64) -> Result<(), FuncError> {
        if !number.is_finite() {
            let shown = landfall_gotemplate::format::float(number);
            return Err(FuncError::new(format!("json: unsupported value: {shown}")));
        }
        self.word(&shortest(number));
        Ok(())
    }

    fn string(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for chunk in text.utf8_chunks() {
            let valid = chunk.valid();
            let mut from = 0;
            for (at, c) in valid.char_indices() {
                let Some(escape) = self.escape_of(c) else { continue };
                self.out.extend_from_slice(&valid.as_bytes()[from..at]);
                self.out.extend_from_slice(escape.as_bytes());
                from = at + c.len_utf8();
            }
            self.out.extend_from_slice(&valid.as_bytes()[from..]);
            for _ in chunk.invalid() {
                self.word("\\ufffd");
            }
        }
        self.out.push(b'"');
    }

    fn escape_of(&self, c: char) -> Option<std::borrow::Cow<'static, str>> {
        Some(match c {
            '"' => "\\\"".into(),
            '\\' => "\\\\".into(),
            '\n' => "\\n".into(),
            '\r' => "\\r".into(),
            '\t' => "\\t".into(),
            '\u{8}' => "\\b".into(),
            '\u{c}' => "\\f".into(),
            '\0'..'\u{20}' | '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", c as u32).into(),
            '<' | '>' | '&' if self.escape != Escape::Raw => format!("\\u{:04x}", c as u32).into(),
            _ => return None,
        })
    }
}

/// How long the text in quotes is with which a JSON text begins.
fn quoted(text: &[u8]) -> usize {
    let mut escaped = false;
    let end = text.iter().skip(1).position(|byte| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    });
    end.map_or(text.len(), |end| end + 2)
}

/// A float as `encoding/json` writes it: plain from 1e-6 to 1e21, else with an exponent of no more digits than it has.
fn shortest(number: f64) -> String {
    let size = number.abs();
    let scientific = size != 0.0 && !(1e-6..1e21).contains(&size);
    let verb = if scientific { b'e' } else { b'f' };
    let text = landfall_gotemplate::format::float_as(number, verb, None);
    match text.split_once("e-0") {
        Some((mantissa, exponent)) if scientific => format!("{mantissa}e-{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[derive(Debug)]
    struct Struct;

    impl Host for Struct {
        fn type_name(&self) -> Cow<'static, str> {
            Cow::Borrowed("Struct")
        }

        fn json(&self) -> Option<String> {
            Some(r#"{"z":"\u003ca \"b\"\\","a":[],"m":{},"k":[1.50,{"y":null,"b":true}]}"#.to_owned())
        }
    }

    #[test]
    fn fields_of_a_struct_keep_their_order_however_they_are_written() {
        let written = |escape| String::from_utf8(encode(&Value::host(Struct), escape).expect("fine")).expect("text");
        assert_eq!(written(Escape::Html), Struct.json().expect("text"));
        assert_eq!(written(Escape::Raw), r#"{"z":"<a \"b\"\\","a":[],"m":{},"k":[1.50,{"y":null,"b":true}]}"#);
        let pretty = "{\n  \"z\": \"\\u003ca \\\"b\\\"\\\\\",\n  \"a\": [],\n  \"m\": {},\n  \"k\": [\n    1.50,\n    {\n      \"y\": null,\n      \"b\": true\n    }\n  ]\n}";
        assert_eq!(written(Escape::Pretty), pretty);
    }
}
