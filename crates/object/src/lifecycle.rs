//! How long Kubernetes serves an API version, and what follows it.
//!
//! One table for all who ask: the chart linter prints the markers as Kubernetes does, deliveries and rehearsal name what
//! replaces a version that is gone.

mod marked;

use crate::Gvk;

/// The marks of one kind in one API version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// Deprecated in 1.N.
    pub deprecated: u32,
    /// Removed in 1.N, where that is said.
    pub removed: Option<u32>,
    /// `batch/v1 CronJob`, where that is said.
    pub replacement: Option<&'static str>,
}

/// What replaces an API version that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Successor {
    /// This API version, served for the same kind.
    ApiVersion(String),
    /// Something that is no API version, in words.
    Words(&'static str),
    /// Not said: what is served has to be asked for.
    Unsaid,
}

/// A kind in an API version that Kubernetes serves no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Removed in 1.N.
    pub since: u32,
    /// What replaces it.
    pub successor: Successor,
}

/// Group, version, kinds (all when empty), removed in 1.N, what replaces it.
type Gone = (&'static str, &'static str, &'static [&'static str], u32, Successor);

/// The marks that `k8s.io/api` gives a kind (`apps/v1beta1`, `Deployment`).
pub fn marked(api_version: &str, kind: &str) -> Option<Marks> {
    let row = marked::MARKED.iter().find(|row| row.0 == api_version && row.1 == kind)?;
    Some(Marks {
        deprecated: row.2,
        removed: Some(row.3).filter(|removed| *removed > 0),
        replacement: Some(row.4).filter(|replacement| !replacement.is_empty()),
    })
}

/// Whether Kubernetes 1.`minor` serves a kind of its own no more, and what replaces it there.
pub fn removed(gvk: &Gvk, minor: u32) -> Option<Removed> {
    let gone = gone(gvk).filter(|removed| removed.since <= minor)?;
    // What replaced it may be gone too.
    if let Successor::ApiVersion(next) = &gone.successor
        && let Some(later) = removed(&Gvk::from_api_version(next, &gvk.kind), minor)
    {
        return Some(Removed { since: gone.since, successor: later.successor });
    }
    Some(gone)
}

fn gone(gvk: &Gvk) -> Option<Removed> {
    let is_of = |row: &&Gone| {
        let (group, version, kinds, _, _) = row;
        *group == gvk.group && *version == gvk.version && (kinds.is_empty() || kinds.contains(&gvk.kind.as_str()))
    };
    if let Some((_, _, _, since, successor)) = unmarked().iter().find(is_of) {
        return Some(Removed { since: *since, successor: successor.clone() });
    }
    let marks = marked(&gvk.api_version(), &gvk.kind)?;
    let api_version = marks.replacement.and_then(|text| text.split(' ').next());
    let successor = api_version.map_or(Successor::Unsaid, |text| Successor::ApiVersion(text.to_owned()));
    Some(Removed { since: marks.removed?, successor })
}

/// What the markers do not have: groups that `k8s.io/api` never held, versions it has dropped, and replacements it
/// leaves unsaid (Kubernetes' deprecated API migration guide).
fn unmarked() -> [Gone; 12] {
    let next = |text: &str| Successor::ApiVersion(text.to_owned());
    let pods = Successor::Words("pod security labels of the namespace");
    [
        ("extensions", "v1beta1", &["PodSecurityPolicy"], 16, pods.clone()),
        ("policy", "v1beta1", &["PodSecurityPolicy"], 25, pods),
        ("apiextensions.k8s.io", "v1beta1", &[], 22, next("apiextensions.k8s.io/v1")),
        ("apiregistration.k8s.io", "v1beta1", &[], 22, next("apiregistration.k8s.io/v1")),
        ("autoscaling", "v2beta1", &[], 25, next("autoscaling/v2")),
        ("autoscaling", "v2beta2", &[], 26, next("autoscaling/v2")),
        ("batch", "v2alpha1", &[], 21, next("batch/v1")),
        ("discovery.k8s.io", "v1alpha1", &[], 21, next("discovery.k8s.io/v1")),
        ("events.k8s.io", "v1beta1", &[], 25, next("events.k8s.io/v1")),
        ("node.k8s.io", "v1beta1", &[], 25, next("node.k8s.io/v1")),
        ("rbac.authorization.k8s.io", "v1alpha1", &[], 22, next("rbac.authorization.k8s.io/v1")),
        ("scheduling.k8s.io", "v1alpha1", &["PriorityClass"], 22, next("scheduling.k8s.io/v1")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(api_version: &str, kind: &str, minor: u32) -> Option<(u32, Successor)> {
        removed(&Gvk::from_api_version(api_version, kind), minor).map(|removed| (removed.since, removed.successor))
    }

    #[test]
    fn a_version_is_gone_from_the_release_that_removed_it() {
        let next = |text: &str| Successor::ApiVersion(text.to_owned());
        assert_eq!(told("batch/v1beta1", "CronJob", 24), None);
        assert_eq!(told("batch/v1beta1", "CronJob", 25), Some((25, next("batch/v1"))));
        assert_eq!(told("extensions/v1beta1", "Ingress", 36), Some((22, next("networking.k8s.io/v1"))));
        assert_eq!(told("autoscaling/v2beta2", "HorizontalPodAutoscaler", 36), Some((26, next("autoscaling/v2"))));
        assert_eq!(told("batch/v1", "CronJob", 99), None);
        assert_eq!(told("example.com/v1", "Anything", 99), None);
    }

    #[test]
    fn a_successor_that_is_gone_itself_is_followed() {
        let last = |minor| told("flowcontrol.apiserver.k8s.io/v1beta1", "FlowSchema", minor).map(|it| it.1);
        let next = |text: &str| Some(Successor::ApiVersion(text.to_owned()));
        assert_eq!(last(28), next("flowcontrol.apiserver.k8s.io/v1beta3"));
        assert_eq!(last(36), next("flowcontrol.apiserver.k8s.io/v1"));
    }

    #[test]
    fn what_has_no_api_version_for_a_successor_says_so() {
        assert!(matches!(told("policy/v1beta1", "PodSecurityPolicy", 30), Some((25, Successor::Words(_)))));
    }
}
