//! Versions as releases have them: SemVer 2.0, strictly.

use std::cmp::Ordering;

/// A version with three numbers and perhaps a pre-release; without build metadata, which no image tag can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    read: landfall_sprig::Version,
}

/// Why a text is no version of a release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionRefusal {
    /// What stands behind `+`.
    #[error("`{0}` has build metadata (`+`), which an image tag cannot hold")]
    Metadata(String),
    /// A number with a zero in front.
    #[error("`{0}` has a number with a leading zero, which SemVer forbids")]
    LeadingZero(String),
    /// Fewer or more than three numbers.
    #[error("`{0}` has not three numbers, as 1.2.0 has")]
    Numbers(String),
    /// An identifier with nothing in it.
    #[error("`{0}` has an empty identifier behind `-`")]
    EmptyIdentifier(String),
    /// A pre-release where only a finished version may stand.
    #[error("`{0}` is a pre-release, and the product's own version must be a stable one")]
    PreRelease(String),
    /// A `v` in front, where only the version itself may stand.
    #[error(
        "`{0}` has a `v` in front, which is understood in tags and inputs of a release, and not in the product's own version"
    )]
    LeadingV(String),
    /// Anything else.
    #[error("`{0}` is no semantic version, as 1.2.0 is")]
    Other(String),
}

impl Version {
    /// Reads a version as tags and inputs of a release give it: one `v` in front is taken away.
    ///
    /// # Errors
    /// The rule of SemVer that it breaks.
    pub fn parse(text: &str) -> Result<Self, VersionRefusal> {
        Version::strictly(text.strip_prefix('v').unwrap_or(text), text)
    }

    /// Reads the product's own version, as its `package.json` has it: stable, and with nothing in front.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn root(text: &str) -> Result<Self, VersionRefusal> {
        if text.strip_prefix('v').is_some_and(|rest| Version::strictly(rest, rest).is_ok()) {
            return Err(VersionRefusal::LeadingV(text.to_owned()));
        }
        let version = Version::strictly(text, text)?;
        match version.is_stable() {
            true => Ok(version),
            false => Err(VersionRefusal::PreRelease(text.to_owned())),
        }
    }

    fn strictly(text: &str, whole: &str) -> Result<Self, VersionRefusal> {
        let refused = || whole.to_owned();
        if text.contains('+') {
            return Err(VersionRefusal::Metadata(refused()));
        }
        let (numbers, pre) = text.split_once('-').map_or((text, None), |(numbers, pre)| (numbers, Some(pre)));
        let parts: Vec<&str> = numbers.split('.').collect();
        if !parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())) {
            return Err(VersionRefusal::Other(refused()));
        }
        if parts.len() != 3 {
            return Err(VersionRefusal::Numbers(refused()));
        }
        if pre.is_some_and(|pre| pre.split('.').any(str::is_empty)) {
            return Err(VersionRefusal::EmptyIdentifier(refused()));
        }
        let has_zero = |part: &str| part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit());
        if parts.iter().any(|part| has_zero(part)) || pre.is_some_and(|pre| pre.split('.').any(has_zero)) {
            return Err(VersionRefusal::LeadingZero(refused()));
        }
        match landfall_sprig::Version::parse_strict(text) {
            Ok(read) => Ok(Version { read }),
            Err(_) => Err(VersionRefusal::Other(refused())),
        }
    }

    /// The three numbers.
    pub fn numbers(&self) -> (u64, u64, u64) {
        (self.read.major, self.read.minor, self.read.patch)
    }

    /// What stands behind `-`; empty where nothing does.
    pub fn pre(&self) -> &str {
        &self.read.pre
    }

    /// Whether it is finished.
    pub fn is_stable(&self) -> bool {
        self.read.pre.is_empty()
    }

    /// The finished version that a pre-release is on the way to.
    pub fn stable(&self) -> String {
        let (major, minor, patch) = self.numbers();
        format!("{major}.{minor}.{patch}")
    }

    /// Which of two comes first (SemVer §11): fields that are numbers by their size.
    pub fn precedence(&self, other: &Version) -> Ordering {
        self.read.precedence(&other.read)
    }

    /// As Masterminds' ranges take it.
    pub(crate) fn of_sprig(&self) -> &landfall_sprig::Version {
        &self.read
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (major, minor, patch) = self.numbers();
        write!(f, "{major}.{minor}.{patch}")?;
        if !self.is_stable() {
            write!(f, "-{}", self.pre())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).expect("a version")
    }

    #[test]
    fn se_89_what_semver_forbids_is_refused_with_its_rule() {
        for (text, rule) in [
            ("01.2.3", "leading zero"),
            ("1.2.3-alpha.01", "leading zero"),
            ("1.2", "three numbers"),
            ("1.2.3.4", "three numbers"),
            ("1.2.3-", "empty identifier"),
            ("1.2.3-alpha..1", "empty identifier"),
            ("1.2.3+x", "build metadata"),
            ("1.2.3-al_pha", "no semantic version"),
            ("vv1.2.3", "no semantic version"),
            ("", "no semantic version"),
            ("1.-2.3", "no semantic version"),
        ] {
            let said = Version::parse(text).expect_err(text).to_string();
            assert!(said.contains(rule), "{text}: {said}");
        }
    }

    #[test]
    fn se_17_one_v_in_front_is_taken_away_and_no_second_one() {
        assert_eq!(version("v0.5.0").to_string(), "0.5.0");
        assert_eq!(version("0.5.0-alpha.123.1").to_string(), "0.5.0-alpha.123.1");
        assert!(matches!(Version::root("v0.5.0"), Err(VersionRefusal::LeadingV(_))));
        assert!(matches!(Version::root("0.5.0-rc.1"), Err(VersionRefusal::PreRelease(_))));
        assert!(matches!(Version::root("0.5.0+x"), Err(VersionRefusal::Metadata(_))));
    }

    #[test]
    fn se_88_fields_that_are_numbers_are_compared_as_numbers() {
        let texts =
            ["1.0.0-alpha.9", "1.0.0-alpha.10", "1.0.0-alpha.123.1", "1.0.0-alpha.123.2", "1.0.0-rc.1", "1.0.0"];
        let sorted: Vec<Version> = texts.iter().map(|text| version(text)).collect();
        for (index, one) in sorted.iter().enumerate() {
            for (other_index, other) in sorted.iter().enumerate() {
                assert_eq!(one.precedence(other), index.cmp(&other_index), "{one} {other}");
            }
        }
        assert_eq!(version("0.0.1-alpha.10.1").stable(), "0.0.1");
    }
}
