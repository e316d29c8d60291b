//! `Chart.lock`: which versions of the dependencies were chosen, and a digest over what was asked for.

use std::fmt::Write as _;

use landfall_sprig::Version;
use landfall_yaml::{Scalar, Step, edit};
use serde::Serialize;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::decode::{DecodeError, Fields};
use crate::go_json::go_json;
use crate::metadata::{Dependency, Metadata};

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

/// A `Chart.yaml` before and after one of its dependencies was given another version, by its place in the list; what lies beside it is
/// to follow.
#[derive(Debug, Clone, Copy)]
pub struct Relock<'a> {
    /// The text of `Chart.yaml` as it was.
    pub before: &'a str,
    /// And as it is now.
    pub after: &'a str,
    /// Which of its dependencies has changed, from 0.
    pub at: usize,
    /// When (RFC 3339 with fractions).
    pub generated: &'a str,
}

impl Relock<'_> {
    /// The text of a `Chart.lock` with the version that `Chart.yaml` names, the digest of both and the moment: what
    /// `helm dependency build` takes. Every other byte stays.
    ///
    /// # Errors
    /// Why it cannot be known: either is no such file, the lock was not made for what `Chart.yaml` said before, or `Chart.yaml` names a
    /// range now.
    pub fn of(&self, lock: &str) -> Result<String, String> {
        let (before, after) = (requirements(self.before)?, requirements(self.after)?);
        let json = landfall_yaml::to_json(lock).map_err(|error| format!("it is no YAML: {error}"))?;
        let read = Lock::read(&json).map_err(|error| error.to_string())?;
        if !read.fits(&before) {
            return Err("it was not made for what Chart.yaml says".to_owned());
        }
        let wanted = after.get(self.at).ok_or("Chart.yaml has no such dependency")?;
        // A lock says what was chosen; of a range that is not known without its repository.
        let plain = wanted.version.strip_prefix('v').unwrap_or(&wanted.version);
        if Version::parse_strict(plain).is_err() {
            return Err(format!("`{}` is no one version, as a lock has them", wanted.version));
        }
        let is_wanted = |it: &Dependency| it.name == wanted.name && it.repository == wanted.repository;
        let mut locked = read.dependencies;
        let entry = locked.get_mut(self.at).filter(|it| is_wanted(it));
        let entry = entry.ok_or_else(|| format!("it has no {} of {} there", wanted.name, wanted.repository))?;
        entry.version.clone_from(&wanted.version);
        let version = [Step::Key("dependencies"), Step::Index(self.at), Step::Key("version")];
        let digest = digest(&after, &locked);
        let said = [
            (&version[..], wanted.version.as_str()),
            (&[Step::Key("digest")], &digest),
            (&[Step::Key("generated")], self.generated),
        ];
        said.into_iter().try_fold(lock.to_owned(), |text, (path, value)| {
            edit::set(&text, path, &Scalar::Str(value.into())).map_err(|error| error.to_string())
        })
    }
}

fn requirements(chart: &str) -> Result<Vec<Dependency>, String> {
    let json = landfall_yaml::to_json(chart).map_err(|error| format!("Chart.yaml is no YAML: {error}"))?;
    let mut metadata = Metadata::default();
    metadata.read_into(&json).map_err(|error| error.to_string())?;
    Ok(metadata.dependencies)
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
    fn a_lock_follows_one_version_and_keeps_every_other_byte() {
        let before = "apiVersion: v2\nname: app\nversion: 0.1.0\ndependencies:\n- {name: db, version: 1.x, repository: 'https://a'}\n- {name: web, version: 0.1.0, repository: 'https://b'}\n";
        let after = before.replace("version: 0.1.0, rep", "version: 0.2.0, rep");
        let locked: Vec<Dependency> = requirements(&before.replace("1.x", "1.4.2")).expect("read");
        let digest_of = |chart: &str, locked: &[Dependency]| digest(&requirements(chart).expect("read"), locked);
        let text = |web: &str, digest: &str, at: &str| {
            format!(
                "# kept\ndependencies:\n- name: db\n  repository: https://a\n  version: 1.4.2\n- name: web\n  repository: https://b\n  version: {web}\ndigest: {digest}\ngenerated: \"{at}\"\n"
            )
        };
        let lock = text("0.1.0", &digest_of(before, &locked), "2020-01-01T00:00:00Z");
        let relock = Relock { before, after: &after, at: 1, generated: "2026-01-01T00:00:00.5Z" };
        let mut newer = locked.clone();
        newer[1].version = "0.2.0".to_owned();
        let wanted = text("0.2.0", &digest_of(&after, &newer), "2026-01-01T00:00:00.5Z");
        assert_eq!(relock.of(&lock), Ok(wanted));
        // A range locks nothing.
        let ranged = before.replace("version: 0.1.0, rep", "version: ^0.2.0, rep");
        let refused = Relock { after: &ranged, ..relock }.of(&lock);
        assert_eq!(refused, Err("`^0.2.0` is no one version, as a lock has them".to_owned()));
        let ranged = before.replace("1.x", "2.x");
        assert!(Relock { after: &ranged, at: 0, ..relock }.of(&lock).is_err());
        // One that fits nothing, and one that says another thing there.
        let stale = lock.replace("digest: sha256:", "digest: sha256:0");
        assert_eq!(relock.of(&stale), Err("it was not made for what Chart.yaml says".to_owned()));
        assert!(Relock { at: 2, ..relock }.of(&lock).is_err());
        assert!(relock.of("dependencies: []\n").is_err());
        assert!(relock.of("- no\n").is_err());
    }

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
