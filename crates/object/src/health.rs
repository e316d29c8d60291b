//! How objects fare, by Argo CD's rules and in its words.

mod custom;
mod pod;
mod rules;
mod workload;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::rules::{HealthRules, OwnRules, Rulebook, Verdict};
use crate::Object;

/// How an object fares, in Argo CD's six words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HealthStatus {
    /// It does what was asked.
    Healthy,
    /// It waits on purpose: a paused Deployment, a suspended Job.
    Suspended,
    /// It is on the way and may still become healthy.
    Progressing,
    /// It is not there.
    Missing,
    /// It failed, or cannot become healthy in time.
    Degraded,
    /// It could not be assessed.
    Unknown,
}

impl HealthStatus {
    /// From best to worst: the status of several is the worst among them.
    fn badness(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Suspended => 1,
            Self::Progressing => 2,
            Self::Missing => 3,
            Self::Degraded => 4,
            Self::Unknown => 5,
        }
    }

    /// The status of that word.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Healthy, Self::Suspended, Self::Progressing, Self::Missing, Self::Degraded, Self::Unknown];
        all.into_iter().find(|status| status.word() == word)
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Suspended => "Suspended",
            Self::Progressing => "Progressing",
            Self::Missing => "Missing",
            Self::Degraded => "Degraded",
            Self::Unknown => "Unknown",
        }
    }

    /// The worse of the two.
    pub fn worst(self, other: Self) -> Self {
        if other.badness() > self.badness() { other } else { self }
    }
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A health status with the sentence that explains it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The status.
    pub status: HealthStatus,
    /// Why; empty when there is nothing to say.
    pub message: String,
}

impl Health {
    /// That status with that message.
    pub fn new(status: HealthStatus, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

/// How an object fares by Argo CD's rules; `None` for kinds that have no health (a ConfigMap is just there).
///
/// Rules: `gitops-engine/pkg/health` and the scripts Argo CD ships for common custom kinds, first match wins.
pub fn assess(object: &Object) -> Option<Health> {
    if let Some(going) = going(object) {
        return Some(going);
    }
    let unsupported =
        |name: &str| Some(Health::new(HealthStatus::Unknown, format!("unsupported {name} GVK: {}", object.gvk())));
    let api_version = object.api_version();
    match (object.group(), object.kind()) {
        ("apps", kind @ ("Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")) if api_version != "apps/v1" => {
            unsupported(kind)
        }
        ("apps", "Deployment") => Some(workload::deployment(object)),
        ("apps", "StatefulSet") => Some(workload::stateful_set(object)),
        ("apps", "DaemonSet") => Some(workload::daemon_set(object)),
        ("apps", "ReplicaSet") => Some(workload::replica_set(object)),
        ("batch", "Job") if api_version != "batch/v1" => unsupported("Job"),
        ("batch", "Job") => Some(workload::job(object)),
        ("batch", "CronJob") => Some(workload::cron_job(object)),
        ("", "Pod") => Some(pod::pod(object)),
        ("", "PersistentVolumeClaim") => Some(claim(object)),
        ("", "Service") => Some(service(object)),
        ("networking.k8s.io" | "extensions", "Ingress") => Some(addressed(object)),
        ("autoscaling", "HorizontalPodAutoscaler") => match api_version {
            "autoscaling/v1" | "autoscaling/v2" => Some(workload::autoscaler(object)),
            _ => unsupported("HPA"),
        },
        ("policy", "PodDisruptionBudget") => Some(workload::disruption_budget(object)),
        _ => custom::assess(object),
    }
}

/// How an object fares that is being deleted; a hook with Argo CD's finalizer goes once its end is known, and fares as before.
fn going(object: &Object) -> Option<Health> {
    let stays = object.deletion_timestamp().is_none()
        || object.finalizers().any(|finalizer| finalizer.contains("hook-finalizer"));
    let message = match object.kind() {
        "CustomResourceDefinition" => "CRD is terminating",
        _ => "Pending deletion",
    };
    (!stays).then(|| Health::new(HealthStatus::Progressing, message))
}

fn claim(object: &Object) -> Health {
    let status = match object.str_at("/status/phase") {
        Some("Lost") => HealthStatus::Degraded,
        Some("Pending") => HealthStatus::Progressing,
        Some("Bound") => HealthStatus::Healthy,
        _ => HealthStatus::Unknown,
    };
    Health::new(status, "")
}

fn service(object: &Object) -> Health {
    if object.str_at("/spec/type") == Some("LoadBalancer") {
        addressed(object)
    } else {
        Health::new(HealthStatus::Healthy, "")
    }
}

fn addressed(object: &Object) -> Health {
    let addressed = !object.list_at("/status/loadBalancer/ingress").is_empty();
    Health::new(if addressed { HealthStatus::Healthy } else { HealthStatus::Progressing }, "")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn health(value: Value) -> Option<(HealthStatus, String)> {
        let object = Object::from_value(value).expect("a map");
        assess(&object).map(|health| (health.status, health.message))
    }

    fn is(status: HealthStatus, message: &str) -> Option<(HealthStatus, String)> {
        Some((status, message.to_owned()))
    }

    #[test]
    fn a_deployment_is_followed_from_its_rollout_to_its_end() {
        let deployment = |status: Value| {
            health(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "generation": 2},
                "spec": {"replicas": 3}, "status": status}))
        };
        assert_eq!(
            deployment(json!({"observedGeneration": 1})),
            is(
                HealthStatus::Progressing,
                "Waiting for rollout to finish: observed deployment generation less than desired generation"
            )
        );
        assert_eq!(
            deployment(json!({"observedGeneration": 2, "updatedReplicas": 1})),
            is(
                HealthStatus::Progressing,
                "Waiting for rollout to finish: 1 out of 3 new replicas have been updated..."
            )
        );
        assert_eq!(
            deployment(json!({"observedGeneration": 2, "updatedReplicas": 3, "replicas": 4})),
            is(HealthStatus::Progressing, "Waiting for rollout to finish: 1 old replicas are pending termination...")
        );
        assert_eq!(
            deployment(json!({"observedGeneration": 2, "updatedReplicas": 3, "replicas": 3, "availableReplicas": 2})),
            is(HealthStatus::Progressing, "Waiting for rollout to finish: 2 of 3 updated replicas are available...")
        );
        assert_eq!(
            deployment(json!({"observedGeneration": 2, "updatedReplicas": 3, "replicas": 3, "availableReplicas": 3})),
            is(HealthStatus::Healthy, "")
        );
        let late = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
        assert_eq!(
            deployment(json!({"observedGeneration": 2, "conditions": late})),
            is(HealthStatus::Degraded, "Deployment \"web\" exceeded its progress deadline")
        );
    }

    #[test]
    fn a_condition_of_the_generation_before_is_no_answer_to_this_one() {
        let sealed = |seen: u64| {
            let synced = json!([{"type": "Synced", "status": "True"}]);
            health(
                json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": {"name": "s", "generation": 2},
                "status": {"observedGeneration": seen, "conditions": synced}}),
            )
        };
        assert_eq!(sealed(1), is(HealthStatus::Progressing, "Waiting for Sealed Secret to be decrypted"));
        assert_eq!(sealed(2), is(HealthStatus::Healthy, ""));
    }

    #[test]
    fn kinds_without_a_rule_have_no_health_and_unknown_versions_say_so() {
        assert_eq!(health(json!({"apiVersion": "v1", "kind": "ConfigMap"})), None);
        assert_eq!(
            health(json!({"apiVersion": "apps/v1beta1", "kind": "Deployment"})),
            is(HealthStatus::Unknown, "unsupported Deployment GVK: apps/v1beta1, Kind=Deployment")
        );
    }

    #[test]
    fn a_pod_that_cannot_pull_its_image_is_degraded() {
        let status = json!({"phase": "Pending", "containerStatuses": [
            {"name": "c", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"x\""}}}]});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"restartPolicy": "Always"}, "status": status});
        assert_eq!(health(pod), is(HealthStatus::Degraded, "Back-off pulling image \"x\""));
    }

    #[test]
    fn a_certificate_waits_then_says_what_its_condition_says() {
        let certificate = |status: Value| {
            health(json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "status": status}))
        };
        assert_eq!(certificate(json!({})), is(HealthStatus::Progressing, "Waiting for certificate"));
        let ready = json!({"conditions": [{"type": "Ready", "status": "True", "message": "up to date"}]});
        assert_eq!(certificate(ready), is(HealthStatus::Healthy, "up to date"));
    }
}
