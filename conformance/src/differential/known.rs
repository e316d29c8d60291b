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

/// One decision: where it shows, and why it is so; `*` stands for any run of characters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accepted {
    pub(crate) script: String,
    pub(crate) step: String,
    pub(crate) paths: Vec<String>,
    pub(crate) reason: String,
}

impl Accepted {
    /// The path of this entry that fits the difference.
    fn covers(&self, path: &str, difference: &Difference) -> bool {
        glob::fits(&self.script, &difference.script)
            && glob::fits(&self.step, &difference.step)
            && glob::fits(path, &difference.path)
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
            let place = format!("{}/{}", entry.script, entry.step);
            ensure!(!entry.reason.trim().is_empty(), "{place}: an entry without a reason");
            ensure!(!entry.paths.is_empty(), "{place}: an entry without a path");
            let wide = entry.paths.iter().find(|path| matches!(path.as_str(), "*" | "body*" | "body.*" | "events*"));
            ensure!(wide.is_none(), "{place}: a path of {wide:?} would hide everything");
        }
        Ok(known)
    }

    /// Whether an entry covers the difference.
    pub(crate) fn covers(&self, difference: &Difference) -> bool {
        self.differences.iter().any(|entry| entry.paths.iter().any(|path| entry.covers(path, difference)))
    }

    /// The paths that cover nothing any more, each with its entry, among those whose script was played.
    pub(crate) fn outdated<'a>(
        &'a self,
        found: &'a [Difference],
        played: &'a [&str],
    ) -> impl Iterator<Item = (&'a Accepted, &'a str)> {
        let entries = self.differences.iter();
        entries.filter(|entry| played.iter().any(|script| glob::fits(&entry.script, script))).flat_map(move |entry| {
            let idle = entry.paths.iter().filter(|path| !found.iter().any(|difference| entry.covers(path, difference)));
            idle.map(move |path| (entry, path.as_str()))
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.differences.len()
    }
}
