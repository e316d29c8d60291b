//! Containers: ports, environment, mounts, probes, resources, security.

use std::collections::HashSet;

use landfall_object::{FieldError, Quantity};
use serde_json::Value;

use super::at::{At, Errors};
use super::{isolation, names};

pub(super) fn regular(errors: &mut Errors, containers: &At<'_>, volumes: &[&str], spec: &At<'_>) {
    if containers.is_empty() {
        errors.required(containers.path.clone(), "");
        return;
    }
    let mut seen: Vec<&str> = Vec::new();
    for container in containers.items() {
        common(errors, &container, volumes, spec);
        let name = container.get("name");
        if seen.contains(&name.text()) {
            errors.duplicate(&name);
        } else {
            seen.push(name.text());
        }
        lifecycle_and_probes(errors, &container, spec);
        let policy = container.get("restartPolicy");
        if policy.is_set() {
            errors.one_of_if_set(&policy, &["Always", "Never", "OnFailure"]);
        }
    }
    host_port_conflicts(errors, &containers.items().collect::<Vec<_>>(), &containers.path);
}

pub(super) fn init(errors: &mut Errors, containers: &At<'_>, volumes: &[&str], spec: &At<'_>) {
    let mut seen: Vec<&str> = spec.get("containers").items().map(|container| container.get("name").text()).collect();
    for container in containers.items() {
        common(errors, &container, volumes, spec);
        let policy = container.get("restartPolicy");
        errors.one_of_if_set(&policy, &["Always", "Never", "OnFailure"]);
        let name = container.get("name");
        if seen.contains(&name.text()) {
            errors.duplicate(&name);
        } else if !name.is_empty() {
            seen.push(name.text());
        }
        host_port_conflicts(errors, std::slice::from_ref(&container), &containers.path);
        if policy.text() == "Always" {
            lifecycle_and_probes(errors, &container, spec);
        } else {
            for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
                let at = container.get(field);
                if at.is_set() {
                    errors.forbidden(at.path, "may not be set for init containers without restartPolicy=Always");
                }
            }
        }
    }
}

fn common(errors: &mut Errors, container: &At<'_>, volumes: &[&str], spec: &At<'_>) {
    let name = container.get("name");
    if name.is_empty() {
        errors.required(name.path.clone(), "");
    } else {
        errors.each(&name, names::dns_label(name.text()));
    }
    let image = container.get("image");
    if image.is_empty() {
        errors.required(image.path.clone(), "");
    }
    errors.one_of(&container.get("terminationMessagePolicy"), &["File", "FallbackToLogsOnError"]);
    ports(errors, &container.get("ports"));
    environment(errors, &container.get("env"));
    environment_sources(errors, &container.get("envFrom"));
    mounts(errors, container, volumes);
    devices(errors, container, volumes);
    errors.one_of(&container.get("imagePullPolicy"), &["Always", "IfNotPresent", "Never"]);
    resources(errors, &container.get("resources"));
    security_context(errors, &container.get("securityContext"), spec);
}

fn ports(errors: &mut Errors, ports: &At<'_>) {
    let mut seen: Vec<&str> = Vec::new();
    for port in ports.items() {
        let name = port.get("name");
        if !name.is_empty() {
            let messages = names::port_name(name.text());
            if !messages.is_empty() {
                errors.each(&name, messages);
            } else if seen.contains(&name.text()) {
                errors.duplicate(&name);
            } else {
                seen.push(name.text());
            }
        }
        let number = port.get("containerPort");
        if number.int().unwrap_or(0) == 0 {
            errors.required(number.path.clone(), "");
        } else {
            errors.in_range(&number, 1, 65_535);
        }
        let host = port.get("hostPort");
        if host.int().unwrap_or(0) != 0 {
            errors.in_range(&host, 1, 65_535);
        }
        errors.one_of(&port.get("protocol"), &["SCTP", "TCP", "UDP"]);
    }
}

fn host_port_conflicts(errors: &mut Errors, containers: &[At<'_>], path: &str) {
    let mut seen: Vec<String> = Vec::new();
    for (container_at, container) in containers.iter().enumerate() {
        for (at, port) in container.get("ports").items().enumerate() {
            let number = port.get("hostPort").int().unwrap_or(0);
            if number == 0 {
                continue;
            }
            let key = format!("{}/{}/{number}", port.get("protocol").text(), port.get("hostIP").text());
            if seen.contains(&key) {
                // One init container at a time is checked, as if it were the first.
                errors.push(FieldError::duplicate(format!("{path}[{container_at}].ports[{at}].hostPort"), key));
            } else {
                seen.push(key);
            }
        }
    }
}

const ENV_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

const VOLUME_FIELDS: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

fn environment(errors: &mut Errors, variables: &At<'_>) {
    for variable in variables.items() {
        let name = variable.get("name");
        if name.is_empty() {
            errors.required(name.path.clone(), "");
        } else {
            errors.each(&name, names::env_name(name.text()));
        }
        let from = variable.get("valueFrom");
        if from.is_set() {
            value_from(errors, &variable, &from);
        }
    }
}

fn value_from(errors: &mut Errors, variable: &At<'_>, from: &At<'_>) {
    let mut sources = 0;
    if from.get("fieldRef").is_set() {
        sources += 1;
        field_ref(errors, &from.get("fieldRef"), &ENV_FIELDS);
    }
    if from.get("resourceFieldRef").is_set() {
        sources += 1;
        resource_ref(errors, &from.get("resourceFieldRef"), false);
    }
    for field in ["configMapKeyRef", "secretKeyRef"] {
        let source = from.get(field);
        if source.is_set() {
            sources += 1;
            let name = source.get("name");
            for message in names::dns_subdomain(name.text()) {
                errors.push(FieldError::invalid(name.path.clone(), name.text(), message));
            }
            let key = source.get("key");
            if key.is_empty() {
                errors.required(key.path.clone(), "");
            } else {
                errors.each(&key, names::config_key(key.text()));
            }
        }
    }
    if from.get("fileKeyRef").is_set() {
        sources += 1;
    }
    let mut complain = |detail: &str| errors.push(FieldError::invalid(from.path.clone(), "", detail));
    if sources == 0 {
        complain(
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        );
    } else if !variable.get("value").is_empty() {
        complain("may not be specified when `value` is not empty");
    } else if sources > 1 {
        complain("may not have more than one field specified at a time");
    }
}

fn field_ref(errors: &mut Errors, reference: &At<'_>, supported: &[&str]) {
    let (version, path) = (reference.get("apiVersion"), reference.get("fieldPath"));
    if version.is_empty() {
        errors.required(version.path, "");
        return;
    }
    if path.is_empty() {
        errors.required(path.path, "");
        return;
    }
    if let Some((field, key)) = path.text().strip_suffix("']").and_then(|text| text.split_once("['")) {
        match field {
            "metadata.annotations" => {
                for message in names::qualified_name(&key.to_lowercase()) {
                    errors.push(FieldError::invalid(reference.path.clone(), key.to_lowercase(), message));
                }
            }
            "metadata.labels" => {
                for message in names::qualified_name(key) {
                    errors.push(FieldError::invalid(reference.path.clone(), key, message));
                }
            }
            _ => {
                let detail =
                    format!("error converting fieldPath: field label does not support subscript: {}", path.text());
                errors.invalid(&path, detail);
            }
        }
        return;
    }
    let known = [
        "metadata.annotations",
        "metadata.labels",
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.serviceAccountName",
        "spec.schedulerName",
        "status.phase",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    ];
    if !known.contains(&path.text()) {
        errors.invalid(&path, format!("error converting fieldPath: field label not supported: {}", path.text()));
    } else if !supported.contains(&path.text()) {
        errors.push(FieldError::not_supported(path.path.clone(), path.text(), supported));
    }
}

const RESOURCE_FIELDS: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

fn resource_ref(errors: &mut Errors, reference: &At<'_>, in_volume: bool) {
    let (container, resource) = (reference.get("containerName"), reference.get("resource"));
    if in_volume && container.is_empty() {
        errors.required(container.path, "");
    } else if resource.is_empty() {
        errors.required(resource.path, "");
    } else if !RESOURCE_FIELDS.contains(&resource.text())
        && !["limits.hugepages-", "requests.hugepages-"].iter().any(|prefix| resource.text().starts_with(prefix))
    {
        errors.push(FieldError::not_supported(resource.path.clone(), resource.text(), &RESOURCE_FIELDS));
    }
}

/// The files of a downward API volume.
pub(super) fn downward_file(errors: &mut Errors, file: &At<'_>) {
    let (field, resource) = (file.get("fieldRef"), file.get("resourceFieldRef"));
    if field.is_set() {
        field_ref(errors, &field, &VOLUME_FIELDS);
        if resource.is_set() {
            errors.push(FieldError::invalid(
                file.path.clone(),
                "resource",
                "fieldRef and resourceFieldRef can not be specified simultaneously",
            ));
        }
    } else if resource.is_set() {
        resource_ref(errors, &resource, true);
    } else {
        errors.required(file.path.clone(), "one of fieldRef and resourceFieldRef is required");
    }
}

fn environment_sources(errors: &mut Errors, sources: &At<'_>) {
    for source in sources.items() {
        let prefix = source.get("prefix");
        if !prefix.is_empty() {
            errors.each(&prefix, names::env_name(prefix.text()));
        }
        let mut count = 0;
        for field in ["configMapRef", "secretRef"] {
            let reference = source.get(field);
            if reference.is_set() {
                count += 1;
                let name = reference.get("name");
                if name.is_empty() {
                    errors.required(name.path.clone(), "");
                } else {
                    errors.each(&name, names::dns_subdomain(name.text()));
                }
            }
        }
        let mut complain = |detail: &str| errors.push(FieldError::invalid(sources.path.clone(), "", detail));
        if count == 0 {
            complain("must specify one of: `configMapRef` or `secretRef`");
        } else if count > 1 {
            complain("may not have more than one field specified at a time");
        }
    }
}

fn mounts(errors: &mut Errors, container: &At<'_>, volumes: &[&str]) {
    let mounts = container.get("volumeMounts");
    let volumes: HashSet<&str> = volumes.iter().copied().collect();
    let mut points: HashSet<&str> = HashSet::new();
    for mount in mounts.items() {
        let name = mount.get("name");
        if name.is_empty() {
            errors.required(name.path.clone(), "");
        }
        if !volumes.contains(name.text()) {
            errors.push(FieldError::not_found(name.path.clone(), name.text()));
        }
        let path = mount.get("mountPath");
        if path.is_empty() {
            errors.required(path.path.clone(), "");
        }
        if !points.insert(path.text()) {
            errors.invalid(&path, "must be unique");
        }
        // The server names the list, not the item, for these.
        for field in ["subPath", "subPathExpr"] {
            let sub = mount.get(field);
            if !sub.is_empty() {
                super::paths::relative_path(errors, &At::new(sub.value, mounts.child(field)));
            }
        }
        let expression = mount.get("subPathExpr");
        if !expression.is_empty() && !mount.get("subPath").is_empty() {
            errors.invalid(&expression, "subPathExpr and subPath are mutually exclusive");
        }
        let propagation = mount.get("mountPropagation");
        if propagation.is_set() {
            let at = At::new(propagation.value, mounts.child("mountPropagation"));
            errors.one_of_if_set(&at, &["Bidirectional", "HostToContainer", "None"]);
            if at.text() == "Bidirectional" && !container.dig("securityContext.privileged").flag() {
                errors.forbidden(at.path, "Bidirectional mount propagation is available only to privileged containers");
            }
        }
    }
}

fn devices(errors: &mut Errors, container: &At<'_>, volumes: &[&str]) {
    for device in container.get("volumeDevices").items() {
        let name = device.get("name");
        if name.is_empty() {
            errors.required(name.path.clone(), "");
        }
        if !volumes.contains(&name.text()) {
            errors.push(FieldError::not_found(name.path.clone(), name.text()));
        }
        let path = device.get("devicePath");
        if path.is_empty() {
            errors.required(path.path, "");
        }
    }
}

fn lifecycle_and_probes(errors: &mut Errors, container: &At<'_>, spec: &At<'_>) {
    for hook in ["postStart", "preStop"] {
        let handler = container.get("lifecycle").get(hook);
        if handler.is_set() {
            self::handler(errors, &handler, spec);
        }
    }
    for field in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = container.get(field);
        if !probe.is_set() {
            continue;
        }
        handler(errors, &probe, spec);
        for number in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
        {
            errors.nonnegative(&probe.get(number));
        }
        let grace = probe.get("terminationGracePeriodSeconds");
        if grace.int().is_some_and(|grace| grace <= 0) {
            errors.invalid(&grace, "must be greater than 0");
        }
        if field == "readinessProbe" {
            if grace.is_set() {
                errors.invalid(&grace, "must not be set for readinessProbes");
            }
        } else if probe.get("successThreshold").int() != Some(1) {
            errors.invalid(&probe.get("successThreshold"), "must be 1");
        }
    }
}

fn handler(errors: &mut Errors, handler: &At<'_>, spec: &At<'_>) {
    let mut count = 0;
    for kind in ["exec", "httpGet", "tcpSocket", "grpc", "sleep"] {
        let action = handler.get(kind);
        if !action.is_set() {
            continue;
        }
        if count > 0 {
            errors.forbidden(action.path, "may not specify more than 1 handler type");
            continue;
        }
        count += 1;
        match kind {
            "exec" => {
                if action.get("command").is_empty() {
                    errors.required(action.child("command"), "");
                }
            }
            "httpGet" => {
                if action.get("path").is_empty() {
                    errors.required(action.child("path"), "");
                }
                port(errors, &action.get("port"));
                errors.one_of_if_set(&action.get("scheme"), &["HTTP", "HTTPS"]);
                for header in action.get("httpHeaders").items() {
                    let name = header.get("name");
                    for message in names::header_name(name.text()) {
                        errors.push(FieldError::invalid(action.child("httpHeaders"), name.text(), message));
                    }
                }
            }
            "sleep" => {
                let grace = spec.get("terminationGracePeriodSeconds").int().unwrap_or(0);
                let seconds = action.get("seconds").int().unwrap_or(0);
                if seconds < 0 || seconds > grace {
                    let detail = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
                    errors.push(FieldError::invalid(action.path.clone(), seconds, detail));
                }
            }
            _ => port(errors, &action.get("port")),
        }
    }
    if count == 0 {
        errors.required(handler.path.clone(), "must specify a handler type");
    }
}

/// A port by number or name.
pub(super) fn port(errors: &mut Errors, port: &At<'_>) {
    match port.value {
        Value::String(name) => errors.each(port, names::port_name(name)),
        other => {
            let number = other.as_i64().unwrap_or(0);
            if !(1..=65_535).contains(&number) {
                errors.push(FieldError::invalid(port.path.clone(), number, "must be between 1 and 65535, inclusive"));
            }
        }
    }
}

/// Resources that come in whole numbers.
const COUNTED: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];
const STANDARD_RESOURCES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

fn resources(errors: &mut Errors, resources: &At<'_>) {
    let (limits, requests) = (resources.get("limits"), resources.get("requests"));
    for (name, quantity) in limits.entries() {
        resource_name(errors, name, &quantity.path);
        resource_quantity(errors, name, &quantity);
    }
    for (name, quantity) in requests.entries() {
        resource_name(errors, name, &quantity.path);
        resource_quantity(errors, name, &quantity);
        let overcommit = !name.contains('/') && !name.starts_with("hugepages-");
        match (Quantity::from_json(quantity.value).ok(), limits.value.get(name).map(Quantity::from_json)) {
            (Some(request), Some(Ok(limit))) => {
                let detail = if request != limit && !overcommit {
                    format!("must be equal to {name} limit of {limit}")
                } else if request > limit {
                    format!("must be less than or equal to {name} limit of {limit}")
                } else {
                    continue;
                };
                errors.push(FieldError::invalid(requests.path.clone(), request.to_string(), detail));
            }
            (Some(_), None) if !overcommit => {
                errors.required(limits.path.clone(), "Limit must be set for non overcommitable resources");
            }
            _ => {}
        }
    }
}

/// The name of a resource that a container may ask for.
pub(super) fn resource_name(errors: &mut Errors, name: &str, path: &str) {
    let messages = names::qualified_name(name);
    let valid = messages.is_empty();
    for message in messages {
        errors.push(FieldError::invalid(path, name, message));
    }
    if name.contains('/') {
        if valid && name.starts_with("kubernetes.io/") {
            return;
        }
        let extended = !name.starts_with("requests.") && !name.contains(".kubernetes.io/");
        if valid && !extended {
            errors.push(FieldError::invalid(path, name, "doesn't follow extended resource name standard"));
        }
        return;
    }
    let standard = STANDARD_RESOURCES.contains(&name) || name.starts_with("hugepages-");
    let known = ["pods", "services", "secrets", "configmaps", "storage", "persistentvolumeclaims", "resourcequotas"];
    if valid && !standard && !known.contains(&name) && !name.starts_with("requests.") && !name.starts_with("limits.") {
        errors.push(FieldError::invalid(path, name, "must be a standard resource type or fully qualified"));
    }
    if !standard {
        errors.push(FieldError::invalid(path, name, "must be a standard resource for containers"));
    }
}

/// A resource quantity: not negative, whole where only whole ones exist.
pub(super) fn resource_quantity(errors: &mut Errors, name: &str, at: &At<'_>) {
    let Ok(quantity) = Quantity::from_json(at.value) else { return };
    if quantity.signum() < 0 {
        let detail = "must be greater than or equal to 0";
        errors.push(FieldError::invalid(at.path.clone(), quantity.to_string(), detail));
    }
    let extended = name.contains('/') && !name.contains("kubernetes.io/") && !name.starts_with("requests.");
    let whole = extended || COUNTED.contains(&name);
    if whole && quantity.millis() % 1000 != 0 {
        errors.push(FieldError::invalid(at.path.clone(), quantity.to_string(), "must be an integer"));
    }
}

/// A container's security context.
pub(super) fn security_context(errors: &mut Errors, context: &At<'_>, spec: &At<'_>) {
    for field in ["runAsUser", "runAsGroup"] {
        errors.in_range(&context.get(field), 0, i64::from(i32::MAX));
    }
    isolation::proc_mount(errors, &context.get("procMount"), spec);
    seccomp(errors, &context.get("seccompProfile"));
    if context.get("allowPrivilegeEscalation").value == &Value::Bool(false) {
        if context.get("privileged").flag() {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            errors.push(
                FieldError::invalid(context.path.clone(), context.value.clone(), detail).shown_as(internal(context)),
            );
        }
        if context.dig("capabilities.add").items().any(|capability| capability.text() == "CAP_SYS_ADMIN") {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            errors.push(
                FieldError::invalid(context.path.clone(), context.value.clone(), detail).shown_as(internal(context)),
            );
        }
    }
    isolation::app_armor(errors, &context.get("appArmorProfile"));
}

/// A security context as the server's internal struct prints.
fn internal(context: &At<'_>) -> String {
    let field = |at: &At<'_>, name: &str| at.get(name).value.to_string();
    let (capabilities, profile) = (context.get("capabilities"), context.get("seccompProfile"));
    let capabilities = if capabilities.is_set() {
        format!("{{\"Add\":{},\"Drop\":{}}}", field(&capabilities, "add"), field(&capabilities, "drop"))
    } else {
        "null".to_owned()
    };
    let profile = if profile.is_set() {
        format!("{{\"Type\":{},\"LocalhostProfile\":{}}}", field(&profile, "type"), field(&profile, "localhostProfile"))
    } else {
        "null".to_owned()
    };
    format!(
        "{{\"Capabilities\":{capabilities},\"Privileged\":{},\"SELinuxOptions\":null,\"WindowsOptions\":null,\
         \"RunAsUser\":{},\"RunAsGroup\":{},\"RunAsNonRoot\":{},\"ReadOnlyRootFilesystem\":{},\
         \"AllowPrivilegeEscalation\":{},\"ProcMount\":{},\"SeccompProfile\":{profile},\"AppArmorProfile\":null}}",
        field(context, "privileged"),
        field(context, "runAsUser"),
        field(context, "runAsGroup"),
        field(context, "runAsNonRoot"),
        field(context, "readOnlyRootFilesystem"),
        field(context, "allowPrivilegeEscalation"),
        field(context, "procMount"),
    )
}

/// A seccomp profile.
pub(super) fn seccomp(errors: &mut Errors, profile: &At<'_>) {
    if !profile.is_set() {
        return;
    }
    let (kind, local) = (profile.get("type"), profile.get("localhostProfile"));
    match kind.text() {
        "Localhost" => {
            if !local.is_set() {
                errors.required(local.path, "must be set when seccomp type is Localhost");
            }
        }
        "RuntimeDefault" | "Unconfined" => {
            if local.is_set() {
                errors.invalid(&local, "can only be set when seccomp type is Localhost");
            }
        }
        "" => errors.required(kind.path, "type is required when seccompProfile is set"),
        _ => errors.one_of_if_set(&kind, &["Localhost", "RuntimeDefault", "Unconfined"]),
    }
}
