//! A stream of documents, cut and read as every client of Kubernetes does it (apimachinery: `YAMLOrJSONDecoder`).
//!
//! `kubectl apply`, Helm's client, its lint and Argo CD all read manifests through this one decoder, so what it makes
//! of the end of a document decides what is stored: it takes line by line and ends *each* with a newline, the last one
//! too. A `|` block scalar therefore keeps its newline even where whoever cut the document had trimmed it.

use std::borrow::Cow;

use serde_json::de::Deserializer;
use serde_json::{Number, Value};

use crate::error::Error;
use crate::json::{json_number, to_json};
use crate::mark::Mark;

/// One document of a stream, with the place where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The document's text. The separator behind it is not part of it; one with which the stream begins is.
    pub text: &'a str,
    /// The line of the whole text on which it begins, counted from 1.
    pub line: usize,
    /// The byte of the whole text at which it begins.
    pub offset: usize,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Yaml,
}

impl Part<'_> {
    /// The document as the decoder hands it on; null when there is nothing but comments.
    ///
    /// # Errors
    /// As [`to_json`].
    pub fn to_json(&self) -> Result<Value, Error> {
        let mut value = match self.form {
            Form::Json => serde_json::from_str(self.text).map_err(|error| refused_json(&error))?,
            Form::Yaml => to_json(&whole_lines(self.text))?,
        };
        settle_numbers(&mut value);
        Ok(value)
    }
}

/// The documents of a stream; ends behind the first error.
///
/// Nothing is parsed to find where a YAML document ends: it ends at a line that begins with `---`, so a broken document
/// does not hide the others. A stream that begins with `{` is a series of JSON objects, until one is none.
pub fn documents(text: &str) -> Documents<'_> {
    // The decoder looks no further than this for a brace.
    const LOOKS_AT: usize = 4096;
    let blank = text.len() - text.trim_start().len();
    let is_json = blank < LOOKS_AT && text[blank..].starts_with('{');
    Documents { text, at: 0, line: 1, json_objects: is_json.then_some(0), ended: false }
}

/// The documents of a stream, one after the other.
#[derive(Clone, Debug)]
pub struct Documents<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    /// How many JSON objects were found while the stream is taken for a series of them.
    json_objects: Option<usize>,
    ended: bool,
}

impl<'a> Iterator for Documents<'a> {
    type Item = Result<Part<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = match self.json_objects {
            Some(found) => self.json(found),
            None => self.yaml(),
        };
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

impl<'a> Documents<'a> {
    fn json(&mut self, found: usize) -> Option<Result<Part<'a>, Error>> {
        let rest = &self.text[self.at..];
        let mut stream = Deserializer::from_str(rest).into_iter::<serde::de::IgnoredAny>();
        match stream.next()? {
            Ok(_) => {
                let object = &rest[..stream.byte_offset()];
                self.json_objects = Some(found + 1);
                Some(Ok(self.take(object.len(), object.len(), Form::Json)))
            }
            // Two objects in a row are JSON for certain; one may be a document of YAML with another one behind it.
            Err(error) if found > 1 => Some(Err(refused_json(&error))),
            Err(_) => {
                self.json_objects = None;
                let blank = rest.len() - rest.trim_start().len();
                let blank = rest[..blank].find('\n').map_or(blank, |newline| newline + 1);
                self.take(blank, blank, Form::Yaml);
                self.yaml()
            }
        }
    }

    fn yaml(&mut self) -> Option<Result<Part<'a>, Error>> {
        let rest = &self.text[self.at..];
        let mut taken = 0;
        for line in rest.split_inclusive('\n') {
            if let Some(behind) = line.strip_prefix("---") {
                let behind = behind.trim();
                if !behind.is_empty() && !behind.starts_with('#') {
                    let row = self.line - 1 + lines(&rest[..taken]);
                    let at = Mark { offset: (self.at + taken) as u32, row: row as u32, col: 0 };
                    return Some(Err(Error::Separator { behind: behind.to_owned(), at }));
                }
                if taken > 0 {
                    return Some(Ok(self.take(taken, taken + line.len(), Form::Yaml)));
                }
            }
            taken += line.len();
        }
        (taken > 0).then(|| Ok(self.take(taken, taken, Form::Yaml)))
    }

    /// The document of so many bytes from here; goes on behind so many.
    fn take(&mut self, bytes: usize, next: usize, form: Form) -> Part<'a> {
        let rest = &self.text[self.at..];
        let part = Part { text: &rest[..bytes], line: self.line, offset: self.at, form };
        self.line += lines(&rest[..next]);
        self.at += next;
        part
    }
}

fn lines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// Each line with one newline behind it and without the carriage return before that (apimachinery: `LineReader`).
fn whole_lines(text: &str) -> Cow<'_, str> {
    let lines = if text.contains("\r\n") { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) };
    if lines.ends_with('\n') {
        return lines;
    }
    let mut lines = lines.into_owned();
    lines.push('\n');
    Cow::Owned(lines)
}

/// Numbers as an unstructured object holds them: what fits is a 64-bit integer, anything else a float.
fn settle_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if !number.is_i64() => {
            let Some(float) = number.as_f64() else { return };
            if let Some(settled) = json_number(float).filter(Number::is_i64).or_else(|| Number::from_f64(float)) {
                *number = settled;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(settle_numbers),
        Value::Object(fields) => fields.values_mut().for_each(settle_numbers),
        _ => {}
    }
}

fn refused_json(error: &serde_json::Error) -> Error {
    Error::Json { problem: format!("json: {error}"), at: None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Vec<Value> {
        documents(text).map(|part| part.expect("cut").to_json().expect("read")).collect()
    }

    #[test]
    fn documents_know_their_line() {
        let text = "# head\n---\na: 1\n--- # two\r\nb: |\n  ---\n---\n\n ---x: 1\n";
        let parts: Vec<Part<'_>> = documents(text).map(|part| part.expect("cut")).collect();
        let seen: Vec<_> = parts.iter().map(|part| (part.text, part.line, part.offset)).collect();
        assert_eq!(seen, [("# head\n", 1, 0), ("a: 1\n", 3, 11), ("b: |\n  ---\n", 5, 27), ("\n ---x: 1\n", 8, 42)]);
    }

    #[test]
    fn the_last_line_of_a_document_has_its_newline_wherever_it_was_cut() {
        let line = json!({"f": "line\n"});
        assert_eq!(read("f: |\n  line"), std::slice::from_ref(&line));
        assert_eq!(read("f: |\n  line\n"), std::slice::from_ref(&line));
        assert_eq!(read("f: |\n  line\n---\nf: |\n  line"), [line.clone(), line.clone()]);
        assert_eq!(read("f: |\r\n  line\r\n---\r\nf: |\r\n  line"), [line.clone(), line.clone()]);
        assert_eq!(read("f: >\n  line\n---\nf: |\n  line\n\n\n"), [line.clone(), line]);
        assert_eq!(read("f: |-\n  line"), [json!({"f": "line"})]);
        assert_eq!(read("f: |+\n  line\n\n---\nf: |+\n  line"), [json!({"f": "line\n\n"}), json!({"f": "line\n"})]);
    }

    #[test]
    fn a_separator_at_the_beginning_belongs_to_the_document_behind_it() {
        let texts = |text| documents(text).map(|part| part.expect("cut").text).collect::<Vec<_>>();
        assert_eq!(texts("---\na: 1\n---\nb: 2\n"), ["---\na: 1\n", "b: 2\n"]);
        assert_eq!(texts("---\n---\na: 1\n---"), ["---\n", "a: 1\n"]);
        assert_eq!(texts(""), Vec::<&str>::new());
        assert_eq!(read("---\n# only a comment\n---\na: 1"), [Value::Null, json!({"a": 1})]);
    }

    #[test]
    fn text_behind_a_separator_ends_the_stream() {
        let mut stream = documents("a: 1\n---\nb: 2\n--- {c: 3}\n---\nd: 4\n");
        assert_eq!(stream.next().map(|part| part.map(|part| part.text)), Some(Ok("a: 1\n")));
        let error = stream.next().expect("more").expect_err("refused");
        assert_eq!(error.to_string(), "invalid Yaml document separator: {c: 3}");
        assert_eq!(error.mark().map(Mark::line), Some(4));
        assert_eq!(stream.next(), None);
    }

    #[test]
    fn json_objects_follow_each_other_without_separators() {
        assert_eq!(read(" {\"a\":1.0}\n{\"b\":\"x\\/y\"} {}"), [json!({"a": 1}), json!({"b": "x/y"}), json!({})]);
        assert_eq!(read("{\"a\": 1}\n---\nb: |\n  2"), [json!({"a": 1}), json!({"b": "2\n"})]);
        assert_eq!(read("{a: 1}\n---\nb: 2"), [json!({"a": 1}), json!({"b": 2})]);
        assert!(documents("{\"a\":1}{\"b\":2}\n---\n").nth(2).expect("more").is_err());
    }

    #[test]
    fn numbers_are_64_bit_integers_or_floats() {
        assert_eq!(
            read("[1e3, 1.5, 9223372036854775807, 9223372036854775808, 0777, 0o17, 1_000, -1]"),
            [json!([1000, 1.5, i64::MAX, 9223372036854775808_f64, 511, 15, 1000, -1])]
        );
    }
}
