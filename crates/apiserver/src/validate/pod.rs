//! Pods and pod templates.

use landfall_object::FieldError;
use serde_json::Value;

use super::at::{At, Errors};
use super::container;
use super::{isolation, metadata, names, volume};

/// What is being validated: a pod itself allows fewer differences between host and container ports.
#[derive(Clone, Copy, PartialEq)]
enum Holder {
    Pod,
    Template,
}

pub(super) fn template(errors: &mut Errors, template: &At<'_>) {
    metadata::labels(errors, &template.dig("metadata.labels").renamed(&template.path, "labels"));
    let annotations = template.dig("metadata.annotations").renamed(&template.path, "annotations");
    metadata::annotations(errors, &annotations);
    isolation::annotations(errors, &annotations, &template.get("spec"));
    spec(errors, &template.get("spec"), Holder::Template);
    isolation::annotations_match(errors, &annotations, &template.get("spec"));
    let containers = template.dig("spec.ephemeralContainers");
    if !containers.is_empty() {
        errors.forbidden(containers.path, "ephemeral containers not allowed in pod template");
    }
}

/// A pod; what its annotations and fields say must agree when it is `new`.
pub(super) fn pod(errors: &mut Errors, pod: &At<'_>, life: Life) {
    let annotations = pod.dig("metadata.annotations");
    isolation::annotations(errors, &annotations, &pod.get("spec"));
    spec(errors, &pod.get("spec"), Holder::Pod);
    if life == Life::New {
        isolation::annotations_match(errors, &annotations, &pod.get("spec"));
    }
}

/// Whether a pod is made or changed.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Life {
    New,
    Known,
}

impl<'v> At<'v> {
    /// The same value under another path: the server reports some fields where they used to stand.
    pub(super) fn renamed(mut self, parent: &str, name: &str) -> At<'v> {
        self.path = format!("{parent}.{name}");
        self
    }
}

fn spec(errors: &mut Errors, spec: &At<'_>, holder: Holder) {
    let volumes = volume::list(errors, &spec.get("volumes"));
    container::regular(errors, &spec.get("containers"), &volumes, spec);
    container::init(errors, &spec.get("initContainers"), &volumes, spec);
    host_network(errors, spec, holder);
    if holder == Holder::Pod && spec.get("serviceAccountName").is_empty() {
        tokens_without_account(errors, &spec.get("volumes"));
    }
    errors.one_of(&spec.get("restartPolicy"), &["Always", "OnFailure", "Never"]);
    errors.one_of(&spec.get("dnsPolicy"), &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]);
    metadata::labels(errors, &spec.get("nodeSelector"));
    security_context(errors, &spec.get("securityContext"), spec);
    affinity(errors, &spec.get("affinity"));
    dns_config(errors, spec);
    topology_spread(errors, &spec.get("topologySpreadConstraints"));
    isolation::windows_process(errors, spec);
    isolation::own_users(errors, spec);
    for (field, rule) in [
        ("serviceAccountName", names::dns_subdomain as fn(&str) -> Vec<String>),
        ("nodeName", names::dns_subdomain),
        ("hostname", names::dns_label),
        ("subdomain", names::dns_label),
        ("priorityClassName", names::dns_subdomain),
        ("runtimeClassName", names::dns_subdomain),
    ] {
        let at = spec.get(field);
        if field == "hostname" {
            errors.in_range(&spec.get("activeDeadlineSeconds"), 1, i64::from(i32::MAX));
        }
        if !at.text().is_empty() {
            errors.each(&at, rule(at.text()));
        }
        if field == "subdomain" {
            tolerations(errors, &spec.get("tolerations"));
            host_aliases(errors, &spec.get("hostAliases"));
        }
    }
    errors.one_of_if_set(&spec.get("preemptionPolicy"), &["Never", "PreemptLowerPriority"]);
    isolation::system(errors, spec);
}

fn tokens_without_account(errors: &mut Errors, volumes: &At<'_>) {
    for source in volumes.items().flat_map(|volume| volume.dig("projected.sources").items().collect::<Vec<_>>()) {
        let token = source.get("serviceAccountToken");
        if token.is_set() {
            errors.forbidden(token.path, "must not be specified when serviceAccountName is not set");
        }
    }
}

fn host_network(errors: &mut Errors, spec: &At<'_>, holder: Holder) {
    if !spec.get("hostNetwork").flag() {
        return;
    }
    for container in spec.get("containers").items() {
        for port in container.get("ports").items() {
            let host = port.get("hostPort");
            let (number, inner) = (host.int().unwrap_or(0), port.get("containerPort").int().unwrap_or(0));
            if (holder == Holder::Pod || number != 0) && number != inner {
                let detail = "must match `containerPort` when `hostNetwork` is true";
                errors.push(FieldError::invalid(host.path, number, detail));
            }
        }
    }
}

fn security_context(errors: &mut Errors, context: &At<'_>, spec: &At<'_>) {
    for field in ["fsGroup", "runAsUser", "runAsGroup"] {
        errors.in_range(&context.get(field), 0, i64::from(i32::MAX));
    }
    for group in context.get("supplementalGroups").items() {
        errors.in_range(&group, 0, i64::from(i32::MAX));
    }
    let shared = spec.get("shareProcessNamespace");
    if shared.flag() && spec.get("hostPID").flag() {
        let at = shared.clone().renamed(&context.path, "shareProcessNamespace");
        errors.invalid(&at, "ShareProcessNamespace and HostPID cannot both be enabled");
    }
    isolation::sysctls(errors, spec);
    errors.one_of_if_set(&context.get("fsGroupChangePolicy"), &["Always", "OnRootMismatch"]);
    container::seccomp(errors, &context.get("seccompProfile"));
    isolation::app_armor(errors, &context.get("appArmorProfile"));
}

fn dns_config(errors: &mut Errors, spec: &At<'_>) {
    let config = spec.get("dnsConfig");
    if spec.get("dnsPolicy").text() == "None" {
        if !config.is_set() {
            errors.required(config.path.clone(), "must provide `dnsConfig` when `dnsPolicy` is None");
        } else if config.get("nameservers").is_empty() {
            let path = config.child("nameservers");
            errors.required(path, "must provide at least one DNS nameserver when `dnsPolicy` is None");
        }
    }
    for server in config.get("nameservers").items() {
        errors.each(&server, names::ip(server.text()));
    }
}

fn host_aliases(errors: &mut Errors, aliases: &At<'_>) {
    for alias in aliases.items() {
        let ip = alias.get("ip");
        errors.each(&ip, names::ip(ip.text()));
        for name in alias.get("hostnames").items() {
            errors.each(&name, names::dns_subdomain(name.text()));
        }
    }
}

/// A list of tolerations.
pub(super) fn tolerations(errors: &mut Errors, tolerations: &At<'_>) {
    for toleration in tolerations.items() {
        let (key, operator) = (toleration.get("key"), toleration.get("operator"));
        if key.is_empty() {
            if operator.text() != "Exists" {
                let detail =
                    "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
                errors.push(FieldError::invalid(operator.path.clone(), operator.text(), detail));
            }
        } else {
            errors.each(&key, names::qualified_name(key.text()));
        }
        let effect = toleration.get("effect");
        if toleration.get("tolerationSeconds").is_set() && effect.text() != "NoExecute" {
            let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.push(FieldError::invalid(effect.path.clone(), effect.text(), detail));
        }
        let value = toleration.get("value");
        match operator.text() {
            "Equal" | "" => {
                let messages = names::label_value(value.text());
                if !messages.is_empty() {
                    errors.push(FieldError::invalid(operator.path.clone(), value.text(), messages.join(";")));
                }
            }
            "Exists" => {
                if !value.is_empty() {
                    let detail = "value must be empty when `operator` is 'Exists'";
                    errors.push(FieldError::invalid(operator.path.clone(), value.text(), detail));
                }
            }
            // Behind a gate that is off; the server names them all the same.
            "Lt" | "Gt" => {
                let supported = ["Equal", "Exists", "Lt", "Gt"];
                errors.push(FieldError::not_supported(operator.path.clone(), operator.text(), &supported));
            }
            _ => errors.one_of_if_set(&operator, &["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            errors.one_of_if_set(&effect, &["NoSchedule", "PreferNoSchedule", "NoExecute"]);
        }
    }
}

fn topology_spread(errors: &mut Errors, constraints: &At<'_>) {
    let all: Vec<At<'_>> = constraints.items().collect();
    for (at, constraint) in all.iter().enumerate() {
        let skew = constraint.get("maxSkew");
        if skew.int().unwrap_or(0) <= 0 {
            errors.push(FieldError::invalid(skew.path.clone(), skew.int().unwrap_or(0), "must be greater than zero"));
        }
        let (key, when) = (constraint.get("topologyKey"), constraint.get("whenUnsatisfiable"));
        if key.is_empty() {
            errors.required(key.path.clone(), "can not be empty");
        }
        errors.one_of_if_set(&when, &["DoNotSchedule", "ScheduleAnyway"]);
        for other in &all[at + 1..] {
            if other.get("topologyKey").value == key.value && other.get("whenUnsatisfiable").value == when.value {
                let value = format!("{{{}, {}}}", key.text(), when.text());
                let path = constraint.child("{topologyKey, whenUnsatisfiable}");
                errors.push(FieldError::duplicate(path, value));
                break;
            }
        }
        let domains = constraint.get("minDomains");
        if domains.int().is_some_and(|count| count <= 0) {
            errors.invalid(&domains, "must be greater than zero");
        }
        if domains.is_set() && when.text() != "DoNotSchedule" {
            let detail = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {}", when.text());
            errors.invalid(&domains, detail);
        }
        errors.one_of_if_set(&constraint.get("nodeAffinityPolicy"), &["Honor", "Ignore"]);
        errors.one_of_if_set(&constraint.get("nodeTaintsPolicy"), &["Honor", "Ignore"]);
        label_keys(errors, constraint);
        metadata::selector(errors, &constraint.get("labelSelector"));
    }
}

/// Keys whose values are taken from the pod itself.
fn label_keys(errors: &mut Errors, holder: &At<'_>) {
    let all = ["matchLabelKeys", "mismatchLabelKeys"].map(|field| holder.get(field));
    for keys in all.iter().filter(|keys| !keys.is_empty()) {
        if !holder.get("labelSelector").is_set() {
            errors.forbidden(keys.path.clone(), "must not be specified when labelSelector is not set");
            continue;
        }
        for key in keys.items() {
            errors.each(&key, names::qualified_name(key.text()));
        }
    }
    let [wanted, unwanted] = all;
    for (at, key) in wanted.items().enumerate() {
        if unwanted.items().any(|other| other.text() == key.text()) {
            let path = format!("{}[{at}]", holder.child("matchLabelKeys"));
            errors.push(FieldError::invalid(path, key.text(), "exists in both matchLabelKeys and mismatchLabelKeys"));
        }
    }
}

fn affinity(errors: &mut Errors, affinity: &At<'_>) {
    let node = affinity.get("nodeAffinity");
    let required = node.get("requiredDuringSchedulingIgnoredDuringExecution");
    if required.is_set() {
        let terms = required.get("nodeSelectorTerms");
        if terms.is_empty() {
            errors.required(terms.path.clone(), "must have at least one node selector term");
        }
        for term in terms.items() {
            node_term(errors, &term);
        }
    }
    for preferred in node.get("preferredDuringSchedulingIgnoredDuringExecution").items() {
        weight(errors, &preferred.get("weight"));
        node_term(errors, &preferred.get("preference"));
    }
    for field in ["podAffinity", "podAntiAffinity"] {
        let pods = affinity.get(field);
        for term in pods.get("requiredDuringSchedulingIgnoredDuringExecution").items() {
            pod_term(errors, &term);
        }
        for preferred in pods.get("preferredDuringSchedulingIgnoredDuringExecution").items() {
            weight(errors, &preferred.get("weight"));
            pod_term(errors, &preferred.get("podAffinityTerm"));
        }
    }
}

fn weight(errors: &mut Errors, weight: &At<'_>) {
    if !(1..=100).contains(&weight.int().unwrap_or(0)) {
        errors.push(FieldError::invalid(weight.path.clone(), weight.int().unwrap_or(0), "must be in the range 1-100"));
    }
}

fn node_term(errors: &mut Errors, term: &At<'_>) {
    for requirement in term.get("matchExpressions").items() {
        let (operator, values) = (requirement.get("operator"), requirement.get("values"));
        match operator.text() {
            "In" | "NotIn" => {
                if values.is_empty() {
                    errors.required(values.path.clone(), "must be specified when `operator` is 'In' or 'NotIn'");
                }
            }
            "Exists" | "DoesNotExist" => {
                if !values.is_empty() {
                    let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                    errors.forbidden(values.path.clone(), detail);
                }
            }
            "Gt" | "Lt" => {
                if values.items().count() != 1 {
                    let detail = "must be specified single value when `operator` is 'Lt' or 'Gt'";
                    errors.required(values.path.clone(), detail);
                }
            }
            _ => errors.invalid(&operator, "not a valid selector operator"),
        }
        let key = requirement.get("key");
        errors.each(&key, names::qualified_name(key.text()));
        for value in values.items() {
            errors.each(&value, names::label_value(value.text()));
        }
    }
    for requirement in term.get("matchFields").items() {
        let (key, operator, values) = (requirement.get("key"), requirement.get("operator"), requirement.get("values"));
        if !matches!(operator.text(), "In" | "NotIn") {
            errors.push(FieldError::invalid(operator.path, operator.value.clone(), "not a valid selector operator"));
        } else if values.items().count() != 1 {
            let detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
            errors.required(values.path.clone(), detail);
        }
        if key.text() != "metadata.name" {
            errors.invalid(&key, "not a valid field selector key");
            continue;
        }
        for value in values.items() {
            errors.each(&value, names::dns_subdomain(value.text()));
        }
    }
}

fn pod_term(errors: &mut Errors, term: &At<'_>) {
    metadata::selector(errors, &term.get("labelSelector"));
    metadata::selector(errors, &term.get("namespaceSelector"));
    for namespace in term.get("namespaces").items() {
        for message in names::dns_label(namespace.text()) {
            errors.push(FieldError::invalid(term.child("namespace"), namespace.text(), message));
        }
    }
    label_keys(errors, term);
    let key = term.get("topologyKey");
    if key.is_empty() {
        errors.required(key.path.clone(), "can not be empty");
    }
    errors.each(&key, names::qualified_name(key.text()));
}

/// What may change in a pod that runs.
pub(super) fn update(errors: &mut Errors, new: &At<'_>, old: &At<'_>) {
    let (new, old) = (new.get("spec"), old.get("spec"));
    for field in ["containers", "initContainers"] {
        let count = |spec: &At<'_>| spec.get(field).items().count();
        if count(&new) != count(&old) {
            errors.forbidden(new.child(field), "pod updates may not add or remove containers");
            return;
        }
    }
    let munged = |spec: &At<'_>| {
        let mut spec = spec.value.clone();
        for field in ["containers", "initContainers"] {
            for container in spec.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(map) = container.as_object_mut() {
                    map.remove("image");
                }
            }
        }
        if let Some(map) = spec.as_object_mut() {
            for field in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates"] {
                map.remove(field);
            }
        }
        spec
    };
    if munged(&new) != munged(&old) {
        errors.forbidden(
            new.path.clone(),
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        );
    }
}

/// Containers that may be added to a pod that runs, and never changed or taken away.
pub(super) fn ephemeral(errors: &mut Errors, new: &At<'_>, old: &At<'_>) {
    let (list, before) = (new.get("ephemeralContainers"), old.get("ephemeralContainers"));
    let mut seen: Vec<&str> = Vec::new();
    let named = |field: &str, name: &str| new.get(field).items().any(|container| container.get("name").text() == name);
    for container in list.items() {
        let name = container.get("name");
        if name.is_empty() {
            errors.required(name.path.clone(), "");
        } else {
            errors.each(&name, names::dns_label(name.text()));
        }
        let taken =
            seen.contains(&name.text()) || named("containers", name.text()) || named("initContainers", name.text());
        if taken {
            errors.duplicate(&name);
        } else {
            seen.push(name.text());
        }
        let target = container.get("targetContainerName");
        if !target.is_empty() && !named("containers", target.text()) && !named("initContainers", target.text()) {
            errors.push(FieldError::not_found(target.path.clone(), target.value.clone()));
        }
        container::security_context(errors, &container.get("securityContext"), new);
        if container.get("image").is_empty() {
            errors.required(container.child("image"), "");
        }
        for field in ["ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resources"] {
            let at = container.get(field);
            if !at.is_empty() {
                errors.forbidden(at.path, "cannot be set for an Ephemeral Container");
            }
        }
    }
    for known in before.items() {
        let name = known.get("name");
        match list.items().find(|container| container.get("name").text() == name.text()) {
            None => errors.forbidden(
                list.path.clone(),
                format!("existing ephemeral containers {:?} may not be removed\n", name.text()),
            ),
            Some(found) if found.value != known.value => {
                errors.forbidden(
                    list.path.clone(),
                    format!("existing ephemeral containers {:?} may not be changed\n", name.text()),
                );
            }
            Some(_) => {}
        }
    }
}
