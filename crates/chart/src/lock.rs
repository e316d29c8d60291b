//! `Chart.lock`: which versions of the dependencies were chosen, and a digest over what was asked for.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::decode::{DecodeError, Fields};
use crate::go_json::go_json;
use crate::metadata::Dependency;

/// The content of `Chart.lock` or `requirements.lock`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Lock {
    /// When it was made, as it stands in the file (RFC 3339 with fractions).
    pub generated: String,
    /// `sha256:` and the digest.
    pub digest: String,
    /// The chosen versions.
    pub dependencies: Vec<Dependency>,
}

impl Lock {
    pub(crate) fn read(json: &Json) -> Result<Self, DecodeError> {
        let Some(fields) = Fields::root(json, "chart.Lock", "Lock")? else { return Ok(Lock::default()) };
        Ok(Lock {
            dependencies: fields
                .objects("dependencies", "Dependency", ["[]*chart.Dependency", "chart.Dependency"])?
                .into_iter()
                .flatten()
                .map(|fields| Dependency::read(&fields))
                .collect::<Result<_, _>>()?,
            digest: fields.text_or_empty("digest")?,
            generated: fields.text_or_empty("generated")?,
        })
    }

    /// Whether the lock was made for these requirements; v1 charts may carry a digest of Helm 2's kind.
    pub fn fits(&self, requirements: &[Dependency]) -> bool {
        self.digest == digest(requirements, &self.dependencies) || self.digest == digest_v2(requirements)
    }
}

/// The digest of a `Chart.lock` (helm: `resolver.HashReq`).
pub fn digest(requirements: &[Dependency], locked: &[Dependency]) -> String {
    hash(&[requirements, locked])
}

/// The digest that Helm 2 wrote into `requirements.lock` (helm: `resolver.HashV2Req`).
pub fn digest_v2(requirements: &[Dependency]) -> String {
    #[derive(Serialize)]
    struct Requirements<'a> {
        dependencies: &'a [Dependency],
    }
    hash(&Requirements { dependencies: requirements })
}

fn hash(value: &impl Serialize) -> String {
    let json = go_json(value);
    let mut out = String::from("sha256:");
    for byte in Sha256::digest(json.as_bytes()) {
        let _infallible = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_changes_with_what_is_asked_for() {
        let one = Dependency {
            name: "alpine".to_owned(),
            version: "0.1.0".to_owned(),
            repository: "http://localhost:8879/charts".to_owned(),
            ..Dependency::default()
        };
        let locked = one.clone();
        // The value that helm's own resolver test expects for this pair.
        assert_eq!(
            digest(std::slice::from_ref(&one), std::slice::from_ref(&locked)),
            "sha256:fb239e836325c5fa14b29d1540a13b7d3ba13151b67fe719f820e0ef6d66aaaf"
        );
        let other = Dependency { version: "^0.1.0".to_owned(), ..one.clone() };
        assert_ne!(digest(&[one], std::slice::from_ref(&locked)), digest(&[other], &[locked]));
    }
}
