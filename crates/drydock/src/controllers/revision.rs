//! Revision numbers and the annotations that carry them between a deployment and its replica sets.

use serde_json::Value;

use super::fields::{annotate, annotation, entries};

/// The revision of a deployment or replica set.
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";
/// Earlier revisions a replica set has had, comma separated.
pub(crate) const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// The deployment's replicas when the replica set was last scaled.
pub(crate) const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// The deployment's replicas and surge when the replica set was last scaled.
pub(crate) const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";

/// Annotations of a deployment that its replica sets do not inherit (`annotationsToSkip`).
const NOT_INHERITED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
];

/// The longest revision history kept, in characters.
const HISTORY_LENGTH: usize = 2000;

/// The revision of an object; 0 when it has none.
pub(crate) fn revision(object: &Value) -> i64 {
    annotation(object, REVISION).and_then(|r| r.parse().ok()).unwrap_or(0)
}

/// Whether the replica set is already on the cluster or about to be created.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It exists.
    Existing,
    /// It is being made.
    New,
}

/// Brings a replica set's annotations in line with its deployment (`SetNewReplicaSetAnnotations`); whether they changed.
pub(crate) fn inherit(set: &mut Value, deployment: &Value, new_revision: i64, presence: Presence) -> bool {
    let mut changed = false;
    for (key, value) in entries(deployment, "/metadata/annotations") {
        if !NOT_INHERITED.contains(&key) {
            changed |= annotate(set, key, value);
        }
    }
    let old = annotation(set, REVISION).map(str::to_owned);
    if old.as_deref().and_then(|r| r.parse::<i64>().ok()).unwrap_or(0) < new_revision {
        annotate(set, REVISION, &new_revision.to_string());
        changed = true;
        if let (Some(old), Presence::Existing) = (old.filter(|o| !o.is_empty()), presence) {
            let history = annotation(set, REVISION_HISTORY).unwrap_or_default();
            let mut kept: Vec<&str> = history.split(',').filter(|r| !r.is_empty()).collect();
            kept.push(&old);
            while kept.iter().map(|r| r.len() + 1).sum::<usize>() > HISTORY_LENGTH && kept.len() > 1 {
                kept.remove(0);
            }
            let joined = kept.join(",");
            annotate(set, REVISION_HISTORY, &joined);
        }
    }
    changed
}

/// Records the deployment's size on a replica set; whether that changed anything.
pub(crate) fn record_size(set: &mut Value, desired: i64, most: i64) -> bool {
    let desired = annotate(set, DESIRED_REPLICAS, &desired.to_string());
    annotate(set, MAX_REPLICAS, &most.to_string()) | desired
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_older_set_taken_up_again_remembers_its_former_revision() {
        let deployment = json!({"metadata": {"annotations": {"team": "x", REVISION: "3"}}});
        let mut set = json!({"metadata": {"annotations": {REVISION: "1"}}});
        assert!(inherit(&mut set, &deployment, 4, Presence::Existing));
        assert_eq!(annotation(&set, REVISION), Some("4"));
        assert_eq!(annotation(&set, REVISION_HISTORY), Some("1"));
        assert_eq!(annotation(&set, "team"), Some("x"));
        assert!(!inherit(&mut set, &deployment, 4, Presence::Existing));
    }
}
