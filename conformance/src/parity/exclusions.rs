use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;

use crate::helm::Outcome;

/// The closed list of cases that do not count, each with its reason and the oracle's own words.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exclusions {
    #[serde(default)]
    exclude: Vec<Exclusion>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exclusion {
    /// The case's id.
    case: String,
    /// Why it cannot be compared.
    reason: String,
    /// What the oracle itself must say for the rule to hold: a part of its refusal.
    words: String,
}

impl Exclusions {
    /// Reads the list; none when there is no file.
    pub(crate) fn load(path: &Path) -> io::Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => toml::from_str(&text).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Exclusions::default()),
            Err(error) => Err(error),
        }
    }

    /// Why a case does not count, by what the oracle did with it; our own answer has no say.
    pub(crate) fn reason(&self, id: &str, helm: &Outcome) -> Option<&str> {
        let Outcome::Refused(words) = helm else { return None };
        let rule = self.exclude.iter().find(|rule| rule.case == id && words.contains(&rule.words))?;
        Some(&rule.reason)
    }
}
