//! Versions that are held back, under each of their names.

use std::collections::BTreeSet;

use crate::role::without_role;
use crate::version::Version;

/// A version that must not be promoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The version, by the name that was given.
    pub tag: String,
    /// Who says so.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A version's name without what names the same one: the role in front, and the `v`.
pub fn bare(tag: &str) -> &str {
    let version = without_role(tag);
    version.strip_prefix('v').filter(|rest| Version::parse(rest).is_ok()).unwrap_or(version)
}

/// The first hold of a version that has these names.
pub fn held<'h, 'n>(holds: &'h [Held], names: impl IntoIterator<Item = &'n str>) -> Option<&'h Held> {
    let names: BTreeSet<&str> = names.into_iter().map(bare).collect();
    holds.iter().find(|hold| names.contains(bare(&hold.tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_held_under_each_of_its_names() {
        let holds = |tag: &str| [Held { tag: tag.to_owned(), by: "ada".to_owned(), reason: "loses orders".to_owned() }];
        let names = ["0.5.0-alpha.126.1", "0.5.0"];
        for tag in ["0.5.0", "v0.5.0", "0.5.0-alpha.126.1", "v0.5.0-alpha.126.1", "web-v0.5.0"] {
            assert!(held(&holds(tag), names).is_some(), "{tag}");
        }
        for tag in ["0.5.1", "0.5.0-alpha.126.2", "0.5.0-alpha.126", "v"] {
            assert!(held(&holds(tag), names).is_none(), "{tag}");
        }
        assert!(held(&holds("1.2.3"), ["app-v1.2.3"]).is_some());
        assert!(held(&holds("sha-1234567"), ["sha-1234567"]).is_some());
    }
}
