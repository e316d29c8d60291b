//! What is remarked about a request beside its answer: warnings to the client (`pkg/endpoints/filters/warning.go`), and
//! annotations in the audit log.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// Characters of all warnings of one answer from which on each is cut.
const CUT_FROM: usize = 4 * 1024;
/// Characters that are left of a warning then.
const LEFT: usize = 256;

/// The remarks about one request.
#[derive(Debug, Default)]
pub(crate) struct Remarks {
    /// In the order of their reasons; each text stands once.
    warnings: Mutex<Vec<String>>,
    annotations: Mutex<BTreeMap<String, String>>,
    version: Mutex<Option<u64>>,
}

impl Remarks {
    /// Warns the client; an empty text and one that was told already change nothing.
    pub(crate) fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        let mut texts = self.warnings.lock();
        if !text.is_empty() && !texts.contains(&text) {
            texts.push(text);
        }
    }

    /// Warns of several things.
    pub(crate) fn warn_all(&self, texts: impl IntoIterator<Item = String>) {
        for text in texts {
            self.warn(text);
        }
    }

    /// Notes something in the audit log.
    pub(crate) fn annotate(&self, key: &str, value: impl Into<String>) {
        self.annotations.lock().insert(key.to_owned(), value.into());
    }

    /// Takes the warnings, cut as the real server cuts them: beyond 4,096 characters each to 256, and none after that sum.
    pub(crate) fn take_warnings(&self) -> Vec<String> {
        let texts = std::mem::take(&mut *self.warnings.lock());
        let length = |text: &String| text.chars().count();
        if texts.iter().map(length).sum::<usize>() <= CUT_FROM {
            return texts;
        }
        let mut sum = 0;
        let mut cut = Vec::new();
        for text in texts {
            if sum >= CUT_FROM {
                break;
            }
            let text = landfall_diag::beginning(&text, LEFT);
            sum += length(&text);
            cut.push(text);
        }
        cut
    }

    /// Notes for the audit log at which version the object stands that is answered.
    pub(crate) fn stands_at(&self, version: u64) {
        *self.version.lock() = Some(version);
    }

    /// Takes that version.
    pub(crate) fn take_version(&self) -> Option<u64> {
        self.version.lock().take()
    }

    /// Takes the annotations.
    pub(crate) fn take_annotations(&self) -> BTreeMap<String, String> {
        std::mem::take(&mut *self.annotations.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_told_once() {
        let remarks = Remarks::default();
        remarks.warn_all(["a".to_owned(), String::new(), "b".to_owned(), "a".to_owned()]);
        assert_eq!(remarks.take_warnings(), ["a", "b"]);
        assert!(remarks.take_warnings().is_empty());
    }

    #[test]
    fn too_many_are_cut_as_the_real_server_cuts_them() {
        let remarks = Remarks::default();
        remarks.warn_all((0..30).map(|number| format!("{number} {}", "x".repeat(300))));
        let told = remarks.take_warnings();
        assert_eq!(told.len(), CUT_FROM / LEFT);
        assert!(told.iter().all(|text| text.chars().count() == LEFT));
    }
}
