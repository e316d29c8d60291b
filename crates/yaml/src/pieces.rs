//! A large document in pieces: the entries of its root, and those of one mapping in it, each as a document of its own.
//!
//! An index of a chart repository may have 60 MB; as nodes it would take ten times as much memory, as pieces it takes
//! what its largest chart does.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::construct::key_text;
use crate::document::{Composer, Document, Kind};
use crate::error::Error;
use crate::event::{Event, EventKind, Parser};

/// A part of a document.
#[derive(Debug)]
pub enum Piece<'a> {
    /// An entry of the root: its key and its value.
    Entry(Cow<'a, str>, Document<'a>),
    /// An entry of the mapping that is taken apart.
    Inner(Cow<'a, str>, Document<'a>),
}

/// Hands over the first document of a text piece by piece: a mapping, whose entry `inside` is taken apart once more
/// where it is a mapping, too. Says whether that could be done; where it could not (another shape, anchors, a key that
/// is there twice or is no text), what was handed over means nothing, and the text has to be read as a whole.
///
/// # Errors
/// What is no YAML or too large, and whatever `take` says.
pub fn pieces<'a, E: From<Error>>(
    text: &'a str,
    inside: &str,
    take: &mut dyn FnMut(Piece<'a>) -> Result<(), E>,
) -> Result<bool, E> {
    let mut parser = Parser::new(text)?;
    if !matches!(parser.next()?.kind, EventKind::DocumentStart { .. }) || !is_mapping(&parser.next()?) {
        return Ok(false);
    }
    let mut keys = HashSet::new();
    loop {
        let Some(key) = key(text, &mut parser, &mut keys)? else { return Ok(false) };
        let Some(key) = key else { break };
        let value = parser.next()?;
        if key != inside || !is_mapping(&value) {
            let Some(value) = Composer::part(text, value, &mut parser)? else { return Ok(false) };
            take(Piece::Entry(key, value))?;
            continue;
        }
        let mut inner = HashSet::new();
        loop {
            let Some(key) = self::key(text, &mut parser, &mut inner)? else { return Ok(false) };
            let Some(key) = key else { break };
            let value = parser.next()?;
            let Some(value) = Composer::part(text, value, &mut parser)? else { return Ok(false) };
            take(Piece::Inner(key, value))?;
        }
    }
    Ok(matches!(parser.next()?.kind, EventKind::DocumentEnd { .. }))
}

/// Whether a mapping begins here that nothing else can mean.
fn is_mapping(event: &Event<'_>) -> bool {
    matches!(event.kind, EventKind::MappingStart { .. }) && event.anchor.is_none() && event.tag.is_none()
}

/// The next key of a mapping, `Some(None)` at its end; `None` where it is no plain one, or was there before.
#[allow(clippy::type_complexity, reason = "an answer, an end, or neither")]
fn key<'a>(
    text: &'a str,
    parser: &mut Parser<'a>,
    keys: &mut HashSet<Cow<'a, str>>,
) -> Result<Option<Option<Cow<'a, str>>>, Error> {
    let event = parser.next()?;
    match event.kind {
        EventKind::MappingEnd => return Ok(Some(None)),
        EventKind::Scalar { .. } if event.tag.is_none() => {}
        _ => return Ok(None),
    }
    let Some(document) = Composer::part(text, event, parser)? else { return Ok(None) };
    let root = document.root();
    if !matches!(root.kind(), Kind::Scalar(_)) || root.text() == Some("<<") {
        return Ok(None);
    }
    let name = key_text(root).map(Cow::into_owned).map(Cow::Owned);
    Ok(name.filter(|name: &Cow<'_, str>| keys.insert(name.clone())).map(Some))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{document_to_json, to_json};
    use serde_json::{Map, Value};

    fn put_together(text: &str) -> Result<Option<Value>, Error> {
        let (mut root, mut inner) = (Map::new(), Map::new());
        let whole = pieces::<Error>(text, "entries", &mut |piece| {
            match piece {
                Piece::Entry(key, value) => root.insert(key.into_owned(), document_to_json(&value)?),
                Piece::Inner(key, value) => inner.insert(key.into_owned(), document_to_json(&value)?),
            };
            Ok(())
        })?;
        if !inner.is_empty() {
            root.insert("entries".to_owned(), Value::Object(inner));
        }
        Ok(whole.then_some(Value::Object(root)))
    }

    #[test]
    fn pieces_put_together_are_the_whole() {
        for text in [
            "apiVersion: v1\nentries:\n  web:\n  - name: web\n    version: 1.0\n  db:\n    - {a: [1, x]}\ngenerated: now\n",
            "{apiVersion: v1, entries: {a: [], 'b': ~}}",
            "# c\nentries:\n  # d\n  a: |\n    text\n    more\n",
            "entries: 1\na: b\n",
        ] {
            assert_eq!(put_together(text).expect("read"), Some(to_json(text).expect("read")), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_taken_apart_is_left_whole() {
        for text in
            ["- a\n", "", "entries: {a: &x 1, b: *x}\n", "entries: {a: 1, a: 2}\n", "<<: {a: 1}\n", "a: 1\na: 2\n"]
        {
            assert!(!matches!(put_together(text), Ok(Some(_))), "{text}");
        }
    }

    #[test]
    fn a_text_of_too_many_values_is_refused() {
        let many = format!("[{}]", "a,".repeat(crate::MAX_NODES));
        let refused = crate::parse_first(&many).expect_err("too many").to_string();
        assert_eq!(refused, "yaml: exceeded max size of 1048576 values");
        assert!(to_json(&format!("a: {many}\n")).is_err());
        assert!(to_json(&"- a\n".repeat(crate::MAX_NODES + 1)).is_err());
        assert!(crate::parse(&"- a\n---\n".repeat(crate::MAX_NODES / 2 + 1)).is_err());
        assert!(to_json(&"- a\n".repeat(crate::MAX_NODES / 2)).is_ok());
        let comments = "#\n".repeat(crate::MAX_NODES + 2);
        assert!(crate::parse_first(&format!("{comments}a: 1\n")).is_err());
    }
}
