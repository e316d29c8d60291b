//! The Pod Security Standards: which pods a namespace's labels let in (`k8s.io/pod-security-admission`, as of 1.36.3).
//!
//! Pure: [`Policy::of_labels`] reads what a namespace asks for, [`violations`] judges a pod's annotations and spec by one
//! level and version. The server's part (requests, updates, warnings) is not here, so that rules over manifests judge by
//! the same words.

mod checks;
mod policy;

use std::fmt;

use serde_json::Value;

pub use checks::{check_ids, revisions};
pub use policy::{Level, LevelVersion, Policy, Version};

/// A pod, or a pod template, as far as the standards look at it.
#[derive(Debug, Clone, Copy)]
pub struct Pod<'a> {
    /// `metadata.annotations`.
    pub annotations: &'a Value,
    /// `spec`.
    pub spec: &'a Value,
}

/// One check that a pod does not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The check's id, as `hostNamespaces`.
    pub check: &'static str,
    /// What is wrong, in few words: `host namespaces`.
    pub reason: String,
    /// The values that are wrong: `hostNetwork=true`; may be empty.
    pub detail: String,
}

impl fmt::Display for Violation {
    /// `host namespaces (hostNetwork=true)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.detail.as_str() {
            "" => f.write_str(&self.reason),
            detail => write!(f, "{} ({detail})", self.reason),
        }
    }
}

/// What a pod violates, in the server's order; a version later than the newest rule is judged by the newest.
pub fn violations(policy: LevelVersion, pod: Pod<'_>) -> Vec<Violation> {
    checks::violations(policy, pod)
}

/// Violations as the server's messages list them: `host namespaces (hostNetwork=true), hostPort (…)`.
pub fn told(violations: &[Violation]) -> String {
    violations.iter().map(Violation::to_string).collect::<Vec<_>>().join(", ")
}

/// Only the reasons: `host namespaces, hostPort`.
pub fn reasons(violations: &[Violation]) -> String {
    violations.iter().map(|violation| violation.reason.as_str()).collect::<Vec<_>>().join(", ")
}

impl<'a> Pod<'a> {
    /// A pod, or a pod template.
    pub fn of(object: &'a Value) -> Self {
        Pod { annotations: &object["metadata"]["annotations"], spec: &object["spec"] }
    }

    /// All containers, as the standards go through them: init containers, containers, ephemeral ones.
    fn containers(self) -> impl Iterator<Item = Container<'a>> {
        let lists = ["initContainers", "containers", "ephemeralContainers"].into_iter();
        lists.flat_map(move |list| self.spec[list].as_array().into_iter().flatten()).map(Container)
    }

    fn volumes(self) -> impl Iterator<Item = &'a Value> {
        self.spec["volumes"].as_array().into_iter().flatten()
    }

    /// The pod's own `securityContext`; null when there is none.
    fn security(self) -> &'a Value {
        &self.spec["securityContext"]
    }

    /// Whether the pod says that it is for Windows, where some fields cannot be set.
    fn is_windows(self) -> bool {
        self.spec["os"]["name"] == "windows"
    }

    /// Whether its users are not the host's: root inside is nobody outside.
    fn has_own_users(self) -> bool {
        self.spec["hostUsers"] == false
    }
}

/// A container of a pod.
#[derive(Debug, Clone, Copy)]
struct Container<'a>(&'a Value);

impl<'a> Container<'a> {
    fn name(self) -> &'a str {
        self.0["name"].as_str().unwrap_or_default()
    }

    /// Its `securityContext`; null when there is none.
    fn security(self) -> &'a Value {
        &self.0["securityContext"]
    }
}

/// `"a", "b"`.
fn quoted<'s>(items: impl IntoIterator<Item = &'s str>) -> String {
    items.into_iter().map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", ")
}

/// `container "a"` or `containers "a", "b"`.
fn named(names: &[&str]) -> String {
    let noun = if names.len() == 1 { "container" } else { "containers" };
    format!("{noun} {}", quoted(names.iter().copied()))
}

/// One for one, several for any other number.
fn plural<'s>(one: &'s str, several: &'s str, count: usize) -> &'s str {
    if count == 1 { one } else { several }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told_of(level: Level, version: &str, spec: Value) -> String {
        let version = Version::parse(version).expect("a version");
        let pod = json!({"spec": spec});
        told(&violations(LevelVersion { level, version }, Pod::of(&pod)))
    }

    #[test]
    fn a_plain_pod_meets_the_baseline_and_not_the_restricted_standard() {
        let plain = || json!({"containers": [{"name": "a"}, {"name": "b"}]});
        assert_eq!(told_of(Level::Privileged, "latest", json!({"hostPID": true})), "");
        assert_eq!(told_of(Level::Baseline, "latest", plain()), "");
        assert_eq!(
            told_of(Level::Restricted, "latest", plain()),
            "allowPrivilegeEscalation != false (containers \"a\", \"b\" must set securityContext.allowPrivilegeEscalation=false), \
             unrestricted capabilities (containers \"a\", \"b\" must set securityContext.capabilities.drop=[\"ALL\"]), \
             runAsNonRoot != true (pod or containers \"a\", \"b\" must set securityContext.runAsNonRoot=true), \
             seccompProfile (pod or containers \"a\", \"b\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")"
        );
        assert_eq!(
            told_of(Level::Restricted, "v1.7", plain()),
            "runAsNonRoot != true (pod or containers \"a\", \"b\" must set securityContext.runAsNonRoot=true)"
        );
    }

    #[test]
    fn a_stricter_check_stands_in_for_the_one_that_it_overrides() {
        let adds =
            || json!({"containers": [{"name": "a", "securityContext": {"capabilities": {"add": ["SYS_TIME"]}}}]});
        let of = |version: &str| told_of(Level::Restricted, version, adds());
        assert!(of("v1.21").starts_with("non-default capabilities (container \"a\" must not include \"SYS_TIME\""));
        assert!(!of("v1.22").contains("non-default capabilities"));
        assert!(of("v1.22").contains("unrestricted capabilities (container \"a\" must set securityContext.capabilities.drop=[\"ALL\"]; container \"a\" must not include \"SYS_TIME\" in securityContext.capabilities.add)"));
    }

    #[test]
    fn versions_that_are_not_out_yet_are_judged_by_the_newest_rules() {
        let spec = || json!({"containers": [{"name": "a", "livenessProbe": {"tcpSocket": {"host": "h", "port": 1}}}]});
        assert_eq!(told_of(Level::Baseline, "v1.33", spec()), "");
        let newest = told_of(Level::Baseline, "latest", spec());
        assert_eq!(newest, "probe or lifecycle host (container \"a\" uses probe or lifecycle host \"h\")");
        assert_eq!(told_of(Level::Baseline, "v1.99", spec()), newest);
    }
}
