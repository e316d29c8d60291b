//! Services: ports, addresses, and who may reach them (`pkg/apis/core/validation`).

use landfall_object::FieldError;
use serde_json::{Value, json};

use super::at::{At, Errors, ordered};
use super::{container, metadata, names};

pub(super) fn validate(errors: &mut Errors, object: &At<'_>, old: Option<&At<'_>>) {
    let spec = object.get("spec");
    let kind = spec.get("type");
    let headless = spec.get("clusterIP").text() == "None";
    let ports = spec.get("ports");
    if let Some(old) = old {
        update(errors, &spec, &old.get("spec"));
    }
    if ports.is_empty() && !headless && kind.text() != "ExternalName" {
        errors.required(ports.path.clone(), "");
    }
    match kind.text() {
        "LoadBalancer" | "NodePort" if headless => {
            let detail = format!("may not be set to 'None' for {} services", kind.text());
            errors.push(FieldError::invalid("spec.clusterIPs[0]", "None", detail));
        }
        "ExternalName" => {
            if !spec.get("clusterIP").is_empty() || !spec.get("clusterIPs").is_empty() {
                errors.forbidden("spec.clusterIPs", "may not be set for ExternalName services");
            }
            for field in ["ipFamilies", "ipFamilyPolicy"] {
                if !spec.get(field).is_empty() {
                    errors.forbidden(spec.child(field), "may not be set for ExternalName services");
                }
            }
            let name = spec.get("externalName");
            let trimmed = name.text().strip_suffix('.').unwrap_or(name.text());
            if trimmed.is_empty() {
                errors.required(name.path, "");
            } else {
                for message in names::dns_subdomain(trimmed) {
                    errors.push(FieldError::invalid(name.path.clone(), trimmed, message));
                }
            }
        }
        _ => {}
    }
    service_ports(errors, &ports);
    metadata::labels(errors, &spec.get("selector"));
    errors.one_of(&spec.get("sessionAffinity"), &["ClientIP", "None"]);
    affinity(errors, &spec);
    if kind.text() != "ExternalName" {
        addresses(errors, &spec);
    }
    for ip in spec.get("externalIPs").items() {
        let messages = names::ip(ip.text());
        let readable = messages.is_empty();
        errors.each(&ip, if readable { names::endpoint_ip(ip.text()) } else { messages });
    }
    errors.one_of(&kind, &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]);
    port_conflicts(errors, &ports, kind.text());
    source_ranges(errors, object);
    let allocate = spec.get("allocateLoadBalancerNodePorts");
    if allocate.is_set() && kind.text() != "LoadBalancer" {
        errors.forbidden(allocate.path, "may only be used when `type` is 'LoadBalancer'");
    }
    let class = spec.get("loadBalancerClass");
    if class.is_set() && kind.text() != "LoadBalancer" {
        errors.forbidden(class.path, "may only be used when `type` is 'LoadBalancer'");
    } else if class.is_set() {
        errors.each(&class, names::qualified_name(class.text()));
    }
    let external = matches!(kind.text(), "LoadBalancer" | "NodePort")
        || kind.text() == "ClusterIP" && !spec.get("externalIPs").is_empty();
    let policy = spec.get("externalTrafficPolicy");
    if external {
        errors.one_of(&policy, &["Cluster", "Local"]);
    } else if !policy.is_empty() {
        errors.invalid(&policy, "may only be set for externally-accessible services");
    }
    let health = spec.get("healthCheckNodePort");
    let checked = kind.text() == "LoadBalancer" && policy.text() == "Local";
    if !checked && health.int().unwrap_or(0) != 0 {
        errors.invalid(&health, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
    } else if checked {
        errors.in_range(&health, 1, 65_535);
    }
    errors.one_of_if_set(&spec.get("internalTrafficPolicy"), &["Cluster", "Local"]);
    let distribution = ["PreferClose", "PreferSameZone", "PreferSameNode"];
    errors.one_of_if_set(&spec.get("trafficDistribution"), &distribution);
}

fn affinity(errors: &mut Errors, spec: &At<'_>) {
    let timeout = spec.dig("sessionAffinityConfig.clientIP.timeoutSeconds");
    let within = |seconds: i64| (1..=86_400).contains(&seconds);
    if spec.get("sessionAffinity").text() == "ClientIP" && timeout.int().is_some_and(|seconds| !within(seconds)) {
        errors.invalid(&timeout, "must be greater than 0 and less than 86400");
    }
}

/// A service's own addresses and their families.
fn addresses(errors: &mut Errors, spec: &At<'_>) {
    let families = spec.get("ipFamilies");
    for (at, family) in families.items().enumerate() {
        errors.one_of_if_set(&family, &["IPv4", "IPv6"]);
        if families.items().take(at).any(|earlier| earlier.text() == family.text()) {
            errors.duplicate(&family);
        }
    }
    let policies = ["PreferDualStack", "RequireDualStack", "SingleStack"];
    errors.one_of_if_set(&spec.get("ipFamilyPolicy"), &policies);
    let all = spec.get("clusterIPs");
    let count = all.items().count();
    let headless = all.items().next().is_some_and(|first| first.text() == "None");
    let mut readable = true;
    if headless && count > 1 {
        errors.invalid(&all, "'None' must be the first and only value");
        readable = false;
    }
    for address in all.items().skip(usize::from(headless)) {
        let messages = names::ip(address.text());
        readable &= messages.is_empty();
        errors.each(&address, messages);
    }
    if count > 2 {
        errors.invalid(&all, "may only hold up to 2 values");
    }
    if !readable || headless {
        return;
    }
    let is_six = |address: &At<'_>| address.text().contains(':');
    let sixes = all.items().filter(is_six).count();
    if count > 1 && (count > 2 || sixes != 1) {
        errors.invalid(&all, "may specify no more than one IP for each IP family");
    }
    for (at, (address, family)) in all.items().zip(families.items()).enumerate() {
        let wrong = match family.text() {
            "IPv4" => is_six(&address),
            "IPv6" => !is_six(&address),
            _ => false,
        };
        if wrong {
            errors.invalid(&address, format!("expected an {} value as indicated by `ipFamilies[{at}]`", family.text()));
        }
    }
}

/// From where a load balancer may be reached; blanks around each range are part of the API.
fn source_ranges(errors: &mut Errors, object: &At<'_>) {
    const ANNOTATION: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
    let balanced = object.dig("spec.type").text() == "LoadBalancer";
    let ranges = object.dig("spec.loadBalancerSourceRanges");
    let annotation = object.dig("metadata.annotations").value.get(ANNOTATION).and_then(Value::as_str);
    let mut check = |path: &str, only: &str, listed: Vec<(String, &str)>| {
        if !balanced {
            errors.forbidden(only, "may only be used when `type` is 'LoadBalancer'");
        }
        for (at, range) in listed {
            for message in names::cidr(range.trim()) {
                errors.push(FieldError::invalid(format!("{path}{at}"), range.trim(), message));
            }
        }
    };
    if !ranges.is_empty() {
        // The server writes the field's name as Go does.
        let path = "spec.LoadBalancerSourceRanges";
        let listed = ranges.items().enumerate().map(|(at, range)| (format!("[{at}]"), range.text()));
        check(path, path, listed.collect());
    } else if let Some(text) = annotation {
        let path = format!("metadata.annotations[{ANNOTATION}]");
        let listed = text.trim().split(',').filter(|_| !text.trim().is_empty()).map(|range| (String::new(), range));
        check(&path, &path, listed.collect());
    }
}

/// What a service keeps for as long as it has addresses at all.
fn update(errors: &mut Errors, new: &At<'_>, old: &At<'_>) {
    let text = |spec: &At<'_>, field: &str| spec.get(field).text().to_owned();
    let balanced = |spec: &At<'_>| text(spec, "type") == "LoadBalancer";
    let named = |spec: &At<'_>| text(spec, "type") == "ExternalName";
    if !named(new) && !named(old) {
        let before = text(old, "clusterIP");
        let (headless, was_headless) = (text(new, "clusterIP") == "None", before == "None");
        if !before.is_empty() && before != text(new, "clusterIP") {
            let ips = new.get("clusterIPs");
            let value = if ips.is_set() { ips.value.clone() } else { json!([text(new, "clusterIP")]) };
            errors.push(FieldError::invalid("spec.clusterIPs[0]", value, "may not change once set"));
        }
        let (families, known) = (new.get("ipFamilies"), old.get("ipFamilies"));
        if !headless && !was_headless && !known.is_empty() && !families.is_empty() {
            let first = |list: &At<'_>| list.items().next().map(|family| family.text().to_owned());
            if first(&families) != first(&known) {
                let at = At::new(families.value, "spec.ipFamilies[0]");
                errors.invalid(&at, "may not change once set");
            }
        }
    }
    if balanced(new) && balanced(old) && new.get("loadBalancerClass").value != old.get("loadBalancerClass").value {
        errors.invalid(&new.get("loadBalancerClass"), "may not change once set");
    }
    let checked = |spec: &At<'_>| balanced(spec) && text(spec, "externalTrafficPolicy") == "Local";
    let health = new.get("healthCheckNodePort");
    if checked(new) && checked(old) && health.value != old.get("healthCheckNodePort").value {
        errors.forbidden(health.path, "field is immutable");
    }
}

fn service_ports(errors: &mut Errors, ports: &At<'_>) {
    let all: Vec<At<'_>> = ports.items().collect();
    let mut seen: Vec<&str> = Vec::new();
    for port in &all {
        let name = port.get("name");
        if all.len() > 1 && name.is_empty() {
            errors.required(name.path.clone(), "");
        } else if !name.is_empty() {
            errors.each(&name, names::dns_label(name.text()));
            if seen.contains(&name.text()) {
                errors.duplicate(&name);
            } else {
                seen.push(name.text());
            }
        }
        let number = port.get("port");
        if !(1..=65_535).contains(&number.int().unwrap_or(0)) {
            let value = number.int().unwrap_or(0);
            errors.push(FieldError::invalid(number.path, value, "must be between 1 and 65535, inclusive"));
        }
        errors.one_of(&port.get("protocol"), &["SCTP", "TCP", "UDP"]);
        container::port(errors, &port.get("targetPort"));
        let app = port.get("appProtocol");
        if app.is_set() {
            errors.each(&app, names::qualified_name(app.text()));
        }
    }
}

fn port_conflicts(errors: &mut Errors, ports: &At<'_>, kind: &str) {
    let all: Vec<At<'_>> = ports.items().collect();
    if kind == "ClusterIP" {
        for port in all.iter().filter(|port| port.get("nodePort").int().unwrap_or(0) != 0) {
            errors.forbidden(port.child("nodePort"), "may not be used when `type` is 'ClusterIP'");
        }
    }
    let key = |port: &At<'_>, field: &str| (port.get("protocol").text().to_owned(), port.get(field).int().unwrap_or(0));
    for (at, port) in all.iter().enumerate() {
        let node = key(port, "nodePort");
        if node.1 != 0 && all[..at].iter().any(|earlier| key(earlier, "nodePort") == node) {
            errors.push(FieldError::duplicate(port.child("nodePort"), node.1));
        }
    }
    for (at, port) in all.iter().enumerate() {
        let own = key(port, "port");
        if all[..at].iter().any(|earlier| key(earlier, "port") == own) {
            let value = json!({"Name": "", "Protocol": own.0, "AppProtocol": null, "Port": own.1, "TargetPort": 0, "NodePort": 0});
            let order = ["Name", "Protocol", "AppProtocol", "Port", "TargetPort", "NodePort"];
            let shown = ordered(&value, &order);
            errors.push(FieldError::duplicate(port.path.clone(), value).shown_as(shown));
        }
    }
}
