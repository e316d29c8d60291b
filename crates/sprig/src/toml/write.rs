//! Values to TOML text, in the layout of BurntSushi/toml 1.6.

use landfall_gotemplate::{Data, List, MAX_TEXT, Map, Str, Value, format};

/// Deepest value that is written.
const MAX_DEPTH: usize = 200;
/// What is said of a text that is longer than any that is made.
pub(super) const TOO_LONG: &str = "toml: text is too long";

/// A map as TOML: plain keys first, then tables, each sorted, indented by two blanks a level.
pub(super) fn to_toml(value: &Value) -> Result<Vec<u8>, String> {
    let mut writer = Writer { out: Vec::new() };
    match value.data() {
        Data::Map(map) => writer.table(&[], map)?,
        // A list of maps would be tables without a name; anything else is written as it would stand behind a key.
        _ => writer.element(value, 0)?,
    }
    Ok(writer.out)
}

struct Writer {
    out: Vec<u8>,
}

impl Writer {
    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn newline(&mut self) {
        if !self.out.is_empty() {
            self.out.push(b'\n');
        }
    }

    fn header(&mut self, key: &[Str], open: &str, close: &str) {
        let indent = "  ".repeat(key.len().saturating_sub(1));
        let name: Vec<String> = key.iter().map(quoted_key).collect();
        self.text(&format!("{indent}{open}{}{close}", name.join(".")));
        self.newline();
    }

    fn table(&mut self, key: &[Str], map: &Map) -> Result<(), String> {
        if key.len() > MAX_DEPTH {
            return Err("toml: value is nested too deeply".to_owned());
        }
        if self.out.len() > MAX_TEXT {
            return Err(TOO_LONG.to_owned());
        }
        let entries: Vec<(Str, Value)> = map.entries().into_iter().filter(|(_, value)| !is_nothing(value)).collect();
        for (name, value) in entries.iter().filter(|(_, value)| !is_table(value)) {
            let indent = "  ".repeat(key.len());
            self.text(&format!("{indent}{} = ", quoted_key(name)));
            self.element(value, 0)?;
            self.newline();
        }
        for (name, value) in entries.iter().filter(|(_, value)| is_table(value)) {
            let path: Vec<Str> = key.iter().cloned().chain([name.clone()]).collect();
            match value.data() {
                Data::Map(inner) => {
                    if path.len() == 1 {
                        self.newline();
                    }
                    self.header(&path, "[", "]");
                    self.table(&path, inner)?;
                }
                _ => {
                    for item in value.as_list().map_or(&[][..], List::values).iter().filter_map(Value::as_map) {
                        self.newline();
                        self.header(&path, "[[", "]]");
                        self.table(&path, item)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn element(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err("toml: value is nested too deeply".to_owned());
        }
        if self.out.len() > MAX_TEXT {
            return Err(TOO_LONG.to_owned());
        }
        match value.data() {
            Data::Str(text) => self.string(text),
            Data::Float(number) => self.float(*number),
            Data::List(list) => {
                self.text("[");
                for (at, item) in list.values().iter().enumerate() {
                    if item.is_nil() {
                        return Err("toml: cannot encode array with nil element".to_owned());
                    }
                    self.text(if at > 0 { ", " } else { "" });
                    self.element(item, depth + 1)?;
                }
                self.text("]");
            }
            Data::Map(map) => {
                self.text("{");
                let entries = map.entries();
                let (tables, plain): (Vec<_>, Vec<_>) =
                    entries.iter().filter(|(_, value)| !is_nothing(value)).partition(|(_, value)| is_table(value));
                for (at, (name, value)) in plain.into_iter().chain(tables).enumerate() {
                    self.text(if at > 0 { ", " } else { "" });
                    self.text(&format!("{} = ", quoted_key(name)));
                    self.element(value, depth + 1)?;
                }
                self.text("}");
            }
            Data::Nil => return Err("toml: cannot encode array with nil element".to_owned()),
            Data::Complex(_) | Data::Bytes(_) => {
                return Err(format!("unsupported type for key '': {}", value.kind_name()));
            }
            _ => {
                let shown = format::display(value);
                match value.data() {
                    Data::Host(host) if host.type_name() == "time.Time" => {
                        self.text(host.json().unwrap_or_default().trim_matches('"'));
                    }
                    // A version: its text.
                    Data::Host(host) if host.underlying().is_none() => self.string(&Str::from(shown)),
                    _ => self.out.extend_from_slice(&shown),
                }
            }
        }
        Ok(())
    }

    fn float(&mut self, number: f64) {
        let shown = match number {
            number if number.is_nan() => "nan".to_owned(),
            number if number.is_infinite() => if number > 0.0 { "inf" } else { "-inf" }.to_owned(),
            number => format::float(number),
        };
        self.text(&shown);
        if shown.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
            self.text(".0");
        }
    }

    fn string(&mut self, text: &Str) {
        self.out.push(b'"');
        for byte in text.as_bytes() {
            match byte {
                b'"' => self.text("\\\""),
                b'\\' => self.text("\\\\"),
                b'\t' => self.text("\\t"),
                b'\n' => self.text("\\n"),
                b'\r' => self.text("\\r"),
                0x08 => self.text("\\b"),
                0x0C => self.text("\\f"),
                0..0x20 | 0x7F => self.text(&format!("\\u{byte:04x}")),
                _ => self.out.push(*byte),
            }
        }
        self.out.push(b'"');
    }
}

fn is_nothing(value: &Value) -> bool {
    match value.data() {
        Data::Nil => true,
        Data::List(list) => list.is_nil(),
        Data::Map(map) => map.is_nil(),
        _ => false,
    }
}

/// A map, or a list of nothing but maps.
fn is_table(value: &Value) -> bool {
    match value.data() {
        Data::Map(_) => true,
        Data::List(list) => !list.is_empty() && list.values().iter().all(|item| item.as_map().is_some()),
        _ => false,
    }
}

fn quoted_key(key: &Str) -> String {
    let text = key.to_string_lossy();
    let bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if bare {
        return text.into_owned();
    }
    let mut writer = Writer { out: Vec::new() };
    writer.string(key);
    String::from_utf8_lossy(&writer.out).into_owned()
}
