//! What serves a whole cluster: nodes, namespaces, the classes of pods, leases and events.

use landfall_object::FieldError;
use serde_json::json;

use super::at::{At, Errors, ordered};
use super::{container, metadata, names, pod};

/// The highest priority that people may give; above are the system's own.
const HIGHEST_OF_USERS: i64 = 1_000_000_000;
/// The system's classes and their values.
const SYSTEM_CLASSES: [(&str, i64); 2] =
    [("system-node-critical", 2_000_001_000), ("system-cluster-critical", 2_000_000_000)];

pub(super) fn validate(errors: &mut Errors, kind: &str, object: &At<'_>, old: Option<&At<'_>>) {
    match kind {
        "Node" => node(errors, object, old),
        "Namespace" if old.is_none() => {
            for finalizer in object.dig("spec.finalizers").items() {
                // The server leaves the index out.
                let at = At::new(finalizer.value, "spec.finalizers");
                errors.each(&at, names::qualified_name(at.text()));
                if !at.text().contains('/') && !metadata::STANDARD_FINALIZERS.contains(&at.text()) {
                    errors.invalid(&at, "name is neither a standard finalizer name nor is it fully qualified");
                }
            }
        }
        "PriorityClass" => priority_class(errors, object, old),
        "RuntimeClass" => runtime_class(errors, object, old),
        "Lease" => lease(errors, &object.get("spec")),
        "Event" => event(errors, object),
        _ => {}
    }
}

fn node(errors: &mut Errors, object: &At<'_>, old: Option<&At<'_>>) {
    let (spec, status) = (object.get("spec"), object.get("status"));
    // The server reports taints below the metadata.
    let taints = At::new(spec.get("taints").value, "metadata.taints");
    self::taints(errors, &taints);
    for field in ["capacity", "allocatable"] {
        for (name, amount) in status.get(field).entries() {
            let at = At::new(amount.value, format!("status.{field}.{name}"));
            container::resource_quantity(errors, name, &at);
        }
    }
    let ranges = spec.get("podCIDRs");
    for range in ranges.items() {
        errors.each(&range, names::cidr(range.text()));
    }
    let families: Vec<bool> = ranges.items().map(|range| range.text().contains(':')).collect();
    if families.len() > 2 || families.len() == 2 && families[0] == families[1] {
        errors.invalid(&ranges, "may specify no more than one CIDR for each IP family");
    }
    // An update goes through the rules of a new node first.
    let Some(old) = old else { return };
    let mut seen = Vec::new();
    for address in status.get("addresses").items() {
        if seen.contains(&address.value) {
            let value = json!({"Type": address.get("type").text(), "Address": address.get("address").text()});
            let shown = ordered(&value, &["Type", "Address"]);
            errors.push(FieldError::duplicate(address.path, value).shown_as(shown));
        } else {
            seen.push(address.value);
        }
    }
    let before = old.dig("spec.podCIDRs");
    if !before.is_empty() && before.value != ranges.value {
        errors.forbidden("spec.podCIDRs", "node updates may not change podCIDR except from \"\" to valid");
    }
    let provider = old.dig("spec.providerID");
    if !provider.is_empty() && provider.text() != spec.get("providerID").text() {
        errors.forbidden("spec.providerID", "node updates may not change providerID except from \"\" to valid");
    }
    self::taints(errors, &taints);
}

fn taints(errors: &mut Errors, taints: &At<'_>) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for taint in taints.items() {
        let (key, value, effect) = (taint.get("key"), taint.get("value"), taint.get("effect"));
        for message in names::qualified_name(key.text()) {
            errors.push(FieldError::invalid(key.path.clone(), key.text(), message));
        }
        let messages = names::label_value(value.text());
        if !messages.is_empty() {
            errors.invalid(&value, messages.join(";"));
        }
        errors.one_of(&effect, &["NoSchedule", "PreferNoSchedule", "NoExecute"]);
        let pair = (key.text(), effect.text());
        if seen.contains(&pair) {
            let shown = json!({"Key": key.text(), "Value": value.text(), "Effect": effect.text(),
                "TimeAdded": taint.get("timeAdded").value});
            let text = ordered(&shown, &["Key", "Value", "Effect", "TimeAdded"]);
            let mut error = FieldError::duplicate(taint.path, shown).shown_as(text);
            error.detail = "taints must be unique by key and effect pair".to_owned();
            errors.push(error);
        } else {
            seen.push(pair);
        }
    }
}

fn priority_class(errors: &mut Errors, object: &At<'_>, old: Option<&At<'_>>) {
    let (value, policy) = (object.get("value"), object.get("preemptionPolicy"));
    let number = value.int().unwrap_or(0);
    if let Some(old) = old {
        if number != old.get("value").int().unwrap_or(0) {
            errors.forbidden(value.path, "may not be changed in an update.");
        }
        errors.immutable(&policy, &old.get("preemptionPolicy"));
        return;
    }
    let name = object.dig("metadata.name").text();
    if name.starts_with("system-") {
        let problem = match SYSTEM_CLASSES.iter().find(|(known, _)| *known == name) {
            None => format!("{name} is not a known system priority class"),
            Some((_, known)) if *known != number => format!("value of {name} PriorityClass must be {known}"),
            Some(_) if object.get("globalDefault").flag() => {
                format!("globalDefault of {name} PriorityClass must be false")
            }
            Some(_) => String::new(),
        };
        if !problem.is_empty() {
            let detail = format!(
                "priority class names with 'system-' prefix are reserved for system use only. error: {problem}"
            );
            errors.forbidden("metadata.name", detail);
        }
    } else if number > HIGHEST_OF_USERS {
        errors.forbidden(value.path, format!("maximum allowed value of a user defined priority is {HIGHEST_OF_USERS}"));
    }
    if policy.is_set() {
        errors.one_of(&policy, &["PreemptLowerPriority", "Never"]);
    }
}

fn runtime_class(errors: &mut Errors, object: &At<'_>, old: Option<&At<'_>>) {
    let handler = object.get("handler");
    if let Some(old) = old {
        errors.immutable(&handler, &old.get("handler"));
        return;
    }
    if handler.is_empty() {
        errors.required(handler.path, "");
    } else {
        errors.each(&handler, names::dns_label(handler.text()));
    }
    // The server puts the overhead where a container's limits stand.
    let limits = At::new(object.dig("overhead.podFixed").value, "overhead.limits");
    for (name, amount) in limits.entries() {
        container::resource_name(errors, name, &amount.path);
        container::resource_quantity(errors, name, &amount);
    }
    metadata::labels(errors, &object.dig("scheduling.nodeSelector"));
    let tolerations = object.dig("scheduling.tolerations");
    pod::tolerations(errors, &tolerations);
    let mut seen = Vec::new();
    for toleration in tolerations.items() {
        let key = ["key", "operator", "value", "effect"].map(|field| toleration.get(field).text());
        if seen.contains(&key) {
            let shown = json!({"Key": key[0], "Operator": key[1], "Value": key[2], "Effect": key[3],
                "TolerationSeconds": toleration.get("tolerationSeconds").value});
            let text = ordered(&shown, &["Key", "Operator", "Value", "Effect", "TolerationSeconds"]);
            errors.push(FieldError::duplicate(toleration.path, shown).shown_as(text));
        } else {
            seen.push(key);
        }
    }
}

fn lease(errors: &mut Errors, spec: &At<'_>) {
    let (duration, transitions) = (spec.get("leaseDurationSeconds"), spec.get("leaseTransitions"));
    if duration.int().is_some_and(|seconds| seconds <= 0) {
        errors.invalid(&duration, "must be greater than 0");
    }
    errors.nonnegative(&transitions);
}

/// What every event is asked, whatever version it came in; stored events have the fields of `v1`.
fn event(errors: &mut Errors, object: &At<'_>) {
    let home = object.dig("metadata.namespace").text();
    let of = object.dig("involvedObject.namespace").text();
    let stray = |errors: &mut Errors| {
        errors.push(FieldError::invalid("involvedObject.namespace", of, "does not match event.namespace"));
    };
    if !object.get("eventTime").is_set() {
        let apart = if of.is_empty() { !matches!(home, "" | "default") } else { home != of };
        if apart {
            stray(errors);
        }
    } else {
        if of.is_empty() && !matches!(home, "default" | "kube-system") {
            stray(errors);
        }
        let controller = object.get("reportingComponent");
        if controller.is_empty() {
            errors.required(controller.path.clone(), "");
        }
        for message in names::qualified_name(controller.text()) {
            errors.push(FieldError::invalid(controller.path.clone(), controller.text(), message));
        }
        for field in ["reportingInstance", "action", "reason"] {
            let at = object.get(field);
            if at.is_empty() {
                errors.required(at.path.clone(), "");
            }
            too_long(errors, &at, 128);
        }
        too_long(errors, &object.get("message"), 1024);
    }
    for message in names::dns_subdomain(home) {
        errors.push(FieldError::invalid("namespace", home, message));
    }
}

/// What `events.k8s.io` asks of a new event beside that; the fields are named as in `v1`.
pub(super) fn new_event(errors: &mut Errors, object: &At<'_>) {
    let series = object.get("series");
    if series.is_set() {
        if series.get("count").int().unwrap_or(0) < 2 {
            errors.push(FieldError::invalid("series.count", "", "should be at least 2"));
        }
        if !series.get("lastObservedTime").is_set() {
            errors.required("series.lastObservedTime", "");
        }
    }
    if !object.get("eventTime").is_set() {
        errors.required("eventTime", "");
    }
    let kind = object.get("type").text();
    if !matches!(kind, "Normal" | "Warning") {
        errors.push(FieldError::invalid("type", "", format!("has invalid value: {kind}")));
    }
    for field in ["firstTimestamp", "lastTimestamp", "count", "source"] {
        let at = object.get(field);
        if !at.is_empty() && at.int() != Some(0) {
            errors.push(FieldError::invalid(field, "", "needs to be unset"));
        }
    }
}

fn too_long(errors: &mut Errors, at: &At<'_>, most: usize) {
    if at.text().len() > most {
        errors.push(FieldError::invalid(at.path.clone(), "", format!("can have at most {most} characters")));
    }
}
