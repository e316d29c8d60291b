//! The table of advisories.

use std::fmt;
use std::path::Path;

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

/// What is known of the crates of one lock.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Known {
    /// The crates for which the database was searched, by name.
    pub(super) crates: Vec<String>,
    #[serde(rename = "advisory")]
    pub(super) advisories: Vec<Advisory>,
}

/// One advisory: the facts, without its text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Advisory {
    pub(super) id: String,
    #[serde(rename = "crate")]
    pub(super) package: String,
    pub(super) what: What,
    /// Versions that mend it; empty when none does.
    #[serde(default)]
    pub(super) patched: Vec<String>,
    /// Versions that never had it.
    #[serde(default)]
    pub(super) unaffected: Vec<String>,
}

/// What kind of advisory it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum What {
    Vulnerability,
    Unsound,
    Unmaintained,
    Notice,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vulnerability => "vulnerability",
            Self::Unsound => "unsound",
            Self::Unmaintained => "unmaintained",
            Self::Notice => "notice",
        })
    }
}

impl Advisory {
    /// Whether a version has what the advisory is about.
    pub(super) fn affects(&self, version: &str) -> Result<bool, String> {
        let version = Version::parse(version).map_err(|cause| format!("{version:?}: {cause}"))?;
        for range in self.patched.iter().chain(&self.unaffected) {
            let range = VersionReq::parse(range).map_err(|cause| format!("{}: {range:?}: {cause}", self.id))?;
            if range.matches(&version) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Known {
    pub(super) fn load(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|cause| format!("{}: {cause}", path.display()))?;
        toml::from_str(&text).map_err(|cause| format!("{}: {cause}", path.display()))
    }

    pub(super) fn save(&self, path: &Path) -> Result<(), String> {
        std::fs::write(path, self.to_string()).map_err(|cause| format!("{}: {cause}", path.display()))
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |texts: &[String]| texts.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(", ");
        writeln!(
            f,
            "# Advisories of crates in Cargo.lock: facts only. Written by `cargo xtask advisories --from DIR`; see ORIGIN.\n"
        )?;
        writeln!(f, "crates = [")?;
        for name in &self.crates {
            writeln!(f, "    {name:?},")?;
        }
        writeln!(f, "]")?;
        for advisory in &self.advisories {
            let Advisory { id, package, what, patched, unaffected } = advisory;
            writeln!(f, "\n[[advisory]]\nid = {id:?}\ncrate = {package:?}\nwhat = \"{what}\"")?;
            writeln!(f, "patched = [{}]", list(patched))?;
            if !unaffected.is_empty() {
                writeln!(f, "unaffected = [{}]", list(unaffected))?;
            }
        }
        Ok(())
    }
}
