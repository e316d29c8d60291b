//! Autoscalers: what they scale, by which metrics, how fast (`pkg/apis/autoscaling/validation`).

use landfall_object::{FieldError, Quantity};

use super::at::{At, Errors};
use super::{container, names};

const METRICS: [&str; 5] = ["ContainerResource", "External", "Object", "Pods", "Resource"];
/// An hour, in seconds.
const LONGEST_WINDOW: i64 = 3600;
/// Half an hour, in seconds.
const LONGEST_PERIOD: i64 = 1800;

pub(super) fn validate(errors: &mut Errors, spec: &At<'_>) {
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
    // The only kind of the core group that scales.
    let group = if target.get("kind").text() == "ReplicationController" { Group::Free } else { Group::Needed };
    reference(errors, &target, group);
    for metric in spec.get("metrics").items() {
        self::metric(errors, &metric);
    }
    let scalable_from_zero =
        spec.get("metrics").items().any(|metric| matches!(metric.get("type").text(), "Object" | "External"));
    if least.int() == Some(0) && !scalable_from_zero {
        let detail = "must specify at least one Object or External metric to support scaling to zero replicas";
        errors.forbidden(spec.child("metrics"), detail);
    }
    for direction in ["scaleUp", "scaleDown"] {
        let rules = spec.get("behavior").get(direction);
        if rules.is_set() {
            scaling(errors, &rules);
        }
    }
}

/// Whether an object's group must be named.
#[derive(Clone, Copy, PartialEq)]
enum Group {
    Needed,
    Free,
}

fn reference(errors: &mut Errors, target: &At<'_>, group: Group) {
    for field in ["kind", "name"] {
        let at = target.get(field);
        if at.is_empty() {
            errors.required(at.path.clone(), "");
        } else {
            errors.each(&at, names::path_segment(at.text()));
        }
    }
    let version = target.get("apiVersion");
    let text = version.text();
    if text.matches('/').count() > 1 {
        errors.invalid(&version, format!("unexpected GroupVersion string: {text}"));
    } else if group == Group::Needed && text.split_once('/').is_none_or(|(group, _)| group.is_empty()) {
        errors.push(FieldError::invalid(version.path, text, "apiVersion must specify API group"));
    }
}

fn metric(errors: &mut Errors, metric: &At<'_>) {
    let kind = metric.get("type");
    if kind.is_empty() {
        errors.required(kind.path.clone(), "must specify a metric source type");
    }
    let unknown = || FieldError::not_supported(kind.path.clone(), kind.text(), &METRICS);
    let known = METRICS.contains(&kind.text());
    if !known {
        errors.push(unknown());
    }
    // Only the first of several sources is looked into, in this order.
    let present: Vec<&str> = ["object", "external", "pods", "resource", "containerResource"]
        .into_iter()
        .filter(|source| metric.get(source).is_set())
        .collect();
    if let Some(first) = present.first() {
        source(errors, first, &metric.get(first));
    }
    let mut expected = kind.text().to_owned();
    if known {
        expected[..1].make_ascii_lowercase();
        if !metric.get(&expected).is_set() {
            errors.required(metric.child(&expected), "must populate information for the given metric source");
        }
    } else {
        errors.push(unknown());
    }
    if present.len() > 1 {
        for other in present.into_iter().filter(|source| *source != expected) {
            errors.forbidden(metric.child(other), "must populate the given metric source only");
        }
    }
}

fn source(errors: &mut Errors, kind: &str, source: &At<'_>) {
    let target = source.get("target");
    let (value, average, utilization) =
        (target.get("value"), target.get("averageValue"), target.get("averageUtilization"));
    match kind {
        "resource" | "containerResource" => {
            let name = source.get("name");
            if name.is_empty() {
                errors.required(name.path, "must specify a resource name");
            } else if kind == "containerResource" {
                container::resource_name(errors, name.text(), &name.path);
            }
            if kind == "containerResource" {
                let container = source.get("container");
                if container.is_empty() {
                    errors.required(container.path, "must specify a container");
                } else {
                    errors.each(&container, names::dns_label(container.text()));
                }
            }
            amounts(errors, &target);
            if !utilization.is_set() && !average.is_set() {
                errors.required(utilization.path, "must set either a target raw value or a target utilization");
            } else if utilization.is_set() && average.is_set() {
                errors.forbidden(average.path, "may not set both a target raw value and a target utilization");
            }
            return;
        }
        "object" => reference(errors, &source.get("describedObject"), Group::Free),
        _ => {}
    }
    let name = source.dig("metric.name");
    if name.is_empty() {
        errors.required(name.path, "must specify a metric name");
    } else {
        errors.each(&name, names::path_segment(name.text()));
    }
    amounts(errors, &target);
    match kind {
        "object" if !value.is_set() && !average.is_set() => {
            errors.required(average.path, "must set either a target value or averageValue");
        }
        "external" if !value.is_set() && !average.is_set() => {
            errors.required(average.path, "must set either a target value for metric or a per-pod target");
        }
        "external" if value.is_set() && average.is_set() => {
            errors.forbidden(value.path, "may not set both a target value for metric and a per-pod target");
        }
        "pods" if !average.is_set() => errors.required(average.path, "must specify a positive target averageValue"),
        _ => {}
    }
}

fn amounts(errors: &mut Errors, target: &At<'_>) {
    let kind = target.get("type");
    if kind.is_empty() {
        errors.required(kind.path.clone(), "must specify a metric target type");
    }
    if !["Utilization", "Value", "AverageValue"].contains(&kind.text()) {
        let detail = "must be either Utilization, Value, or AverageValue";
        errors.push(FieldError::invalid(kind.path.clone(), kind.text(), detail));
    }
    for field in ["value", "averageValue"] {
        let at = target.get(field);
        if let Ok(amount) = Quantity::from_json(at.value)
            && amount.signum() <= 0
        {
            errors.push(FieldError::invalid(at.path, amount.to_string(), "must be positive"));
        }
    }
    let utilization = target.get("averageUtilization");
    if utilization.int().is_some_and(|value| value < 1) {
        errors.invalid(&utilization, "must be greater than 0");
    }
}

fn scaling(errors: &mut Errors, rules: &At<'_>) {
    let window = rules.get("stabilizationWindowSeconds");
    match window.int() {
        Some(seconds) if seconds < 0 => errors.invalid(&window, "must be greater than or equal to zero"),
        Some(seconds) if seconds > LONGEST_WINDOW => {
            errors.invalid(&window, format!("must be less than or equal to {LONGEST_WINDOW}"));
        }
        _ => {}
    }
    errors.one_of_if_set(&rules.get("selectPolicy"), &["Disabled", "Max", "Min"]);
    let policies = rules.get("policies");
    if policies.is_empty() {
        errors.required(policies.path.clone(), "must specify at least one Policy");
    }
    for policy in policies.items() {
        let (kind, value, period) = (policy.get("type"), policy.get("value"), policy.get("periodSeconds"));
        if !["Percent", "Pods"].contains(&kind.text()) {
            errors.push(FieldError::not_supported(kind.path.clone(), kind.text(), &["Percent", "Pods"]));
        }
        for at in [&value, &period] {
            let number = at.int().unwrap_or(0);
            if number <= 0 {
                errors.push(FieldError::invalid(at.path.clone(), number, "must be greater than zero"));
            }
        }
        if period.int().is_some_and(|seconds| seconds > LONGEST_PERIOD) {
            errors.invalid(&period, format!("must be less than or equal to {LONGEST_PERIOD}"));
        }
    }
    let tolerance = rules.get("tolerance");
    if let Ok(amount) = Quantity::from_json(tolerance.value)
        && amount.signum() < 0
    {
        let detail = "must be greater than or equal to 0";
        errors.push(FieldError::invalid(tolerance.path, amount.to_string(), detail));
    }
}
