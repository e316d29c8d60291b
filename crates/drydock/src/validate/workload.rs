//! `apps`, `batch`, `autoscaling`, `policy`.

use landfall_object::FieldError;
use serde_json::{Value, json};

use super::at::{At, Errors, ordered};
use super::pod::{self, Holder};
use super::{metadata, names, storage};

const NO_MATCH: &str = "`selector` does not match template `labels`";

/// The kind's own rules on `spec`; `old` is the live object on an update.
pub(super) fn validate(errors: &mut Errors, kind: &str, object: &At<'_>, old: Option<&At<'_>>) {
    let spec = object.get("spec");
    match kind {
        "Pod" => pod::spec(errors, &spec, Holder::Pod),
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
        "Job" => job(errors, &spec, true),
        "CronJob" => cron_job(errors, object),
        "HorizontalPodAutoscaler" => autoscaler(errors, &spec),
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
        "Job" => {
            if new.get("completionMode").text() != "Indexed" {
                same(errors, "completions");
            }
            same(errors, "selector");
            let suspended = old_spec.get("suspend").flag();
            if !suspended {
                same(errors, "template");
            }
            for field in ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"] {
                same(errors, field);
            }
        }
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

fn job(errors: &mut Errors, spec: &At<'_>, selected: bool) {
    for field in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        errors.nonnegative(&spec.get(field));
    }
    let mode = spec.get("completionMode");
    errors.one_of_if_set(&mode, &["NonIndexed", "Indexed"]);
    if mode.text() == "Indexed" {
        if !spec.get("completions").is_set() {
            errors.required(spec.child("completions"), "when completion mode is Indexed");
        }
    } else if matches!(mode.text(), "" | "NonIndexed") {
        for field in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            let at = spec.get(field);
            if at.is_set() {
                errors.invalid(&at, "requires indexed completion mode");
            }
        }
    }
    errors.one_of_if_set(&spec.get("podReplacementPolicy"), &["Failed", "TerminatingOrFailed"]);
    pod::template(errors, &spec.get("template"));
    let policy = spec.dig("template.spec.restartPolicy");
    match policy.text() {
        "OnFailure" | "Never" => {}
        "" | "Always" => errors.required(policy.path.clone(), "valid values: \"OnFailure\", \"Never\""),
        other => errors.push(FieldError::not_supported(policy.path.clone(), other, &["OnFailure", "Never"])),
    }
    if selected {
        let selector = spec.get("selector");
        if !selector.is_set() {
            errors.required(selector.path.clone(), "");
        } else {
            metadata::selector(errors, &selector);
        }
        let labels = spec.dig("template.metadata.labels");
        if metadata::is_readable(&selector) && !metadata::matches(&selector, &labels) {
            errors.invalid(&labels, NO_MATCH);
        }
    }
}

fn cron_job(errors: &mut Errors, object: &At<'_>) {
    let spec = object.get("spec");
    let schedule = spec.get("schedule");
    if schedule.is_empty() {
        errors.required(schedule.path.clone(), "");
    } else {
        if let Some(error) = schedule_error(schedule.text()) {
            errors.invalid(&schedule, error);
        }
        if schedule.text().contains("TZ") {
            errors.invalid(&schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
        }
    }
    let zone = spec.get("timeZone");
    if !zone.is_empty() && jiff::tz::TimeZone::get(zone.text()).is_err() {
        errors.invalid(&zone, format!("unknown time zone {}", zone.text()));
    }
    errors.nonnegative(&spec.get("startingDeadlineSeconds"));
    errors.one_of(&spec.get("concurrencyPolicy"), &["Allow", "Forbid", "Replace"]);
    job(errors, &spec.dig("jobTemplate.spec"), false);
    errors.nonnegative(&spec.get("successfulJobsHistoryLimit"));
    errors.nonnegative(&spec.get("failedJobsHistoryLimit"));
    let name = object.dig("metadata.name");
    if name.text().len() > 52 {
        errors.invalid(&name, "must be no more than 52 characters");
    }
}

/// Why a schedule is none, as `robfig/cron` says it.
fn schedule_error(schedule: &str) -> Option<String> {
    if let Some(descriptor) = schedule.strip_prefix('@') {
        let known = ["yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"];
        if known.contains(&descriptor) || descriptor.starts_with("every ") {
            return None;
        }
        return Some(format!("unrecognized descriptor: {schedule}"));
    }
    let fields: Vec<&str> = schedule.split_whitespace().filter(|field| !field.contains("TZ=")).collect();
    if fields.len() != 5 {
        let listed = fields.join(" ");
        return Some(format!("expected exactly 5 fields, found {}: [{listed}]", fields.len()));
    }
    let bounds = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
    fields.iter().zip(bounds).find_map(|(field, (least, most))| cron_field_error(field, least, most))
}

fn cron_field_error(field: &str, least: u32, most: u32) -> Option<String> {
    const NAMES: [&str; 19] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "sun", "mon", "tue", "wed",
        "thu", "fri", "sat",
    ];
    for part in field.split(',') {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        if step.parse::<u32>().is_err() {
            return Some(format!("failed to parse int from {step}: strconv.Atoi: parsing {step:?}: invalid syntax"));
        }
        if range == "*" || range == "?" {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap_or((range, range));
        let mut ends = Vec::new();
        for text in [start, end] {
            if NAMES.contains(&text.to_lowercase().as_str()) {
                continue;
            }
            match text.parse::<u32>() {
                Ok(value) => ends.push(value),
                Err(_) => {
                    return Some(format!(
                        "failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax"
                    ));
                }
            }
        }
        if let [start, end] = ends.as_slice() {
            if *start < least {
                return Some(format!("beginning of range ({start}) below minimum ({least}): {part}"));
            }
            if *end > most {
                return Some(format!("end of range ({end}) above maximum ({most}): {part}"));
            }
            if start > end {
                return Some(format!("beginning of range ({start}) beyond end of range ({end}): {part}"));
            }
        }
    }
    None
}

fn autoscaler(errors: &mut Errors, spec: &At<'_>) {
    let (least, most) = (spec.get("minReplicas"), spec.get("maxReplicas"));
    if least.int().is_some_and(|least| least < 1) {
        errors.invalid(&least, "must be greater than or equal to 1");
    }
    match most.int().unwrap_or(0) {
        0 => errors.required(most.path.clone(), "must be set and greater than 0"),
        value if value < 0 => errors.invalid(&most, "must be greater than or equal to 1"),
        _ => {}
    }
    if let Some(least) = least.int()
        && most.int().unwrap_or(0) < least
    {
        let value = most.int().unwrap_or(0);
        errors.push(FieldError::invalid(most.path.clone(), value, "must be greater than or equal to `minReplicas`"));
    }
    let target = spec.get("scaleTargetRef");
    for field in ["kind", "name"] {
        let at = target.get(field);
        if at.is_empty() {
            errors.required(at.path.clone(), "");
        } else {
            errors.each(&at, names::path_segment(at.text()));
        }
    }
    let version = target.get("apiVersion");
    if version.is_empty() {
        errors.push(FieldError::invalid(version.path, "", "apiVersion must specify API group"));
    }
    let scalable_from_zero =
        spec.get("metrics").items().any(|metric| matches!(metric.get("type").text(), "Object" | "External"));
    if least.int() == Some(0) && !scalable_from_zero {
        let detail = "must specify at least one Object or External metric to support scaling to zero replicas";
        errors.forbidden(spec.child("metrics"), detail);
    }
    const METRICS: [&str; 5] = ["ContainerResource", "External", "Object", "Pods", "Resource"];
    for metric in spec.get("metrics").items() {
        let kind = metric.get("type");
        if kind.is_empty() {
            errors.required(kind.path.clone(), "must specify a metric source type");
        }
        if !METRICS.contains(&kind.text()) {
            errors.push(FieldError::not_supported(kind.path.clone(), kind.text(), &METRICS));
            errors.push(FieldError::not_supported(kind.path.clone(), kind.text(), &METRICS));
            continue;
        }
        let mut field = kind.text().to_owned();
        field[..1].make_ascii_lowercase();
        let source = metric.get(&field);
        if !source.is_set() {
            errors.required(source.path, "must populate information for the given metric source");
        } else if matches!(kind.text(), "Resource" | "ContainerResource") {
            if source.get("name").is_empty() {
                errors.required(source.child("name"), "must specify a resource name");
            }
            let target = source.get("target");
            let (utilization, value) = (target.get("averageUtilization"), target.get("averageValue"));
            if target.get("type").is_empty() {
                errors.required(target.child("type"), "must specify a metric target type");
            }
            if !["Utilization", "Value", "AverageValue"].contains(&target.get("type").text()) {
                errors.invalid(&target.get("type"), "must be either Utilization, Value, or AverageValue");
            }
            if utilization.int().is_some_and(|value| value < 1) {
                errors.invalid(&utilization, "must be greater than 0");
            }
            if !utilization.is_set() && !value.is_set() {
                errors.required(utilization.path, "must set either a target raw value or a target utilization");
            } else if utilization.is_set() && value.is_set() {
                errors.forbidden(value.path, "may not set both a target raw value and a target utilization");
            }
        }
    }
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
