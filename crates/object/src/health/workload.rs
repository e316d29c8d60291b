use serde_json::Value;

use super::{Health, HealthStatus};
use crate::Object;

fn count(object: &Object, field: &str) -> i64 {
    object.at("/status").and_then(|status| status.get(field)).and_then(Value::as_i64).unwrap_or(0)
}

fn observed(object: &Object) -> bool {
    object.generation().unwrap_or(0) <= count(object, "observedGeneration")
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn progressing(message: impl Into<String>) -> Health {
    Health::new(HealthStatus::Progressing, message)
}

fn healthy(message: impl Into<String>) -> Health {
    Health::new(HealthStatus::Healthy, message)
}

pub(super) fn deployment(object: &Object) -> Health {
    if object.bool_at("/spec/paused") == Some(true) {
        return Health::new(HealthStatus::Suspended, "Deployment is paused");
    }
    if !observed(object) {
        return progressing(
            "Waiting for rollout to finish: observed deployment generation less than desired generation",
        );
    }
    if object.condition("Progressing").is_some_and(|condition| text(condition, "reason") == "ProgressDeadlineExceeded")
    {
        let message = format!("Deployment {:?} exceeded its progress deadline", object.name());
        return Health::new(HealthStatus::Degraded, message);
    }
    let (updated, total, available) =
        (count(object, "updatedReplicas"), count(object, "replicas"), count(object, "availableReplicas"));
    match object.i64_at("/spec/replicas") {
        Some(wanted) if updated < wanted => progressing(format!(
            "Waiting for rollout to finish: {updated} out of {wanted} new replicas have been updated..."
        )),
        _ if total > updated => progressing(format!(
            "Waiting for rollout to finish: {} old replicas are pending termination...",
            total - updated
        )),
        _ if available < updated => progressing(format!(
            "Waiting for rollout to finish: {available} of {updated} updated replicas are available..."
        )),
        _ => healthy(""),
    }
}

pub(super) fn stateful_set(object: &Object) -> Health {
    if count(object, "observedGeneration") == 0 || !observed(object) {
        return progressing("Waiting for statefulset spec update to be observed...");
    }
    let wanted = object.i64_at("/spec/replicas");
    let (ready, updated) = (count(object, "readyReplicas"), count(object, "updatedReplicas"));
    if let Some(wanted) = wanted
        && ready < wanted
    {
        return progressing(format!("Waiting for {} pods to be ready...", wanted - ready));
    }
    let strategy = object.str_at("/spec/updateStrategy/type").unwrap_or_default();
    if strategy == "RollingUpdate" && object.at("/spec/updateStrategy/rollingUpdate").is_some_and(Value::is_object) {
        if let (Some(wanted), Some(partition)) = (wanted, object.i64_at("/spec/updateStrategy/rollingUpdate/partition"))
            && updated < wanted - partition
        {
            return progressing(format!(
                "Waiting for partitioned roll out to finish: {updated} out of {} new pods have been updated...",
                wanted - partition
            ));
        }
        return healthy(format!("partitioned roll out complete: {updated} new pods have been updated..."));
    }
    if strategy == "OnDelete" {
        return healthy(format!("statefulset has {ready} ready pods"));
    }
    let revision = |field: &str| object.at("/status").map(|status| text(status, field)).unwrap_or_default();
    let (update, current) = (revision("updateRevision"), revision("currentRevision"));
    if update != current {
        return progressing(format!(
            "waiting for statefulset rolling update to complete {updated} pods at revision {update}..."
        ));
    }
    let replicas = count(object, "currentReplicas");
    healthy(format!("statefulset rolling update complete {replicas} pods at revision {current}..."))
}

pub(super) fn daemon_set(object: &Object) -> Health {
    if !observed(object) {
        return progressing(
            "Waiting for rollout to finish: observed daemon set generation less than desired generation",
        );
    }
    let (updated, wanted, available) = (
        count(object, "updatedNumberScheduled"),
        count(object, "desiredNumberScheduled"),
        count(object, "numberAvailable"),
    );
    if object.str_at("/spec/updateStrategy/type") == Some("OnDelete") {
        return healthy(format!("daemon set {updated} out of {wanted} new pods have been updated"));
    }
    let name = object.name();
    if updated < wanted {
        return progressing(format!(
            "Waiting for daemon set {name:?} rollout to finish: {updated} out of {wanted} new pods have been updated..."
        ));
    }
    if available < wanted {
        return progressing(format!(
            "Waiting for daemon set {name:?} rollout to finish: {available} of {wanted} updated pods are available..."
        ));
    }
    healthy("")
}

pub(super) fn replica_set(object: &Object) -> Health {
    if !observed(object) {
        return progressing(
            "Waiting for rollout to finish: observed replica set generation less than desired generation",
        );
    }
    if let Some(failure) = object.condition("ReplicaFailure")
        && text(failure, "status") == "True"
    {
        return Health::new(HealthStatus::Degraded, text(failure, "message"));
    }
    let available = count(object, "availableReplicas");
    match object.i64_at("/spec/replicas") {
        Some(wanted) if available < wanted => progressing(format!(
            "Waiting for rollout to finish: {available} out of {wanted} new replicas are available..."
        )),
        _ => healthy(""),
    }
}

pub(super) fn job(object: &Object) -> Health {
    let (mut failure, mut complete, mut suspended, mut message) = (None, false, false, String::new());
    for condition in object.list_at("/status/conditions") {
        let said = text(condition, "message").to_owned();
        match text(condition, "type") {
            "Failed" => {
                complete = true;
                failure = Some(said);
            }
            "Complete" => {
                complete = true;
                message = said;
            }
            "Suspended" => {
                complete = true;
                message = said;
                suspended |= text(condition, "status") == "True";
            }
            _ => {}
        }
    }
    match failure {
        _ if !complete => progressing(message),
        Some(failure) => Health::new(HealthStatus::Degraded, failure),
        None if suspended => Health::new(HealthStatus::Suspended, ""),
        None => healthy(message),
    }
}

pub(super) fn cron_job(object: &Object) -> Health {
    if object.bool_at("/spec/suspend") == Some(true) {
        return Health::new(HealthStatus::Suspended, "CronJob is Suspended");
    }
    if object.status().is_none() {
        return progressing("Waiting for CronJob");
    }
    let Some(scheduled) = object.str_at("/status/lastScheduleTime") else {
        return healthy("CronJob has not been scheduled yet");
    };
    // The misspelling is Argo CD's.
    let Some(succeeded) = object.str_at("/status/lastSuccessfulTime") else {
        return healthy("The Cronjob never completed succesfully. It may not be healthy");
    };
    if !object.list_at("/status/active").is_empty() {
        return healthy("The job is running. Its last execution may not have been successful");
    }
    if succeeded < scheduled {
        return Health::new(HealthStatus::Degraded, "CronJob has not completed its last execution successfully");
    }
    healthy("CronJob has completed its last execution successfully")
}

pub(super) fn disruption_budget(object: &Object) -> Health {
    let mut health = progressing("Waiting for status");
    for condition in object.list_at("/status/conditions") {
        let reason = text(condition, "reason");
        let message = format!("PodDisruptionBudget has {reason}");
        if text(condition, "status") == "False" && reason != "InsufficientPods" {
            return Health::new(HealthStatus::Degraded, message);
        }
        health = healthy(message);
    }
    health
}

const AUTOSCALER_FAILURES: [(&str, &str); 8] = [
    ("AbleToScale", "FailedGetScale"),
    ("AbleToScale", "FailedUpdateScale"),
    ("ScalingActive", "FailedGetResourceMetric"),
    ("ScalingActive", "FailedGetObjectMetric"),
    ("ScalingActive", "FailedGetPodsMetric"),
    ("ScalingActive", "FailedGetExternalMetric"),
    ("ScalingActive", "FailedComputeMetricsReplicas"),
    ("ScalingActive", "InvalidSelector"),
];

pub(super) fn autoscaler(object: &Object) -> Health {
    let annotated;
    let conditions = if object.api_version() == "autoscaling/v1" {
        let annotation = object.annotation("autoscaling.alpha.kubernetes.io/conditions").unwrap_or("[]");
        match serde_json::from_str::<Vec<Value>>(annotation) {
            Ok(conditions) => {
                annotated = conditions;
                &annotated
            }
            Err(error) => {
                let message = format!("failed to convert conditions annotation to typed: {error}");
                return Health::new(HealthStatus::Unknown, message);
            }
        }
    } else {
        object.list_at("/status/conditions")
    };
    let failed = conditions
        .iter()
        .find(|condition| AUTOSCALER_FAILURES.contains(&(text(condition, "type"), text(condition, "reason"))));
    if let Some(failed) = failed {
        return Health::new(HealthStatus::Degraded, text(failed, "message"));
    }
    let able = conditions.iter().find(|condition| {
        matches!(text(condition, "type"), "AbleToScale" | "ScalingLimited") && text(condition, "status") == "True"
    });
    able.map_or_else(|| progressing("Waiting to Autoscale"), |able| healthy(text(able, "message")))
}
