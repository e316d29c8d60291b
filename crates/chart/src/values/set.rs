//! The grammar of `--set`, `--set-string`, `--set-json`, `--set-file` and `--set-literal` (helm: `pkg/strvals`).

use landfall_gotemplate::{Data, Map, Origin, Value, format};

use super::json;

/// Largest list index that may be set.
const MAX_INDEX: i64 = 65_536;
/// How many `.` may stand in one key.
const MAX_NESTING: usize = 30;
/// How many `[i]` may follow each other; Helm has no limit of its own here.
const MAX_NESTED_LISTS: usize = 1_000;

/// How the values of a set line are read.
pub(crate) enum Reading<'a> {
    /// `--set`: integers, booleans, null, else strings.
    Typed,
    /// `--set-string`: strings.
    Strings,
    /// `--set-json`: JSON texts.
    Json,
    /// `--set-file`: what a file of that name holds.
    Files(&'a mut dyn FnMut(&str) -> Result<String, String>),
    /// `--set-literal`: everything behind the first `=`, verbatim.
    Literal,
}

/// Parses a set line into a map that may hold values already.
///
/// All values made carry the origin.
///
/// # Errors
/// Helm's text (without its `failed parsing --set data: ` in front).
pub(crate) fn parse_into(text: &str, into: &Map, reading: Reading<'_>, origin: Origin) -> Result<(), String> {
    let escapes = !matches!(reading, Reading::Literal);
    let mut parser = Parser { rest: text, reading, origin, escapes, list_depth: 0 };
    loop {
        match parser.key(into, 0) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            Err(Stop::Error(text)) => return Err(text),
        }
    }
}

struct Parser<'t, 'r> {
    rest: &'t str,
    reading: Reading<'r>,
    origin: Origin,
    escapes: bool,
    list_depth: usize,
}

/// Why a step does not go on.
enum Stop {
    /// The text is used up; Go's `io.EOF`.
    End,
    /// Refused, in Helm's words.
    Error(String),
}

impl From<String> for Stop {
    fn from(text: String) -> Self {
        Stop::Error(text)
    }
}

fn quoted(text: &str) -> String {
    format::quote(text.as_bytes())
}

impl Parser<'_, '_> {
    fn take(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    /// Reads up to one of the stops, which is taken too; `None` for the stop at the end of the text.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut text = String::new();
        while let Some(c) = self.take() {
            if stops.contains(&c) {
                return (text, Some(c));
            }
            if c == '\\' && self.escapes {
                match self.take() {
                    Some(next) => text.push(next),
                    None => return (text, None),
                }
            } else {
                text.push(c);
            }
        }
        (text, None)
    }

    fn value(&self, data: impl Into<Value>) -> Value {
        data.into().with_origin(self.origin)
    }

    fn set(&self, map: &Map, key: &str, value: Value) {
        if !key.is_empty() {
            map.insert(key, value);
        }
    }

    fn key(&mut self, map: &Map, nesting: usize) -> Result<(), Stop> {
        let stops: &[char] = if self.escapes { &['=', '[', ',', '.'] } else { &['=', '[', '.'] };
        let (key, stop) = self.until(stops);
        match stop {
            None if key.is_empty() => Err(Stop::End),
            None => Err(Stop::Error(format!("key {} has no value", quoted(&key)))),
            Some('[') => {
                let index = self.index()?;
                let list = match map.get(&key) {
                    None => Vec::new(),
                    Some(existing) => match existing.as_list() {
                        Some(list) => list.values().to_vec(),
                        None => return Err(clash(&existing, "[]interface {}").into()),
                    },
                };
                let (list, result) = self.list_item(list, index, nesting);
                self.set(map, &key, self.value(list));
                result
            }
            Some('=') => self.end_of_key(map, &key),
            Some(',') => {
                self.set(map, &key, self.value(""));
                Err(Stop::Error(format!("key {} has no value (cannot end with ,)", quoted(&key))))
            }
            Some(_) => {
                let nesting = nesting + 1;
                if nesting > MAX_NESTING {
                    return Err(Stop::Error(format!(
                        "value name nested level is greater than maximum supported nested level of {MAX_NESTING}"
                    )));
                }
                let inner = match map.get(&key) {
                    None => Map::new(),
                    Some(existing) => match existing.as_map() {
                        Some(inner) => inner.clone(),
                        None => return Err(clash(&existing, "map[string]interface {}").into()),
                    },
                };
                let result = self.key(&inner, nesting);
                if result.is_ok() && inner.is_empty() {
                    return Err(Stop::Error(format!("key map {} has no value", quoted(&key))));
                }
                if !inner.is_empty() {
                    self.set(map, &key, self.value(inner));
                }
                result
            }
        }
    }

    /// What stands behind `=`.
    fn end_of_key(&mut self, map: &Map, key: &str) -> Result<(), Stop> {
        match self.reading {
            Reading::Literal => {
                let text = std::mem::take(&mut self.rest);
                self.set(map, key, self.value(text));
                Ok(())
            }
            Reading::Json => {
                let value = self.json()?;
                self.set(map, key, value);
                Ok(())
            }
            _ if self.rest.is_empty() => {
                self.set(map, key, self.value(""));
                Err(Stop::End)
            }
            _ => {
                let value = self.list_or_scalar()?;
                self.set(map, key, value);
                Ok(())
            }
        }
    }

    /// `{a,b}` or everything up to the next comma; the text is not empty.
    fn list_or_scalar(&mut self) -> Result<Value, Stop> {
        if self.rest.starts_with('{') {
            self.take();
            let list = self.list()?;
            return Ok(self.value(list));
        }
        let (text, _) = self.until(&[',']);
        Ok(self.scalar(&text)?)
    }

    fn list(&mut self) -> Result<Vec<Value>, Stop> {
        let mut list = Vec::new();
        loop {
            let (text, stop) = self.until(&[',', '}']);
            match stop {
                None => return Err(Stop::Error("list must terminate with '}'".to_owned())),
                Some('}') => {
                    if self.rest.starts_with(',') {
                        self.take();
                    }
                    list.push(self.scalar(&text)?);
                    return Ok(list);
                }
                Some(_) => list.push(self.scalar(&text)?),
            }
        }
    }

    fn scalar(&mut self, text: &str) -> Result<Value, String> {
        let value = match &mut self.reading {
            Reading::Typed => typed(text),
            Reading::Files(read) => Value::from(read(text)?),
            Reading::Strings | Reading::Json | Reading::Literal => Value::from(text),
        };
        Ok(value.with_origin(self.origin))
    }

    /// A JSON text, which ends where it is complete; blank up to a comma or the end is null.
    fn json(&mut self) -> Result<Value, Stop> {
        if self.blank() {
            return Ok(self.value(Value::nil()));
        }
        let mut texts = serde_json::Deserializer::from_str(self.rest).into_iter::<serde_json::Value>();
        let value = match texts.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) => return Err(Stop::Error(error.to_string())),
            None => return Err(Stop::Error("EOF".to_owned())),
        };
        self.rest = &self.rest[texts.byte_offset()..];
        self.blank();
        Ok(json::to_value(&value, self.origin))
    }

    /// Skips space; whether a comma (taken too) or the end follows.
    fn blank(&mut self) -> bool {
        loop {
            match self.rest.chars().next() {
                None => return true,
                Some(',') => {
                    self.take();
                    return true;
                }
                Some(c) if c.is_whitespace() => {
                    self.take();
                }
                Some(_) => return false,
            }
        }
    }

    fn index(&mut self) -> Result<i64, Stop> {
        let (text, stop) = self.until(&[']']);
        if stop.is_none() {
            return Err(Stop::Error("error parsing index: EOF".to_owned()));
        }
        let digits = text.strip_prefix(['+', '-']).unwrap_or(&text);
        let error =
            |what: &str| Stop::Error(format!("error parsing index: strconv.Atoi: parsing {}: {what}", quoted(&text)));
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(error("invalid syntax"));
        }
        text.parse().map_err(|_| error("value out of range"))
    }

    /// What stands behind `[i]`; gives the list as it then is, also when the text is refused behind it.
    fn list_item(&mut self, mut list: Vec<Value>, index: i64, nesting: usize) -> (Vec<Value>, Result<(), Stop>) {
        if index < 0 {
            return (list, Err(Stop::Error(format!("negative {index} index not allowed"))));
        }
        let (text, stop) = self.until(&['[', '.', '=']);
        if !text.is_empty() {
            // Helm prints the characters one by one.
            let characters: Vec<String> = text.chars().map(|c| format!("{c:?}")).collect();
            let error = format!("unexpected data at end of array index: [{}]", characters.join(" "));
            return (list, Err(Stop::Error(error)));
        }
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let value = match stop {
            None => Err(Stop::End),
            Some('=') => match self.reading {
                Reading::Literal => {
                    let text = std::mem::take(&mut self.rest);
                    Ok(self.value(text))
                }
                Reading::Json => self.json(),
                _ if self.rest.is_empty() => Ok(self.value("")),
                _ => self.list_or_scalar(),
            },
            Some('[') => self.nested_list(list.get(at), nesting),
            Some(_) => {
                let inner = list.get(at).and_then(Value::as_map).cloned().unwrap_or_default();
                self.key(&inner, nesting).map(|()| self.value(inner))
            }
        };
        match value.and_then(|value| Ok(set_index(&mut list, index, value)?)) {
            Ok(()) => (list, Ok(())),
            Err(stop) => (list, Err(stop)),
        }
    }

    fn nested_list(&mut self, existing: Option<&Value>, nesting: usize) -> Result<Value, Stop> {
        let next = self.index()?;
        let inner = match existing {
            None => Vec::new(),
            Some(value) if value.is_nil() => Vec::new(),
            Some(value) => match value.as_list() {
                Some(list) => list.values().to_vec(),
                None => return Err(clash(value, "[]interface {}").into()),
            },
        };
        self.list_depth += 1;
        if self.list_depth > MAX_NESTED_LISTS {
            return Err(Stop::Error(format!("lists are nested deeper than {MAX_NESTED_LISTS} levels")));
        }
        let (inner, result) = self.list_item(inner, next, nesting);
        self.list_depth -= 1;
        result.map(|()| self.value(inner))
    }
}

/// Go's panic text, which Helm shows, when a value is not of the type that the key asks for.
fn clash(value: &Value, wanted: &str) -> String {
    let is = if value.is_nil() { "nil".into() } else { value.type_name() };
    format!("unable to parse key: interface conversion: interface {{}} is {is}, not {wanted}")
}

fn set_index(list: &mut Vec<Value>, index: i64, value: Value) -> Result<(), String> {
    if index > MAX_INDEX {
        return Err(format!("index of {index} is greater than maximum supported index of {MAX_INDEX}"));
    }
    let at = usize::try_from(index).map_err(|_| format!("negative {index} index not allowed"))?;
    if list.len() <= at {
        list.resize(at + 1, Value::nil());
    }
    list[at] = value;
    Ok(())
}

/// `--set`'s typing: true, false, null in any case; `0`; integers that do not start with a zero; else a string.
fn typed(text: &str) -> Value {
    if text.eq_ignore_ascii_case("true") {
        return Value::from(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Value::from(false);
    }
    if text.eq_ignore_ascii_case("null") {
        return Value::nil();
    }
    if text == "0" {
        return Value::from(Data::Int64(0));
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !text.starts_with('0')
        && !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
        && let Ok(number) = text.parse::<i64>()
    {
        return Value::from(Data::Int64(number));
    }
    Value::from(text)
}
