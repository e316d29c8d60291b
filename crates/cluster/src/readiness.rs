use landfall_object::{Object, is_unanswered};
use serde_json::Value;

/// Whether Jobs are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobWait {
    /// A Job counts as ready once it is there.
    #[default]
    Ignore,
    /// A Job is ready when it has completed.
    Complete,
}

/// How far an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It does its work.
    Ready,
    /// Not yet, and what is missing.
    NotYet(String),
    /// It has failed and says so itself.
    Failed(String),
}

impl Readiness {
    fn not_yet(text: impl Into<String>) -> Self {
        Readiness::NotYet(text.into())
    }

    /// Whether it is ready.
    pub fn is_ready(&self) -> bool {
        *self == Readiness::Ready
    }
}

/// Whether an object is ready.
///
/// Knows the kinds that `helm --wait` knows and asks at least as much of them: a Deployment's rollout must be
/// complete, where Helm is content with `replicas - maxUnavailable` ready pods. Objects of other kinds are ready once
/// they exist.
pub fn readiness(object: &Object, jobs: JobWait) -> Readiness {
    if object.deletion_timestamp().is_some() {
        return Readiness::not_yet("is being deleted");
    }
    match (object.group(), object.kind()) {
        ("", "Pod") => pod(object),
        ("batch", "Job") if jobs == JobWait::Complete => job(object),
        ("apps", "Deployment") => deployment(object),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps", "DaemonSet") => daemon_set(object),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => replica_set(object),
        ("", "PersistentVolumeClaim") => match object.str_at("/status/phase") {
            Some("Bound") => Readiness::Ready,
            Some("Lost") => Readiness::Failed("its volume is lost".into()),
            _ => Readiness::not_yet("not bound to a volume"),
        },
        ("", "Service") => service(object),
        ("", "Namespace") => match object.str_at("/status/phase") {
            Some("Terminating") => Readiness::not_yet("is being deleted"),
            _ => Readiness::Ready,
        },
        ("apiextensions.k8s.io", "CustomResourceDefinition") => crd(object),
        ("apiregistration.k8s.io", "APIService") => match condition(object, "Available") {
            Some(("True", _, _)) => Readiness::Ready,
            // Its pods are ready, and more comes of none that are simulated.
            Some(_) if is_unanswered(object) => Readiness::Ready,
            other => Readiness::not_yet(other.map_or("not available", |(_, _, message)| message)),
        },
        _ => Readiness::Ready,
    }
}

/// A condition's status, reason and message.
fn condition<'a>(object: &'a Object, kind: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let found = object.condition(kind)?;
    let text = |field: &str| found.get(field).and_then(Value::as_str).unwrap_or_default();
    Some((text("status"), text("reason"), text("message")))
}

fn observed(object: &Object) -> bool {
    object.i64_at("/status/observedGeneration").unwrap_or(0) >= object.generation().unwrap_or(0)
}

fn count(object: &Object, pointer: &str) -> i64 {
    object.i64_at(pointer).unwrap_or(0)
}

fn pod(object: &Object) -> Readiness {
    match object.str_at("/status/phase") {
        Some("Succeeded") => return Readiness::Ready,
        Some("Failed") => {
            let message =
                object.str_at("/status/message").or(object.str_at("/status/reason")).unwrap_or("the pod failed");
            return Readiness::Failed(message.into());
        }
        _ => {}
    }
    match condition(object, "Ready") {
        Some(("True", _, _)) => Readiness::Ready,
        Some((_, _, message)) if !message.is_empty() => Readiness::not_yet(message),
        _ => Readiness::not_yet("not ready"),
    }
}

fn job(object: &Object) -> Readiness {
    if let Some(("True", reason, message)) = condition(object, "Failed") {
        let text = if message.is_empty() { reason } else { message };
        return Readiness::Failed(text.to_owned());
    }
    if let Some(("True", _, _)) = condition(object, "Complete") {
        return Readiness::Ready;
    }
    let wanted = object.i64_at("/spec/completions").unwrap_or(1);
    let failed = count(object, "/status/failed");
    let mut text = format!("{} of {wanted} completions", count(object, "/status/succeeded"));
    if failed > 0 {
        text.push_str(&format!(", {failed} failed"));
    }
    Readiness::NotYet(text)
}

fn deployment(object: &Object) -> Readiness {
    if object.bool_at("/spec/paused") == Some(true) {
        return Readiness::Ready;
    }
    if !observed(object) {
        return Readiness::not_yet("the new specification has not been observed");
    }
    if let Some(("False", "ProgressDeadlineExceeded", message)) = condition(object, "Progressing") {
        return Readiness::Failed(message.to_owned());
    }
    if let Some(("True", reason, message)) = condition(object, "ReplicaFailure") {
        return Readiness::Failed(format!("{reason}: {message}"));
    }
    let wanted = object.i64_at("/spec/replicas").unwrap_or(1);
    let updated = count(object, "/status/updatedReplicas");
    let total = count(object, "/status/replicas");
    let available = count(object, "/status/availableReplicas");
    if updated < wanted {
        Readiness::NotYet(format!("{updated} of {wanted} replicas updated"))
    } else if available < wanted {
        Readiness::NotYet(format!("{available} of {wanted} updated replicas available"))
    } else if total > updated {
        Readiness::NotYet(format!("{} old replicas pending termination", total - updated))
    } else {
        Readiness::Ready
    }
}

fn stateful_set(object: &Object) -> Readiness {
    if object.str_at("/spec/updateStrategy/type") == Some("OnDelete") {
        return Readiness::Ready;
    }
    if !observed(object) {
        return Readiness::not_yet("the new specification has not been observed");
    }
    let wanted = object.i64_at("/spec/replicas").unwrap_or(1);
    let partition = count(object, "/spec/updateStrategy/rollingUpdate/partition");
    let updated = count(object, "/status/updatedReplicas");
    let ready = count(object, "/status/readyReplicas");
    if ready < wanted {
        return Readiness::NotYet(format!("{ready} of {wanted} pods ready"));
    }
    if updated < wanted - partition {
        return Readiness::NotYet(format!("{updated} of {} pods updated", wanted - partition));
    }
    let current = object.str_at("/status/currentRevision");
    if partition == 0 && current != object.str_at("/status/updateRevision") {
        return Readiness::not_yet("the rolling update is not complete");
    }
    Readiness::Ready
}

fn daemon_set(object: &Object) -> Readiness {
    if object.str_at("/spec/updateStrategy/type") == Some("OnDelete") {
        return Readiness::Ready;
    }
    if !observed(object) {
        return Readiness::not_yet("the new specification has not been observed");
    }
    let wanted = count(object, "/status/desiredNumberScheduled");
    let updated = count(object, "/status/updatedNumberScheduled");
    let available = count(object, "/status/numberAvailable");
    if updated < wanted {
        Readiness::NotYet(format!("{updated} of {wanted} pods updated"))
    } else if available < wanted {
        Readiness::NotYet(format!("{available} of {wanted} pods available"))
    } else {
        Readiness::Ready
    }
}

fn replica_set(object: &Object) -> Readiness {
    if !observed(object) {
        return Readiness::not_yet("the new specification has not been observed");
    }
    let wanted = object.i64_at("/spec/replicas").unwrap_or(1);
    let ready = count(object, "/status/readyReplicas");
    if ready < wanted { Readiness::NotYet(format!("{ready} of {wanted} pods ready")) } else { Readiness::Ready }
}

fn service(object: &Object) -> Readiness {
    if object.str_at("/spec/type") == Some("ExternalName") {
        return Readiness::Ready;
    }
    if object.str_at("/spec/clusterIP").unwrap_or_default().is_empty() {
        return Readiness::not_yet("has no cluster IP");
    }
    let balanced = object.str_at("/spec/type") == Some("LoadBalancer");
    let served =
        !object.list_at("/spec/externalIPs").is_empty() || !object.list_at("/status/loadBalancer/ingress").is_empty();
    if balanced && !served { Readiness::not_yet("the load balancer has no address") } else { Readiness::Ready }
}

fn crd(object: &Object) -> Readiness {
    if let Some(("True", _, _)) = condition(object, "Established") {
        return Readiness::Ready;
    }
    match condition(object, "NamesAccepted") {
        Some(("False", _, message)) => Readiness::Failed(message.to_owned()),
        _ => Readiness::not_yet("not established"),
    }
}

#[cfg(test)]
mod tests {
    use landfall_object::{ANSWER_NOTHING, SIMULATED, UNANSWERED};
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value).expect("a map")
    }

    /// A chart could carry the mark onto a real cluster; the condition is the aggregator's alone.
    #[test]
    fn an_api_service_is_believed_to_be_simulated_by_its_condition_and_not_by_its_mark() {
        let service = |mark: &str, message: &str| {
            let condition =
                json!({"type": "Available", "status": "False", "reason": "FailedDiscoveryCheck", "message": message});
            let value = json!({
                "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
                "metadata": {"name": "v1.example.com", "annotations": {mark: UNANSWERED}}, "status": {"conditions": [condition]},
            });
            readiness(&object(value), JobWait::Ignore)
        };
        let ours = format!("failing or missing response from https://a.b.svc:443/apis: {ANSWER_NOTHING}");
        assert_eq!(service(SIMULATED, &ours), Readiness::Ready);
        let real = "failing or missing response from https://a.b.svc:443/apis: 503";
        assert_eq!(service(SIMULATED, real), Readiness::NotYet(real.into()));
        assert_eq!(service("another", &ours), Readiness::NotYet(ours.as_str().into()));
    }

    #[test]
    fn a_deployment_is_ready_when_its_rollout_is_complete() {
        let deployment = |status: Value| {
            let value = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status});
            readiness(&object(value), JobWait::Ignore)
        };
        let told = |text: &str| Readiness::NotYet(text.into());
        assert_eq!(deployment(json!({"observedGeneration": 1})), told("the new specification has not been observed"));
        assert_eq!(deployment(json!({"observedGeneration": 2, "updatedReplicas": 1})), told("1 of 2 replicas updated"));
        let halfway = json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 2});
        assert_eq!(deployment(halfway), told("1 old replicas pending termination"));
        let done = json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2});
        assert_eq!(deployment(done), Readiness::Ready);
        let late = json!({"observedGeneration": 2, "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}]});
        assert_eq!(deployment(late), Readiness::Failed("timed out".into()));
    }

    #[test]
    fn a_job_counts_only_when_jobs_are_waited_for() {
        let failed = object(
            json!({"apiVersion": "batch/v1", "kind": "Job", "status": {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}]}}),
        );
        assert_eq!(readiness(&failed, JobWait::Ignore), Readiness::Ready);
        assert_eq!(
            readiness(&failed, JobWait::Complete),
            Readiness::Failed("Job has reached the specified backoff limit".into())
        );
    }
}
