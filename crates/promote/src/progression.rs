//! Whether the product's own version may follow the one before it.

use serde::Serialize;

use crate::version::Version;

/// How a version follows another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Progression {
    /// There was none before.
    #[error("there is no version before it")]
    First,
    /// It is the same.
    #[error("unchanged")]
    Unchanged,
    /// The last number is larger.
    #[error("a patch")]
    Patch,
    /// The next minor version.
    #[error("the next minor version")]
    Minor,
    /// The next major version.
    #[error("the next major version")]
    Major,
    /// It is one that was published before, put back knowingly.
    #[error("back to what was published before")]
    Revert,
    /// It is smaller.
    #[error("it is lower than the version before it")]
    Downgrade,
    /// The next minor version, with another patch than 0.
    #[error("minor step needs patch 0")]
    MinorWithPatch,
    /// A minor version is left out.
    #[error("it leaves a minor version out")]
    SkippedMinor,
    /// The next major version, with a minor or patch that is not 0.
    #[error("major step needs minor and patch 0")]
    MajorWithRest,
    /// A major version is left out.
    #[error("it leaves a major version out")]
    SkippedMajor,
}

impl Progression {
    /// Whether a new build may be made with it.
    pub fn is_accepted(self) -> bool {
        use Progression::{First, Major, Minor, Patch, Revert, Unchanged};
        matches!(self, First | Unchanged | Patch | Minor | Major | Revert)
    }
}

/// How one version of the product follows another one; both are stable ones.
///
/// It is asked for new builds alone: going back to an older tag that is published is no new build.
pub fn progression(before: Option<&Version>, new: &Version) -> Progression {
    let Some(before) = before else { return Progression::First };
    let ((major, minor, patch), (new_major, new_minor, new_patch)) = (before.numbers(), new.numbers());
    if (new_major, new_minor, new_patch) < (major, minor, patch) {
        return Progression::Downgrade;
    }
    if new_major == major && new_minor == minor {
        return if new_patch == patch { Progression::Unchanged } else { Progression::Patch };
    }
    if new_major == major {
        return match (new_minor - minor, new_patch) {
            (1, 0) => Progression::Minor,
            (1, _) => Progression::MinorWithPatch,
            _ => Progression::SkippedMinor,
        };
    }
    match (new_major - major, new_minor, new_patch) {
        (1, 0, 0) => Progression::Major,
        (1, _, _) => Progression::MajorWithRest,
        _ => Progression::SkippedMajor,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn se_21_se_22_se_23_se_24_se_25_se_26_se_27_se_28_the_table_of_versions_whole() {
        use Progression::{
            Downgrade, First, Major, MajorWithRest, Minor, MinorWithPatch, Patch, SkippedMajor, SkippedMinor, Unchanged,
        };
        for (before, new, wanted) in [
            (Some("1.5.2"), "1.5.2", Unchanged),
            (Some("1.5.2"), "1.5.3", Patch),
            (Some("1.5.2"), "1.5.9", Patch),
            (Some("1.5.2"), "1.6.0", Minor),
            (Some("1.5.2"), "2.0.0", Major),
            (Some("0.4.0"), "0.3.1", Downgrade),
            (Some("1.5.2"), "1.5.1", Downgrade),
            (Some("1.5.2"), "1.7.0", SkippedMinor),
            (Some("1.5.2"), "1.6.1", MinorWithPatch),
            (Some("1.5.2"), "3.0.0", SkippedMajor),
            (Some("1.5.2"), "2.1.0", MajorWithRest),
            (Some("1.5.2"), "2.0.1", MajorWithRest),
            (Some("0.9.9"), "1.0.0", Major),
            (None, "0.1.0", First),
        ] {
            let before = before.map(|text| Version::root(text).expect("stable"));
            let found = progression(before.as_ref(), &Version::root(new).expect("stable"));
            assert_eq!(found, wanted, "{before:?} {new}");
        }
        for refused in ["1.6.0-alpha.1", "1.6.0+build", "v1.5.3"] {
            assert!(Version::root(refused).is_err(), "{refused}");
        }
        assert_eq!(Version::parse("v1.5.3").expect("an input of a release").to_string(), "1.5.3");
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_never_lower_and_one_step_at_most(
            before in (0u64..4, 0u64..4, 0u64..4),
            new in (0u64..6, 0u64..6, 0u64..6),
        ) {
            let version = |(a, b, c): (u64, u64, u64)| Version::root(&format!("{a}.{b}.{c}")).expect("stable");
            let found = progression(Some(&version(before)), &version(new));
            let steps = [(before.0, before.1 + 1, 0), (before.0 + 1, 0, 0)];
            let is_patch = (new.0, new.1) == (before.0, before.1) && new.2 >= before.2;
            prop_assert_eq!(found.is_accepted(), is_patch || steps.contains(&new), "{:?}", found);
        }
    }
}
