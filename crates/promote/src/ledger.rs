//! Which digest a tag had when it was first seen: a tag that is published never moves.

use std::collections::BTreeMap;

use jiff::Timestamp;
use landfall_diag::{Diagnose, Diagnostic, code};
use serde::{Deserialize, Serialize};

/// Tags of images with the digests that they had first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The form of the file.
    #[serde(default)]
    version: u32,
    /// By image and tag: `ghcr.io/acme/web:1.2.0`.
    #[serde(default)]
    entries: BTreeMap<String, LedgerEntry>,
}

/// What is known of a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The digest that it had when it was first seen.
    pub digest: String,
    /// When that was.
    pub at: Timestamp,
    /// The commit that it was built from, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// A tag that has another digest than the one it was published with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the tag of {image} was moved: it was {before} on {since}, and is {now}")]
pub struct Moved {
    /// The image with its tag.
    pub image: String,
    /// The digest that it had.
    pub before: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// The digest that it has.
    pub now: String,
}

impl Diagnose for Moved {
    fn diagnose(&self) -> Diagnostic {
        Diagnostic::refused(code::TAG_MOVED, self.to_string())
            .help("publish under a new tag; what runs stays what it is")
    }
}

impl Ledger {
    /// The form that is written.
    pub const VERSION: u32 = 1;

    /// What is known of an image's tag.
    pub fn get(&self, image: &str) -> Option<&LedgerEntry> {
        self.entries.get(image)
    }

    /// How many tags are known.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Notes the digest that a tag has now, where it was never seen before.
    ///
    /// # Errors
    /// It was seen with another one: what is known stays as it is.
    pub fn note(&mut self, image: &str, entry: LedgerEntry) -> Result<(), Moved> {
        self.version = Ledger::VERSION;
        match self.entries.get_mut(image) {
            Some(known) if known.digest != entry.digest => Err(Moved {
                image: image.to_owned(),
                before: known.digest.clone(),
                since: known.at.to_string(),
                now: entry.digest,
            }),
            Some(known) => {
                known.commit = known.commit.take().or(entry.commit);
                Ok(())
            }
            None => {
                self.entries.insert(image.to_owned(), entry);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(digest: &str, at: &str) -> LedgerEntry {
        LedgerEntry { digest: digest.to_owned(), at: at.parse().expect("a time"), commit: None }
    }

    #[test]
    fn se_33_a_tag_that_moved_is_told_each_time_and_what_it_was_stays_known() {
        let mut ledger = Ledger::default();
        let image = "ghcr.io/acme/web:1.2.0";
        ledger.note(image, entry("sha256:a", "2026-01-01T00:00:00Z")).expect("new");
        ledger.note(image, entry("sha256:a", "2026-01-02T00:00:00Z")).expect("the same");
        for _ in 0..2 {
            let moved = ledger.note(image, entry("sha256:b", "2026-01-03T00:00:00Z")).expect_err("moved");
            assert_eq!((moved.before.as_str(), moved.now.as_str()), ("sha256:a", "sha256:b"));
        }
        assert_eq!(ledger.get(image).map(|it| it.at), Some("2026-01-01T00:00:00Z".parse().expect("a time")));
        let written = serde_json::to_string(&ledger).expect("written");
        assert_eq!(serde_json::from_str::<Ledger>(&written).expect("read"), ledger);
    }
}
