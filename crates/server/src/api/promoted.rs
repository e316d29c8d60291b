//! What is asked and told of published tags, evidence, what is held back, and promotions.

use landfall_promote::RUNS;
use landfall_store::{EvidenceRow, HoldRow, PublishedRow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The digest that a published tag had first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerLine {
    /// The image without its tag.
    pub image: String,
    /// The tag.
    pub tag: String,
    /// The digest, `sha256:` in front.
    pub digest: String,
    /// When it was first seen, RFC 3339; the server's own time where it is left out.
    #[serde(default)]
    pub at: String,
    /// The commit that it was built from, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// Something that was seen of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceLine {
    /// The image's digest.
    pub digest: String,
    /// Where it ran.
    pub environment: String,
    /// When, RFC 3339; the server's own time where it is left out.
    #[serde(default)]
    pub at: String,
    /// What was looked at: `health`, `check api health`, `report scanner`.
    pub what: String,
    /// Whether it was well.
    pub passed: bool,
    /// In a sentence.
    #[serde(default)]
    pub detail: String,
    /// What stands for a check as it was declared when it was made; a promotion takes no check that is declared otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub made_as: String,
    /// The system in whose environment it ran (`landfall_delivery::system_key`); evidence of none is evidence for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub system: String,
}

impl EvidenceLine {
    /// Whether something has failed: what does not run any more has not.
    pub fn has_failed(&self) -> bool {
        !self.passed && !self.what.starts_with(RUNS)
    }

    /// As it is written down at a moment (RFC 3339): when something was seen is when it is written, and nothing has run well before
    /// anybody looked.
    pub(crate) fn row(&self, at: &str) -> EvidenceRow {
        let EvidenceLine { digest, environment, at: _, what, passed, detail, made_as, system } = self.clone();
        EvidenceRow { digest, system, environment, at: at.to_owned(), what, passed, detail, made_as }
    }
}

/// A version that is held back, or was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldLine {
    /// The version.
    pub tag: String,
    /// The system whose version it is; left out where it is held in all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub system: String,
    /// Since when, RFC 3339.
    pub at: String,
    /// Who says so.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when; absent while it still is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<String>,
    /// Who has released it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_by: Option<String>,
}

/// A version is to be held back, or let go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldWish {
    /// The version.
    pub tag: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Whether it is let go.
    #[serde(default)]
    pub release: bool,
    /// The system whose version it is; all where it is left out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub system: String,
}

/// A promotion, as it stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PromotionLine {
    /// What no other one has.
    pub id: String,
    /// When it began, RFC 3339.
    pub at: String,
    /// From which environment.
    pub from: String,
    /// To which.
    pub to: String,
    /// What runs there then.
    pub tag: String,
    /// `refused`, `tagged`, `proposed`, `written`, `withdrawn`, `merged`, `live`, `failed`, `set-back`, `glass-broken`.
    pub state: String,
    /// Images with digests, commit, branch, pull request.
    pub detail: Value,
    /// What became of it, oldest first.
    pub events: Vec<PromotionStep>,
    /// Whether nothing of that was changed since it was written.
    pub intact: bool,
    /// The system in which it goes; left out where that was not said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub system: String,
}

/// A step of a promotion.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromotionStep {
    /// When, RFC 3339.
    pub at: String,
    /// Who.
    pub actor: String,
    /// How it stands since.
    pub state: String,
    /// In a sentence.
    pub said: String,
}

/// What has become of a promotion.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromotionNote {
    /// What no other one has.
    pub id: String,
    /// From which environment.
    pub from: String,
    /// To which.
    pub to: String,
    /// What runs there then.
    pub tag: String,
    /// How it stands now.
    pub state: String,
    /// In a sentence.
    pub said: String,
    /// Images with digests, commit, branch, pull request.
    #[serde(default)]
    pub detail: Value,
    /// The system in which it goes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub system: String,
}

/// Which lines of the book.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// Those of one system; of all when absent.
    pub system: Option<String>,
    /// How many there are at most.
    pub limit: Option<usize>,
}

impl Lines {
    /// So many, of whatever system.
    pub fn most(limit: usize) -> Self {
        Lines { system: None, limit: Some(limit) }
    }
}

/// Whether versions may follow each other, and a tag may run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionQuery {
    /// The product's version before.
    pub from: Option<String>,
    /// Its version now.
    pub to: Option<String>,
    /// A tag that is to run.
    pub tag: Option<String>,
    /// `alpha`, `rc` or `stable`.
    pub channel: Option<String>,
}

/// What the next build is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NextQuery {
    /// The product's own version.
    pub from: Option<String>,
    /// `alpha`, `rc` or `stable`.
    pub channel: Option<String>,
    /// The number of the run.
    pub run: Option<u64>,
    /// Which attempt of it.
    pub attempt: Option<u64>,
}

/// A verdict on versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionLine {
    /// How the version follows the one before it: `patch`, `minor`, `major`, `unchanged`, `first`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The tag as it would run, or what the next build is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

impl From<PublishedRow> for LedgerLine {
    fn from(row: PublishedRow) -> Self {
        let PublishedRow { image, tag, digest, at, revision } = row;
        LedgerLine { image, tag, digest, at, revision }
    }
}

impl From<EvidenceRow> for EvidenceLine {
    fn from(row: EvidenceRow) -> Self {
        let EvidenceRow { digest, system, environment, at, what, passed, detail, made_as } = row;
        EvidenceLine { digest, environment, at, what, passed, detail, made_as, system }
    }
}

impl From<HoldRow> for HoldLine {
    fn from(row: HoldRow) -> Self {
        let HoldRow { tag, system, at, by, reason, released_at, released_by } = row;
        HoldLine { tag, system, at, by, reason, released_at, released_by }
    }
}
