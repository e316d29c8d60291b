//! What is delivered, and which differences were decided on: `conformance/fidelity.toml`.

use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use crate::differential::glob::fits;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    #[serde(rename = "case")]
    pub(super) cases: Vec<Case>,
    #[serde(default)]
    pub(super) decided: Vec<Decided>,
}

/// One delivery: an environment of an example, or a public chart at its default values.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) id: String,
    /// A folder of the repository, copied as a whole.
    pub(super) example: Option<String>,
    /// Where in the copy `landfall.yaml` stands; the copy itself when not said.
    #[serde(default)]
    pub(super) inside: String,
    /// The environment to deliver.
    pub(super) environment: Option<String>,
    /// A chart of the corpus, as `repository/path`.
    pub(super) chart: Option<String>,
    /// Further arguments of `landfall up`.
    #[serde(default)]
    pub(super) arguments: Vec<String>,
}

/// A difference that was decided on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decided {
    /// The case's id, with `*` for any run of characters.
    #[serde(default = "any")]
    case: String,
    /// The difference as it is printed, with `*` for any run of characters.
    difference: String,
    /// Why it stays.
    pub(super) reason: String,
}

fn any() -> String {
    "*".to_owned()
}

impl List {
    pub(super) fn load(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} cannot be understood", path.display()))
    }

    /// Why a difference stays; nothing when it is one to mend.
    pub(super) fn reason(&self, case: &str, difference: &str) -> Option<&str> {
        let decided = self.decided.iter().find(|it| fits(&it.case, case) && fits(&it.difference, difference));
        decided.map(|it| it.reason.as_str())
    }
}
