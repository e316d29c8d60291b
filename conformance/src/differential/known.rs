//! Differences that are accepted, each with its reason: `conformance/differential/known.toml`.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use serde::Deserialize;

use super::compare::Difference;
use super::glob;

/// The accepted differences.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    #[serde(default, rename = "difference")]
    differences: Vec<Accepted>,
}

/// One entry; `*` stands for any run of characters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accepted {
    pub(crate) script: String,
    pub(crate) step: String,
    pub(crate) path: String,
    pub(crate) reason: String,
}

impl Accepted {
    fn covers(&self, difference: &Difference) -> bool {
        glob::fits(&self.script, &difference.script)
            && glob::fits(&self.step, &difference.step)
            && glob::fits(&self.path, &difference.path)
    }
}

impl Known {
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(path)?;
        let known: Self = toml::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
        for entry in &known.differences {
            ensure!(!entry.reason.trim().is_empty(), "{}: an entry without a reason", entry.path);
            ensure!(entry.path != "*", "{}/{}: a path of `*` would hide everything", entry.script, entry.step);
        }
        Ok(known)
    }

    /// Whether an entry covers the difference.
    pub(crate) fn covers(&self, difference: &Difference) -> bool {
        self.differences.iter().any(|entry| entry.covers(difference))
    }

    /// The entries that cover nothing any more, among those whose script was played.
    pub(crate) fn outdated<'a>(
        &'a self,
        found: &'a [Difference],
        played: &'a [&str],
    ) -> impl Iterator<Item = &'a Accepted> {
        self.differences.iter().filter(move |entry| {
            played.iter().any(|script| glob::fits(&entry.script, script))
                && !found.iter().any(|difference| entry.covers(difference))
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.differences.len()
    }
}
