//! Which version is newer.

use std::cmp::Ordering;
use std::fmt;

/// A version as Semantic Versioning 2.0 has it; ordered by its precedence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(semver::Version);

/// A text that is no version, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a version: {why}")]
pub struct BadVersion {
    /// As it was given, shortened.
    pub text: String,
    /// In words.
    pub why: String,
}

impl Version {
    /// Reads `1.2.3`, `1.2.3-rc.1` or `1.2.3+build`; a leading `v` is let pass.
    ///
    /// # Errors
    /// When the text is none of these, or longer than 128 bytes.
    pub fn parse(text: &str) -> Result<Self, BadVersion> {
        let bad = |why: &str| BadVersion { text: text.chars().take(64).collect(), why: why.to_owned() };
        if text.len() > 128 {
            return Err(bad("it is longer than 128 bytes"));
        }
        let bare = text.strip_prefix('v').unwrap_or(text);
        semver::Version::parse(bare).map(Self).map_err(|error| bad(&error.to_string()))
    }

    /// How it stands to another by precedence alone: what follows a `+` says nothing.
    #[must_use]
    pub fn precedence(&self, other: &Self) -> Ordering {
        self.0.cmp_precedence(&other.0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(to)
    }
}

/// Whether the agent that is out there takes `target` for newer than `current`: it strips a `v`, splits at dots, takes the leading
/// digits of each piece (none is 0) and compares those numbers. (`apps/edge-agent/src/upgrade.ts`.)
#[must_use]
pub fn legacy_newer(current: &str, target: &str) -> bool {
    let numbers = |text: &str| -> Vec<u64> {
        text.trim()
            .trim_start_matches('v')
            .split('.')
            .map(|piece| {
                let digits: String = piece.chars().take_while(char::is_ascii_digit).collect();
                digits.parse().unwrap_or(0)
            })
            .collect()
    };
    let (current, target) = (numbers(current), numbers(target));
    let longest = current.len().max(target.len());
    let at = |numbers: &[u64], index: usize| numbers.get(index).copied().unwrap_or(0);
    (0..longest)
        .map(|index| at(&target, index).cmp(&at(&current, index)))
        .find(|order| order.is_ne())
        .is_some_and(Ordering::is_gt)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the real agent did with each pair.
    #[test]
    fn the_existing_agent_compares_numbers_alone() {
        for (current, target, upgrades) in [
            ("1.2.0", "1.2.0-rc.1", true),
            ("1.2.0-rc.1", "1.2.0", false),
            ("1.2.0", "1.2.0-rc1", false),
            ("1.2.0", "v1.2.1", true),
            ("1.2.0", "1.2.0+5", false),
            ("1.2", "1.2.0.1", true),
            ("1.10.0", "1.9.9", false),
            ("1.2.0", "latest", false),
        ] {
            assert_eq!(legacy_newer(current, target), upgrades, "{current} to {target}");
        }
    }

    #[test]
    fn a_candidate_comes_before_its_release() {
        let version = |text| Version::parse(text).expect("a version");
        assert!(version("1.2.0-rc.1") < version("1.2.0"));
        assert!(version("v1.9.9") < version("1.10.0"));
        assert!(Version::parse("1.2").is_err() && Version::parse("latest").is_err());
    }
}
