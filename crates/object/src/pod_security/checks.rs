//! The checks by level and version, each in its revisions.

mod capabilities;
mod host;
mod identity;
mod profiles;
mod sysctls;
mod volumes;

use super::{Level, LevelVersion, Pod, Version, Violation};

/// What a check finds: reason and detail.
struct Found {
    reason: String,
    detail: String,
}

impl Found {
    fn new(reason: impl Into<String>, detail: impl Into<String>) -> Option<Self> {
        Some(Found { reason: reason.into(), detail: detail.into() })
    }
}

/// A check's rule from a version on.
struct Revision {
    /// The first minor version.
    since: u32,
    judge: fn(Pod<'_>) -> Option<Found>,
}

/// One check.
struct Check {
    id: &'static str,
    level: Level,
    revisions: &'static [Revision],
    /// The baseline check that does not run where this one does.
    instead_of: Option<&'static str>,
}

const fn since(since: u32, judge: fn(Pod<'_>) -> Option<Found>) -> Revision {
    Revision { since, judge }
}

const fn baseline(id: &'static str, revisions: &'static [Revision]) -> Check {
    Check { id, level: Level::Baseline, revisions, instead_of: None }
}

const fn restricted(id: &'static str, instead_of: Option<&'static str>, revisions: &'static [Revision]) -> Check {
    Check { id, level: Level::Restricted, revisions, instead_of }
}

/// In the order in which violations are told: those of the baseline by id, then those of the restricted level by id.
static CHECKS: &[Check] = &[
    baseline("appArmorProfile", &[since(0, profiles::app_armor)]),
    baseline("capabilities_baseline", &[since(0, capabilities::beyond_the_usual)]),
    baseline("hostNamespaces", &[since(0, host::namespaces)]),
    baseline("hostPathVolumes", &[since(0, volumes::host_paths)]),
    baseline("hostPorts", &[since(0, host::ports)]),
    baseline("hostProbesAndHostLifecycle", &[since(34, host::probes)]),
    baseline("privileged", &[since(0, identity::privileged)]),
    baseline("procMount", &[since(0, volumes::proc_mount), since(35, volumes::proc_mount_of_host_users)]),
    baseline("seLinuxOptions", &[since(0, profiles::se_linux), since(31, profiles::se_linux_1_31)]),
    baseline(
        "seccompProfile_baseline",
        &[since(0, profiles::seccomp_annotations), since(19, profiles::seccomp_unless_unset)],
    ),
    baseline(
        "sysctls",
        &[
            since(0, sysctls::of_1_0),
            since(27, sysctls::of_1_27),
            since(29, sysctls::of_1_29),
            since(32, sysctls::of_1_32),
        ],
    ),
    baseline("windowsHostProcess", &[since(0, host::windows_process)]),
    restricted(
        "allowPrivilegeEscalation",
        None,
        &[since(8, identity::escalation), since(25, identity::escalation_but_on_windows)],
    ),
    restricted(
        "capabilities_restricted",
        Some("capabilities_baseline"),
        &[since(22, capabilities::not_dropped), since(25, capabilities::not_dropped_but_on_windows)],
    ),
    restricted("procMount_restricted", Some("procMount"), &[since(35, volumes::proc_mount)]),
    restricted("restrictedVolumes", Some("hostPathVolumes"), &[since(0, volumes::of_other_kinds)]),
    restricted(
        "runAsNonRoot",
        None,
        &[since(0, identity::root_allowed), since(35, identity::root_allowed_of_host_users)],
    ),
    restricted("runAsUser", None, &[since(23, identity::root), since(35, identity::root_of_host_users)]),
    restricted(
        "seccompProfile_restricted",
        Some("seccompProfile_baseline"),
        &[since(19, profiles::seccomp), since(25, profiles::seccomp_but_on_windows)],
    ),
];

/// The version of the newest revision; later ones have no rules of their own.
const NEWEST: u32 = 35;

/// The ids of all checks, in the order in which violations are told.
pub fn check_ids() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|check| check.id)
}

/// Each check's revisions: its id, and the minor version from which on the revision holds.
pub fn revisions() -> impl Iterator<Item = (&'static str, u32)> {
    CHECKS.iter().flat_map(|check| check.revisions.iter().map(|revision| (check.id, revision.since)))
}

pub(super) fn violations(policy: LevelVersion, pod: Pod<'_>) -> Vec<Violation> {
    if policy.level == Level::Privileged {
        return Vec::new();
    }
    let minor = match policy.version {
        Version::Latest => NEWEST,
        Version::Minor(minor) => minor.min(NEWEST),
    };
    let current = |check: &'static Check| check.revisions.iter().rev().find(|revision| revision.since <= minor);
    let effective = || CHECKS.iter().filter(|check| check.level <= policy.level && current(check).is_some());
    let replaced: Vec<&str> = effective().filter_map(|check| check.instead_of).collect();
    effective()
        .filter(|check| !replaced.contains(&check.id))
        .filter_map(|check| {
            let found = (current(check)?.judge)(pod)?;
            Some(Violation { check: check.id, reason: found.reason, detail: found.detail })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_stand_in_order_and_replace_checks_of_the_baseline() {
        for check in CHECKS {
            assert!(check.revisions.is_sorted_by(|a, b| a.since < b.since), "{}", check.id);
            assert!(check.revisions.iter().all(|revision| revision.since <= NEWEST), "{}", check.id);
            if let Some(replaced) = check.instead_of {
                let of = CHECKS.iter().find(|other| other.id == replaced).expect("a check");
                assert_eq!((check.level, of.level), (Level::Restricted, Level::Baseline), "{}", check.id);
            }
        }
        let ids = |level: Level| CHECKS.iter().filter(move |check| check.level == level).map(|check| check.id);
        assert!(ids(Level::Baseline).is_sorted() && ids(Level::Restricted).is_sorted());
        assert!(CHECKS.is_sorted_by_key(|check| check.level));
    }
}
