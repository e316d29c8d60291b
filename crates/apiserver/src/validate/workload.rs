//! `apps`, `batch`, `autoscaling`, `policy`.

use landfall_object::FieldError;
use serde_json::{Value, json};

use super::at::{At, Errors, ordered};
use super::{autoscaler, job, metadata, names, pod, storage};

const NO_MATCH: &str = "`selector` does not match template `labels`";

/// The kind's own rules on `spec`; `old` is the live object on an update.
pub(super) fn validate(errors: &mut Errors, kind: &str, object: &At<'_>, old: Option<&At<'_>>) {
    let spec = object.get("spec");
    match kind {
        "Pod" => pod::pod(errors, object, if old.is_some() { pod::Life::Known } else { pod::Life::New }),
        "Deployment" => deployment(errors, &spec),
        "ReplicaSet" => replica_set(errors, &spec),
        "StatefulSet" => stateful_set(errors, &spec, old.is_some()),
        "DaemonSet" => daemon_set(errors, &spec),
        "ReplicationController" => {
            errors.nonnegative(&spec.get("replicas"));
            errors.nonnegative(&spec.get("minReadySeconds"));
            if spec.get("selector").is_empty() {
                errors.required(spec.child("selector"), "");
            }
            if spec.get("template").is_set() {
                pod::template(errors, &spec.get("template"));
            } else {
                errors.required(spec.child("template"), "");
            }
        }
        "Job" => job::job(errors, &spec, job::Selector::Checked),
        "CronJob" => job::cron_job(errors, object, old),
        "HorizontalPodAutoscaler" => autoscaler::validate(errors, &spec),
        "PodDisruptionBudget" => disruption_budget(errors, &spec),
        _ => {}
    }
    if let Some(old) = old {
        changed(errors, kind, object, old);
    }
}

fn changed(errors: &mut Errors, kind: &str, object: &At<'_>, old: &At<'_>) {
    let (new, old_spec) = (object.get("spec"), old.get("spec"));
    let same = |errors: &mut Errors, field: &str| errors.immutable(&new.get(field), &old_spec.get(field));
    match kind {
        "Pod" => pod::update(errors, object, old),
        "Deployment" | "ReplicaSet" | "DaemonSet" => same(errors, "selector"),
        "StatefulSet" => {
            let kept = |spec: &At<'_>| {
                let mut spec = spec.value.clone();
                if let Some(map) = spec.as_object_mut() {
                    for field in [
                        "replicas",
                        "template",
                        "updateStrategy",
                        "minReadySeconds",
                        "ordinals",
                        "revisionHistoryLimit",
                        "persistentVolumeClaimRetentionPolicy",
                    ] {
                        map.remove(field);
                    }
                }
                spec
            };
            if kept(&new) != kept(&old_spec) {
                errors.forbidden("spec", "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden");
            }
        }
        "Job" => job::job_update(errors, &new, &old_spec),
        _ => {}
    }
}

fn always(errors: &mut Errors, template: &At<'_>, kind: &str) {
    let policy = template.dig("spec.restartPolicy");
    if policy.text() != "Always" {
        errors.push(FieldError::not_supported(policy.path.clone(), policy.text(), &["Always"]));
    }
    let deadline = template.dig("spec.activeDeadlineSeconds");
    if deadline.is_set() {
        errors.forbidden(deadline.path, format!("activeDeadlineSeconds in {kind} is not Supported"));
    }
}

/// A workload's selector, and its template's labels.
fn selector_and_template(errors: &mut Errors, spec: &At<'_>, noun: &str) -> bool {
    let selector = spec.get("selector");
    if selector.is_set() {
        metadata::selector(errors, &selector);
        if selector.get("matchLabels").is_empty() && selector.get("matchExpressions").is_empty() {
            errors.invalid(&selector, format!("empty selector is invalid for {noun}"));
        }
    } else {
        errors.required(selector.path.clone(), "");
    }
    if !metadata::is_readable(&selector) {
        let detail = if noun == "statefulset" { "" } else { "invalid label selector" };
        errors.invalid_ordered(&selector, &["matchLabels", "matchExpressions"], detail);
        return false;
    }
    let labels = spec.dig("template.metadata.labels");
    let empty = selector.get("matchLabels").is_empty() && selector.get("matchExpressions").is_empty();
    // A missing selector matches nothing, an empty one everything.
    if (!empty || !selector.is_set()) && !metadata::matches(&selector, &labels) {
        errors.invalid(&labels, NO_MATCH);
    }
    true
}

fn deployment(errors: &mut Errors, spec: &At<'_>) {
    errors.nonnegative(&spec.get("replicas"));
    if selector_and_template(errors, spec, "deployment") {
        pod::template(errors, &spec.get("template"));
        always(errors, &spec.get("template"), "ReplicaSet");
    }
    deployment_strategy(errors, &spec.get("strategy"));
    errors.nonnegative(&spec.get("minReadySeconds"));
    errors.nonnegative(&spec.get("revisionHistoryLimit"));
    let deadline = spec.get("progressDeadlineSeconds");
    errors.nonnegative(&deadline);
    if deadline.int().is_some_and(|deadline| deadline <= spec.get("minReadySeconds").int().unwrap_or(0)) {
        errors.invalid(&deadline, "must be greater than minReadySeconds");
    }
}

fn deployment_strategy(errors: &mut Errors, strategy: &At<'_>) {
    let rolling = strategy.get("rollingUpdate");
    match strategy.get("type").text() {
        "Recreate" => {
            if rolling.is_set() {
                errors.forbidden(rolling.path, "may not be specified when strategy `type` is 'Recreate'");
            }
        }
        "RollingUpdate" => {
            let (unavailable, surge) = (rolling.get("maxUnavailable"), rolling.get("maxSurge"));
            int_or_percent(errors, &unavailable);
            int_or_percent(errors, &surge);
            if number(unavailable.value) == 0 && number(surge.value) == 0 {
                errors.invalid(&unavailable, "may not be 0 when `maxSurge` is 0");
            }
            at_most_all(errors, &unavailable);
        }
        kind => {
            let error = FieldError::not_supported(strategy.path.clone(), kind, &["Recreate", "RollingUpdate"]);
            errors.push(error.shown_as(unknown_strategy(kind)));
        }
    }
}

/// A strategy of unknown type, as the server's internal struct prints.
fn unknown_strategy(kind: &str) -> String {
    format!("{{\"Type\":{},\"RollingUpdate\":null}}", Value::from(kind))
}

fn number(value: &Value) -> i64 {
    match value {
        Value::String(text) => text.trim_end_matches('%').parse().unwrap_or(0),
        other => other.as_i64().unwrap_or(0),
    }
}

fn int_or_percent(errors: &mut Errors, at: &At<'_>) {
    match at.value {
        Value::String(text) => errors.each(at, names::percent(text)),
        _ => errors.nonnegative(at),
    }
}

fn at_most_all(errors: &mut Errors, at: &At<'_>) {
    if at.value.as_str().is_some_and(|text| text.ends_with('%') && number(at.value) > 100) {
        errors.invalid(at, "must not be greater than 100%");
    }
}

fn replica_set(errors: &mut Errors, spec: &At<'_>) {
    errors.nonnegative(&spec.get("replicas"));
    errors.nonnegative(&spec.get("minReadySeconds"));
    // The server says "deployment" here, too.
    if selector_and_template(errors, spec, "deployment") {
        pod::template(errors, &spec.get("template"));
        always(errors, &spec.get("template"), "ReplicaSet");
    }
}

fn stateful_set(errors: &mut Errors, spec: &At<'_>, update: bool) {
    let policy = spec.get("podManagementPolicy");
    if policy.is_empty() {
        errors.required(policy.path.clone(), "");
    } else if !["OrderedReady", "Parallel"].contains(&policy.text()) {
        errors.invalid(&policy, "must be 'OrderedReady' or 'Parallel'");
    }
    let strategy = spec.get("updateStrategy");
    let rolling = strategy.get("rollingUpdate");
    match strategy.get("type").text() {
        "" => errors.required(strategy.path.clone(), ""),
        "OnDelete" => {
            if rolling.is_set() {
                errors.invalid(&rolling, "only allowed for updateStrategy 'RollingUpdate'");
            }
        }
        "RollingUpdate" => {
            errors.nonnegative(&rolling.get("partition"));
            if rolling.get("maxUnavailable").is_set() {
                int_or_percent(errors, &rolling.get("maxUnavailable"));
            }
        }
        kind => {
            let error = FieldError::invalid(strategy.path.clone(), kind, "must be 'RollingUpdate' or 'OnDelete'");
            errors.push(error.shown_as(unknown_strategy(kind)));
        }
    }
    let retention = spec.get("persistentVolumeClaimRetentionPolicy");
    for field in ["whenDeleted", "whenScaled"] {
        errors.one_of_if_set(&retention.get(field), &["Retain", "Delete"]);
    }
    if !update {
        for claim in spec.get("volumeClaimTemplates").items() {
            storage::claim_spec(errors, &claim.get("spec"));
        }
    }
    errors.nonnegative(&spec.get("replicas"));
    errors.nonnegative(&spec.get("minReadySeconds"));
    let service = spec.get("serviceName");
    if !update && !service.is_empty() {
        errors.each(&service, names::dns_label(service.text()));
    }
    if selector_and_template(errors, spec, "statefulset") {
        // Claims are mounted as volumes of their names.
        let mut template = spec.get("template").value.clone();
        let claims: Vec<&str> =
            spec.get("volumeClaimTemplates").items().map(|claim| claim.dig("metadata.name").text()).collect();
        if let Some(pod) = template.get_mut("spec").and_then(Value::as_object_mut) {
            pod.remove("hostname");
            pod.remove("subdomain");
            let volumes = pod.get("volumes").and_then(Value::as_array).cloned().unwrap_or_default();
            let kept =
                volumes.into_iter().filter(|volume| !claims.contains(&volume["name"].as_str().unwrap_or_default()));
            let added = claims
                .iter()
                .map(|name| json!({"name": name, "persistentVolumeClaim": {"claimName": format!("{name}-template")}}));
            pod.insert("volumes".into(), added.chain(kept).collect());
        }
        let path = spec.child("template");
        let at = At::new(&template, path.clone());
        pod::template(errors, &at);
        metadata::labels(errors, &at.dig("metadata.labels").renamed(&path, "labels"));
        metadata::annotations(errors, &at.dig("metadata.annotations").renamed(&path, "annotations"));
    }
    always(errors, &spec.get("template"), "StatefulSet");
}

fn daemon_set(errors: &mut Errors, spec: &At<'_>) {
    let selector = spec.get("selector");
    metadata::selector(errors, &selector);
    let labels = spec.dig("template.metadata.labels");
    if metadata::is_readable(&selector) && !metadata::matches(&selector, &labels) {
        errors.invalid(&labels, NO_MATCH);
    }
    if selector.is_set() && selector.get("matchLabels").is_empty() && selector.get("matchExpressions").is_empty() {
        errors.invalid(&selector, "empty selector is invalid for daemonset");
    }
    pod::template(errors, &spec.get("template"));
    always(errors, &spec.get("template"), "DaemonSet");
    errors.nonnegative(&spec.get("minReadySeconds"));
    let strategy = spec.get("updateStrategy");
    match strategy.get("type").text() {
        "OnDelete" => {}
        "RollingUpdate" => {
            let rolling = strategy.get("rollingUpdate");
            let (unavailable, surge) = (rolling.get("maxUnavailable"), rolling.get("maxSurge"));
            for at in [&unavailable, &surge] {
                int_or_percent(errors, at);
            }
            for at in [&unavailable, &surge] {
                at_most_all(errors, at);
            }
            match (number(unavailable.value) != 0, number(surge.value) != 0) {
                (true, true) => errors.invalid(&surge, "may not be set when maxUnavailable is non-zero"),
                (false, false) => errors.required(unavailable.path, "cannot be 0 when maxSurge is 0"),
                _ => {}
            }
        }
        kind => {
            let error = FieldError::not_supported(strategy.path.clone(), kind, &["RollingUpdate", "OnDelete"]);
            errors.push(error.shown_as(unknown_strategy(kind)));
        }
    }
    errors.nonnegative(&spec.get("revisionHistoryLimit"));
}

fn disruption_budget(errors: &mut Errors, spec: &At<'_>) {
    let (least, most) = (spec.get("minAvailable"), spec.get("maxUnavailable"));
    if least.is_set() && most.is_set() {
        let value = json!({"MinAvailable": least.value, "Selector": spec.get("selector").value,
            "MaxUnavailable": most.value, "UnhealthyPodEvictionPolicy": spec.get("unhealthyPodEvictionPolicy").value});
        let detail = "minAvailable and maxUnavailable cannot be both set";
        let shown = ordered(&value, &["MinAvailable", "Selector", "MaxUnavailable", "UnhealthyPodEvictionPolicy"]);
        errors.push(FieldError::invalid(spec.path.clone(), value, detail).shown_as(shown));
    }
    for at in [&least, &most] {
        if at.is_set() {
            int_or_percent(errors, at);
            at_most_all(errors, at);
        }
    }
    metadata::selector(errors, &spec.get("selector"));
    errors.one_of_if_set(&spec.get("unhealthyPodEvictionPolicy"), &["AlwaysAllow", "IfHealthyBudget"]);
}
