//! What renderings print alike, cut and read once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use landfall_object::Object;

use super::{Manifest, documents};
use crate::dialect::Dialect;
use crate::error::ChartError;

/// So many outputs of one template are kept: what settings turn one by one prints something new each time.
const MOST_OUTPUTS: usize = 8;

/// The documents that templates have printed, kept from one rendering to the next.
///
/// Who renders a chart again and again, on another cluster or with other settings, meets most of them again, and
/// definitions of custom kinds are long. Clones share what is kept; it lives as long as the last of them.
#[derive(Clone, Default)]
pub struct Readings(Arc<Mutex<HashMap<String, Vec<Reading>>>>);

/// What a template has printed once, and the documents of it.
struct Reading {
    text: Box<str>,
    dialect: Dialect,
    documents: Vec<Manifest>,
}

impl Readings {
    /// The documents of a rendered file, as [`documents`] cuts them.
    pub(crate) fn documents(&self, path: &str, content: &str, dialect: Dialect) -> Result<Vec<Manifest>, ChartError> {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |it: &&Reading| *it.text == *content && it.dialect == dialect;
        if let Some(known) = kept().get(path).and_then(|all| all.iter().find(is_it)) {
            return Ok(known.documents.clone());
        }
        let mut documents = documents(path, content, dialect)?;
        let mut kept = kept();
        let all = kept.entry(path.to_owned()).or_default();
        if all.len() < MOST_OUTPUTS {
            documents.iter_mut().for_each(|it| it.objects = Objects::kept());
            all.push(Reading { text: content.into(), dialect, documents: documents.clone() });
        }
        Ok(documents)
    }
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readings")
    }
}

/// The objects of a document that is kept, once they were read; they say nothing that its text does not.
#[derive(Clone, Default)]
pub(super) struct Objects(Option<Arc<OnceLock<Vec<Object>>>>);

impl Objects {
    /// Of a document that other renderings print as well.
    fn kept() -> Self {
        Objects(Some(Arc::default()))
    }

    /// What was read, or is now.
    pub(super) fn or_read(&self, read: impl FnOnce() -> Vec<Object>) -> Vec<Object> {
        match &self.0 {
            Some(kept) => kept.get_or_init(read).clone(),
            None => read(),
        }
    }
}

impl PartialEq for Objects {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Objects")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "kind: List\nitems:\n- kind: A\n  metadata: {name: a}\n---\nkind: B\nmetadata: {name: b}\n";

    fn read(readings: &Readings, text: &str) -> Vec<Manifest> {
        readings.documents("web/templates/a.yaml", text, Dialect::V3).expect("it is YAML")
    }

    #[test]
    fn what_is_printed_again_is_the_same_and_read_once() {
        let readings = Readings::default();
        let (first, again) = (read(&readings, TEXT), read(&readings.clone(), TEXT));
        assert_eq!(first, documents("web/templates/a.yaml", TEXT, Dialect::V3).expect("it is YAML"));
        assert_eq!(first, again);
        let (one, other) = (first[0].objects(), again[0].objects());
        assert_eq!((one.len(), one[0].kind()), (1, "A"));
        assert!(std::ptr::eq(one[0].value(), other[0].value()), "they share what was read");
        assert_eq!(first[1].objects()[0].name(), "b");
    }

    #[test]
    fn another_output_is_another_reading() {
        let readings = Readings::default();
        let first = read(&readings, TEXT);
        let mut other = read(&readings, &TEXT.replace("name: b", "name: c"));
        assert_eq!((first[1].objects()[0].name(), other[1].objects()[0].name()), ("b", "c"));
        other[1].say_instead("kind: B\nmetadata: {name: d}".to_owned());
        assert_eq!(other[1].objects()[0].name(), "d", "not what was read of the text before");
        assert_eq!(read(&readings, &TEXT.replace("name: b", "name: c"))[1].objects()[0].name(), "c");
        for at in 0..2 * MOST_OUTPUTS {
            let name = format!("name: n{at}");
            assert_eq!(read(&readings, &TEXT.replace("name: b", &name))[1].objects()[0].name(), format!("n{at}"));
        }
        assert!(readings.documents("web/templates/a.yaml", "a: [", Dialect::V3).is_err());
    }
}
