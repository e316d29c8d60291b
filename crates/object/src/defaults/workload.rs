//! Defaults of `apps/v1` and `batch/v1`.

use serde_json::{Map, Value};

use super::{inner, is_empty, is_unset, items, set, text};

type Fields = Map<String, Value>;

pub(super) fn apps(name: &str, map: &mut Fields) {
    match name {
        "Deployment" => {
            let spec = inner(map, "spec");
            set(spec, "replicas", 1);
            let strategy = inner(spec, "strategy");
            set(strategy, "type", "RollingUpdate");
            if text(strategy, "type") == "RollingUpdate" {
                let rolling = inner(strategy, "rollingUpdate");
                set_or_percent(rolling, "maxUnavailable", "25%");
                set_or_percent(rolling, "maxSurge", "25%");
            }
            set(spec, "revisionHistoryLimit", 10);
            set(spec, "progressDeadlineSeconds", 600);
        }
        "DaemonSet" => {
            // Kept for old clients; the strategy of updates counts it up.
            set(inner(inner(map, "metadata"), "annotations"), "deprecated.daemonset.template.generation", "1");
            let spec = inner(map, "spec");
            let strategy = inner(spec, "updateStrategy");
            set(strategy, "type", "RollingUpdate");
            if text(strategy, "type") == "RollingUpdate" {
                let rolling = inner(strategy, "rollingUpdate");
                set_or_percent(rolling, "maxUnavailable", 1);
                set_or_percent(rolling, "maxSurge", 0);
            }
            set(spec, "revisionHistoryLimit", 10);
        }
        "StatefulSet" => stateful_set(inner(map, "spec")),
        "ReplicaSet" => set(inner(map, "spec"), "replicas", 1),
        _ => {}
    }
}

/// An empty string is a value here: only a missing one is filled in.
fn set_or_percent(map: &mut Fields, field: &str, value: impl Into<Value>) {
    if map.get(field).is_none_or(Value::is_null) {
        map.insert(field.to_owned(), value.into());
    }
}

fn stateful_set(spec: &mut Fields) {
    set(spec, "podManagementPolicy", "OrderedReady");
    let strategy = inner(spec, "updateStrategy");
    if is_unset(strategy.get("type")) {
        set(strategy, "type", "RollingUpdate");
        inner(strategy, "rollingUpdate");
    }
    if text(strategy, "type") == "RollingUpdate"
        && let Some(Value::Object(rolling)) = strategy.get_mut("rollingUpdate")
    {
        set(rolling, "partition", 0);
    }
    let retention = inner(spec, "persistentVolumeClaimRetentionPolicy");
    set(retention, "whenDeleted", "Retain");
    set(retention, "whenScaled", "Retain");
    set(spec, "replicas", 1);
    set(spec, "revisionHistoryLimit", 10);
    for claim in items(spec, "volumeClaimTemplates") {
        claim.insert("apiVersion".into(), "v1".into());
        claim.insert("kind".into(), "PersistentVolumeClaim".into());
    }
}

pub(super) fn batch(name: &str, map: &mut Fields) {
    match name {
        "Job" => {
            let labels = map.get("spec").and_then(|spec| spec.pointer("/template/metadata/labels")).cloned();
            if let Some(labels) = labels.filter(Value::is_object)
                && is_empty(inner(map, "metadata"), "labels")
            {
                inner(map, "metadata").insert("labels".into(), labels);
            }
            job_spec(inner(map, "spec"));
        }
        "CronJob" => {
            let spec = inner(map, "spec");
            set(spec, "concurrencyPolicy", "Allow");
            set(spec, "suspend", false);
            set(spec, "successfulJobsHistoryLimit", 3);
            set(spec, "failedJobsHistoryLimit", 1);
        }
        "PodFailurePolicyOnPodConditionsPattern" => set(map, "status", "True"),
        _ => {}
    }
}

fn job_spec(spec: &mut Fields) {
    if is_unset(spec.get("completions")) && is_unset(spec.get("parallelism")) {
        set(spec, "completions", 1);
    }
    set(spec, "parallelism", 1);
    let per_index = !is_unset(spec.get("backoffLimitPerIndex"));
    set(spec, "backoffLimit", if per_index { i64::from(i32::MAX) } else { 6 });
    set(spec, "completionMode", "NonIndexed");
    set(spec, "suspend", false);
    let policy = if is_unset(spec.get("podFailurePolicy")) { "TerminatingOrFailed" } else { "Failed" };
    set(spec, "podReplacementPolicy", policy);
    set(spec, "manualSelector", false);
}
