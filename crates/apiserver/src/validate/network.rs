//! Ingresses, policies, and access rules.

use landfall_object::FieldError;
use serde_json::Value;

use super::at::{At, Errors};
use super::{metadata, names};

const RBAC: &str = "rbac.authorization.k8s.io";

pub(super) fn validate(errors: &mut Errors, kind: &str, object: &At<'_>, old: Option<&At<'_>>) {
    match kind {
        "Ingress" => ingress(errors, object, old),
        "IngressClass" => ingress_class(errors, object, old),
        "NetworkPolicy" => network_policy(errors, &object.get("spec")),
        "Role" | "ClusterRole" => role(errors, object, kind == "Role"),
        "RoleBinding" | "ClusterRoleBinding" => binding(errors, object, old, kind == "RoleBinding"),
        _ => {}
    }
}

fn ingress(errors: &mut Errors, object: &At<'_>, old: Option<&At<'_>>) {
    let spec = object.get("spec");
    let backend = spec.get("defaultBackend");
    if spec.get("rules").is_empty() && !backend.is_set() {
        let detail = "either `defaultBackend` or `rules` must be specified";
        errors.push(FieldError::invalid(spec.path.clone(), spec.get("rules").value.clone(), detail));
    }
    if backend.is_set() {
        ingress_backend(errors, &backend);
    }
    for rule in spec.get("rules").items() {
        host(errors, &rule.get("host"), true);
        let http = rule.get("http");
        if !http.is_set() {
            continue;
        }
        let paths = http.get("paths");
        if paths.is_empty() {
            errors.required(paths.path.clone(), "");
        }
        for path in paths.items() {
            ingress_path(errors, &path);
        }
    }
    for tls in spec.get("tls").items() {
        for name in tls.get("hosts").items() {
            host(errors, &name, false);
        }
        let secret = tls.get("secretName");
        if !secret.is_empty() {
            errors.each(&secret, names::dns_subdomain(secret.text()));
        }
    }
    let class = spec.get("ingressClassName");
    if class.is_set() {
        errors.each(&class, names::dns_subdomain(class.text()));
    }
    let annotation = object.dig("metadata.annotations").get("kubernetes.io/ingress.class");
    if old.is_none() && annotation.is_set() && class.is_set() && annotation.value != class.value {
        let detail = "must match `ingressClassName` when both are specified";
        errors.push(FieldError::invalid("annotations.kubernetes.io/ingress.class", annotation.text(), detail));
    }
}

fn host(errors: &mut Errors, host: &At<'_>, in_rule: bool) {
    if in_rule && host.is_empty() {
        return;
    }
    if in_rule && host.text().parse::<std::net::IpAddr>().is_ok() {
        errors.invalid(host, "must be a DNS name, not an IP address");
    }
    if host.text().contains('*') {
        errors.each(host, names::wildcard_subdomain(host.text()));
    } else {
        errors.each(host, names::dns_subdomain(host.text()));
    }
}

fn ingress_path(errors: &mut Errors, path: &At<'_>) {
    let (kind, text) = (path.get("pathType"), path.get("path"));
    if !kind.is_set() {
        errors.required(kind.path, "pathType must be specified");
        return;
    }
    let invalid = |errors: &mut Errors, detail: String| {
        errors.push(FieldError::invalid(text.path.clone(), text.text(), detail));
    };
    match kind.text() {
        "Exact" | "Prefix" => {
            if !text.text().starts_with('/') {
                invalid(errors, "must be an absolute path".to_owned());
            }
            for sequence in ["//", "/./", "/../", "%2f", "%2F"] {
                if text.text().contains(sequence) {
                    invalid(errors, format!("must not contain '{sequence}'"));
                }
            }
            for suffix in ["/..", "/."] {
                if text.text().ends_with(suffix) {
                    invalid(errors, format!("cannot end with '{suffix}'"));
                }
            }
        }
        "ImplementationSpecific" => {
            if !text.is_empty() && !text.text().starts_with('/') {
                invalid(errors, "must be an absolute path".to_owned());
            }
        }
        _ => errors.one_of_if_set(&kind, &["Exact", "ImplementationSpecific", "Prefix"]),
    }
    ingress_backend(errors, &path.get("backend"));
}

fn ingress_backend(errors: &mut Errors, backend: &At<'_>) {
    let (resource, service) = (backend.get("resource"), backend.get("service"));
    let complain = |errors: &mut Errors, detail: &str| {
        errors.push(FieldError::invalid(backend.path.clone(), "", detail));
    };
    match (resource.is_set(), service.is_set()) {
        (true, true) => complain(errors, "cannot set both resource and service backends"),
        (true, false) => {
            let group = resource.get("apiGroup");
            if group.is_set() {
                errors.each(&group, names::dns_subdomain(group.text()));
            }
            for field in ["kind", "name"] {
                let at = resource.get(field);
                if at.is_empty() {
                    errors.required(at.path, "");
                } else {
                    errors.each(&at, names::path_segment(at.text()));
                }
            }
        }
        (false, true) => {
            let name = service.get("name");
            if name.is_empty() {
                errors.required(name.path.clone(), "");
            } else {
                errors.each(&name, names::dns_label(name.text()));
            }
            let (named, number) = (service.dig("port.name"), service.dig("port.number"));
            match (!named.is_empty(), number.int().unwrap_or(0) != 0) {
                (true, true) => complain(errors, "cannot set both port name & port number"),
                (true, false) => errors.each(&named, names::port_name(named.text())),
                (false, true) => errors.in_range(&number, 1, 65_535),
                (false, false) => errors.required(backend.path.clone(), "port name or number is required"),
            }
        }
        (false, false) => complain(errors, "resource or service backend is required"),
    }
}

fn ingress_class(errors: &mut Errors, object: &At<'_>, old: Option<&At<'_>>) {
    let controller = object.dig("spec.controller");
    if let Some(old) = old {
        errors.immutable(&controller, &old.dig("spec.controller"));
        return;
    }
    if controller.text().len() > 250 {
        errors.push(FieldError::too_long(controller.path.clone(), 250));
    }
    match controller.text().split_once('/') {
        _ if controller.is_empty() => errors.required(controller.path, ""),
        Some((host, path)) if !host.is_empty() && !path.is_empty() => {
            for message in names::dns_subdomain(host) {
                errors.push(FieldError::invalid(controller.path.clone(), host, message));
            }
        }
        _ => errors.invalid(&controller, "must be a domain-prefixed path (such as \"acme.io/foo\")"),
    }
}

fn network_policy(errors: &mut Errors, spec: &At<'_>) {
    metadata::selector(errors, &spec.get("podSelector"));
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for rule in spec.get(direction).items() {
            for port in rule.get("ports").items() {
                policy_port(errors, &port);
            }
            for peer in rule.get(peers).items() {
                policy_peer(errors, &peer);
            }
        }
    }
    let types = spec.get("policyTypes");
    if types.items().count() > 2 {
        errors.invalid(&types, "may not specify more than two policyTypes");
        return;
    }
    for kind in types.items() {
        errors.one_of_if_set(&kind, &["Ingress", "Egress"]);
    }
}

fn policy_port(errors: &mut Errors, port: &At<'_>) {
    errors.one_of_if_set(&port.get("protocol"), &["TCP", "UDP", "SCTP"]);
    let (number, end) = (port.get("port"), port.get("endPort"));
    match number.value {
        Value::Null => {
            if end.is_set() {
                errors.invalid(&end, "may not be specified when `port` is not specified");
            }
        }
        Value::String(name) => {
            if end.is_set() {
                errors.invalid(&end, "may not be specified when `port` is non-numeric");
            }
            errors.each(&number, names::port_name(name));
        }
        _ => {
            errors.in_range(&number, 1, 65_535);
            if let (Some(last), Some(first)) = (end.int(), number.int()) {
                if last < first {
                    let detail = "must be greater than or equal to `port`";
                    errors.push(FieldError::invalid(end.path.clone(), first, detail));
                }
                errors.in_range(&end, 1, 65_535);
            }
        }
    }
}

fn policy_peer(errors: &mut Errors, peer: &At<'_>) {
    let (pods, namespaces, block) = (peer.get("podSelector"), peer.get("namespaceSelector"), peer.get("ipBlock"));
    for selector in [&pods, &namespaces] {
        if selector.is_set() {
            metadata::selector(errors, selector);
        }
    }
    if block.is_set() {
        ip_block(errors, &block);
    }
    let count = [&pods, &namespaces, &block].iter().filter(|at| at.is_set()).count();
    if count == 0 {
        errors.required(peer.path.clone(), "must specify a peer");
    } else if count > 1 && block.is_set() {
        errors.forbidden(peer.path.clone(), "may not specify both ipBlock and another peer");
    }
}

fn ip_block(errors: &mut Errors, block: &At<'_>) {
    let range = block.get("cidr");
    if range.is_empty() {
        errors.required(range.path, "");
        return;
    }
    errors.each(&range, names::cidr(range.text()));
    let Some(whole) = names::prefix(range.text()) else { return };
    for part in block.get("except").items() {
        errors.each(&part, names::cidr(part.text()));
        let Some(inner) = names::prefix(part.text()) else { continue };
        if !names::holds(whole, inner.0) || whole.1 >= inner.1 {
            errors.invalid(&part, "must be a strict subset of `cidr`");
        }
    }
}

fn role(errors: &mut Errors, object: &At<'_>, namespaced: bool) {
    for rule in object.get("rules").items() {
        if rule.get("verbs").is_empty() {
            errors.required(rule.child("verbs"), "verbs must contain at least one value");
        }
        let urls = rule.get("nonResourceURLs");
        if !urls.is_empty() {
            if namespaced {
                errors.invalid(&urls, "namespaced rules cannot apply to non-resource URLs");
            }
            if ["apiGroups", "resources", "resourceNames"].iter().any(|field| !rule.get(field).is_empty()) {
                errors.invalid(&urls, "rules cannot apply to both regular resources and non-resource URLs");
            }
            continue;
        }
        if rule.get("apiGroups").is_empty() {
            errors.required(rule.child("apiGroups"), "resource rules must supply at least one api group");
        }
        if rule.get("resources").is_empty() {
            errors.required(rule.child("resources"), "resource rules must supply at least one resource");
        }
    }
}

fn binding(errors: &mut Errors, object: &At<'_>, old: Option<&At<'_>>, namespaced: bool) {
    let role = object.get("roleRef");
    let group = role.get("apiGroup");
    if group.text() != RBAC {
        errors.push(FieldError::not_supported(group.path.clone(), group.text(), &[RBAC]));
    }
    let kinds: &[&str] = if namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    let kind = role.get("kind");
    if !kinds.contains(&kind.text()) {
        errors.push(FieldError::not_supported(kind.path.clone(), kind.text(), kinds));
    }
    let name = role.get("name");
    if name.is_empty() {
        errors.required(name.path, "");
    } else {
        errors.each(&name, names::path_segment(name.text()));
    }
    for subject in object.get("subjects").items() {
        let (kind, name, group) = (subject.get("kind"), subject.get("name"), subject.get("apiGroup"));
        if name.is_empty() {
            errors.required(name.path.clone(), "");
        }
        match kind.text() {
            "ServiceAccount" => {
                if !name.is_empty() {
                    errors.each(&name, names::dns_subdomain(name.text()));
                }
                if !group.is_empty() {
                    errors.push(FieldError::not_supported(group.path.clone(), group.text(), &[""]));
                }
                if !namespaced && subject.get("namespace").is_empty() {
                    errors.required(subject.child("namespace"), "");
                }
            }
            "User" | "Group" => {
                if group.text() != RBAC {
                    errors.push(FieldError::not_supported(group.path.clone(), group.text(), &[RBAC]));
                }
            }
            other => {
                errors.push(FieldError::not_supported(kind.path.clone(), other, &["ServiceAccount", "User", "Group"]))
            }
        }
    }
    if let Some(old) = old
        && old.get("roleRef").value != role.value
    {
        let field = |name: &str| role.get(name).value.to_string();
        let shown =
            format!("{{\"APIGroup\":{},\"Kind\":{},\"Name\":{}}}", field("apiGroup"), field("kind"), field("name"));
        let error = FieldError::invalid(role.path.clone(), role.value.clone(), "cannot change roleRef");
        errors.push(error.shown_as(shown));
    }
}
