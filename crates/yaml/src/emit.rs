//! Values to text, byte for byte as `sigs.k8s.io/yaml` (go-yaml v2) or go-yaml v3 writes them.
//!
//! Whoever has values pushes them into an [`Emitter`]: no tree is built in between, only mappings are sorted.

mod order;
mod scalar;
mod serialize;
mod through_json;

use std::borrow::Cow;

use serde::Serialize;

use crate::construct::replace_invalid;
use crate::error::Error;
use crate::json::not_json;
use crate::number::{Whole, float_g, whole};

pub use order::key_order;
use scalar::Analysis;
pub(crate) use scalar::reads_as_text;

/// Widest line before a space becomes a line break.
const BEST_WIDTH: usize = 80;

/// Longest key without `?`, in bytes.
const SIMPLE_KEY_LIMIT: usize = 128;

/// Longest text that is written, in bytes: values that hold each other many times have no end.
const MAX_TEXT: usize = 128 << 20;

/// Which program's text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// `sigs.k8s.io/yaml`: JSON, then go-yaml v2. Helm's `toYaml`.
    Sigs,
    /// go-yaml v3 with an indentation of 2. Helm's `toYamlPretty`.
    V3,
}

/// A value that can be written.
pub trait Emit {
    /// Pushes the value: exactly one, with its children.
    fn emit(&self, emitter: &mut Emitter);
}

/// Writes a value as `sigs.k8s.io/yaml` does, ending with a line break.
///
/// # Errors
/// What that library refuses: `.nan` and `.inf`, control characters that JSON lets through and YAML does not, keys
/// of more than 1,024 characters; and values that serde cannot hand out.
pub fn emit<T: Serialize + ?Sized>(value: &T) -> Result<String, Error> {
    write(Flavor::Sigs, &serialize::to_tree(value)?)
}

/// Writes a value as go-yaml v3 does with an indentation of 2, ending with a line break.
///
/// # Errors
/// Values that serde cannot hand out.
pub fn emit_pretty<T: Serialize + ?Sized>(value: &T) -> Result<String, Error> {
    write(Flavor::V3, &serialize::to_tree(value)?)
}

/// As [`emit`], for a value that pushes itself.
///
/// # Errors
/// As [`emit`].
pub fn emit_value<T: Emit + ?Sized>(value: &T) -> Result<String, Error> {
    write(Flavor::Sigs, value)
}

/// As [`emit_pretty`], for a value that pushes itself.
///
/// # Errors
/// What the value itself reports by [`Emitter::fail`].
pub fn emit_value_pretty<T: Emit + ?Sized>(value: &T) -> Result<String, Error> {
    write(Flavor::V3, value)
}

fn write<T: Emit + ?Sized>(flavor: Flavor, value: &T) -> Result<String, Error> {
    let mut emitter = Emitter::new(flavor);
    value.emit(&mut emitter);
    emitter.finish()
}

/// What a node stands in, which decides its layout.
#[derive(Clone, Copy, PartialEq)]
enum Context {
    Root,
    Item,
    /// A key after `?`, or a value.
    Entry,
    SimpleKey,
}

/// Writes values that are pushed into it.
pub struct Emitter {
    flavor: Flavor,
    out: String,
    column: usize,
    /// -1 before the root collection.
    indent: i32,
    /// The last character written is a blank, or a line has just begun.
    whitespace: bool,
    /// Nothing but indentation and indicators stands on this line.
    indention: bool,
    context: Context,
    depth: usize,
    error: Option<Error>,
}

impl Emitter {
    fn new(flavor: Flavor) -> Self {
        Self {
            flavor,
            out: String::new(),
            column: 0,
            indent: -1,
            whitespace: true,
            indention: true,
            context: Context::Root,
            depth: 0,
            error: None,
        }
    }

    fn finish(mut self) -> Result<String, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.write_indent();
        Ok(self.out)
    }

    /// Whether nothing more need be written: the error is what counts.
    fn is_over(&mut self) -> bool {
        if self.out.len() > MAX_TEXT {
            self.fail(Error::TooLong { most: MAX_TEXT });
        }
        self.error.is_some()
    }

    /// Reports that the value cannot be written; the first report counts.
    pub fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    /// Writes nothing's name.
    pub fn null(&mut self) {
        self.write_word("null");
    }

    /// Writes a truth value.
    pub fn bool(&mut self, value: bool) {
        self.write_word(if value { "true" } else { "false" });
    }

    /// Writes a whole number.
    pub fn int(&mut self, value: i64) {
        let mut buffer = itoa::Buffer::new();
        self.write_word(buffer.format(value));
    }

    /// Writes a whole number.
    pub fn uint(&mut self, value: u64) {
        let mut buffer = itoa::Buffer::new();
        self.write_word(buffer.format(value));
    }

    /// Writes a number.
    pub fn float(&mut self, value: f64) {
        match self.flavor {
            Flavor::Sigs if !value.is_finite() => {
                let error = not_json(value, None);
                self.fail(Error::Json { problem: format!("error marshaling into JSON: {error}"), at: None });
            }
            Flavor::Sigs => match whole(value) {
                Whole::Int(int) => self.int(int),
                Whole::Uint(uint) => self.uint(uint),
                Whole::No => self.write_word(&float_g(value)),
            },
            Flavor::V3 => self.write_word(match &*float_g(value) {
                "+Inf" => ".inf",
                "-Inf" => "-.inf",
                "NaN" => ".nan",
                text => text,
            }),
        }
    }

    /// Writes a text.
    pub fn string(&mut self, text: &str) {
        match self.through_json(text) {
            Some(text) => self.write_string(&text),
            None => self.fail(through_json::refused()),
        }
    }

    /// Writes a text without quotes whatever it reads as, such as a time.
    pub fn plain(&mut self, text: &str) {
        self.write_word(text);
    }

    /// Writes a text that may not be UTF-8: as JSON shows it, or for go-yaml v3 as `!!binary`.
    pub fn bytes(&mut self, bytes: &[u8]) {
        match (self.flavor, std::str::from_utf8(bytes)) {
            (_, Ok(text)) => self.string(text),
            (Flavor::Sigs, Err(_)) => self.string(&replace_invalid(bytes)),
            (Flavor::V3, Err(_)) => self.write_binary(bytes),
        }
    }

    /// Writes a sequence.
    pub fn sequence<'v, T: Emit + 'v>(&mut self, items: impl IntoIterator<Item = &'v T, IntoIter: ExactSizeIterator>) {
        let items = items.into_iter();
        let Some(outer) = self.open(items.len(), "[]") else { return };
        for item in items {
            if self.is_over() {
                break;
            }
            self.write_indent();
            self.write_indicator("-", Need::Space, After::Indention);
            self.context = Context::Item;
            item.emit(self);
        }
        self.close(outer);
    }

    /// Writes a mapping, sorted as go-yaml sorts; keys are told apart by the caller.
    pub fn mapping<T: Emit>(&mut self, mut entries: Vec<(&str, T)>) {
        order::sort(&mut entries, self.flavor);
        self.fields(&entries);
    }

    /// Writes a mapping in the order given, as the fields of a struct are written.
    pub fn fields<T: Emit>(&mut self, entries: &[(&str, T)]) {
        let Some(outer) = self.open(entries.len(), "{}") else { return };
        for (key, value) in entries {
            if self.is_over() {
                break;
            }
            self.key(key);
            value.emit(self);
        }
        self.close(outer);
    }

    /// Begins a collection; an empty one is written at once. What `close` needs to know.
    fn open(&mut self, len: usize, empty: &str) -> Option<i32> {
        if len == 0 {
            let (begin, end) = empty.split_at(1);
            self.write_indicator(begin, Need::Space, After::Whitespace);
            self.write_indicator(end, Need::Nothing, After::Text);
            return None;
        }
        self.depth += 1;
        if self.depth > crate::MAX_DEPTH {
            self.fail(Error::Json { problem: format!("exceeded max depth of {}", crate::MAX_DEPTH), at: None });
            self.depth -= 1;
            return None;
        }
        let outer = self.indent;
        let in_mapping = self.context == Context::Entry;
        let indentless = empty == "[]" && self.flavor == Flavor::Sigs && in_mapping && !self.indention;
        if self.indent < 0 {
            self.indent = 0;
        } else if !indentless {
            self.indent += 2;
        }
        Some(outer)
    }

    fn close(&mut self, outer: i32) {
        self.indent = outer;
        self.depth -= 1;
    }

    fn key(&mut self, key: &str) {
        if self.flavor == Flavor::Sigs && through_json::is_no_key(key) {
            self.fail(through_json::no_key());
            return;
        }
        let Some(text) = self.through_json(key) else {
            self.fail(through_json::refused());
            return;
        };
        self.write_indent();
        let analysis = Analysis::of(&text, self.flavor);
        if !analysis.multiline && text.len() <= SIMPLE_KEY_LIMIT {
            self.context = Context::SimpleKey;
            self.write_analyzed(&text, &analysis);
            self.write_indicator(":", Need::Nothing, After::Text);
        } else {
            self.write_indicator("?", Need::Space, After::Indention);
            self.context = Context::Entry;
            self.write_analyzed(&text, &analysis);
            self.write_indent();
            self.write_indicator(":", Need::Space, After::Indention);
        }
        self.context = Context::Entry;
    }

    /// What go-yaml v2 reads back from the JSON text of a string; `None` if it refuses to.
    fn through_json<'t>(&self, text: &'t str) -> Option<Cow<'t, str>> {
        match self.flavor {
            Flavor::Sigs => through_json::survive(text),
            Flavor::V3 => Some(Cow::Borrowed(text)),
        }
    }

    // Characters

    fn write_word(&mut self, word: &str) {
        if !self.whitespace {
            self.put(' ');
        }
        self.out.push_str(word);
        self.column += word.len();
        self.whitespace = false;
        self.indention = false;
    }

    fn write_indicator(&mut self, text: &str, need: Need, after: After) {
        if need == Need::Space && !self.whitespace {
            self.put(' ');
        }
        self.out.push_str(text);
        self.column += text.len();
        self.whitespace = after == After::Whitespace;
        self.indention = self.indention && after == After::Indention;
    }

    fn write_indent(&mut self) {
        let indent = self.indent.max(0) as usize;
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.put_break();
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        if self.flavor == Flavor::Sigs {
            self.indention = true;
        }
    }

    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    fn put_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
        if self.flavor == Flavor::V3 {
            self.indention = true;
        }
    }
}

/// Whether an indicator stands apart from what is before it.
#[derive(Clone, Copy, PartialEq)]
enum Need {
    Space,
    Nothing,
}

/// What an indicator counts as for what comes after it.
#[derive(Clone, Copy, PartialEq)]
enum After {
    Text,
    Whitespace,
    Indention,
}

impl<T: Emit + ?Sized> Emit for &T {
    fn emit(&self, emitter: &mut Emitter) {
        (**self).emit(emitter);
    }
}

impl Emit for serde_json::Value {
    fn emit(&self, emitter: &mut Emitter) {
        match self {
            Self::Null => emitter.null(),
            Self::Bool(value) => emitter.bool(*value),
            Self::Number(number) => {
                if let Some(int) = number.as_i64() {
                    emitter.int(int);
                } else if let Some(uint) = number.as_u64() {
                    emitter.uint(uint);
                } else {
                    emitter.float(number.as_f64().unwrap_or(f64::NAN));
                }
            }
            Self::String(text) => emitter.string(text),
            Self::Array(items) => emitter.sequence(items),
            Self::Object(map) => emitter.mapping(map.iter().map(|(key, value)| (key.as_str(), value)).collect()),
        }
    }
}
