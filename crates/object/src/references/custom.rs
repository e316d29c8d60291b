//! References of the operators' kinds: cert-manager, Traefik, sealed-secrets, mariadb-operator.

use serde_json::Value;

use super::{Collector, Need, Provided, port_text};
use crate::Object;

const CERT_MANAGER: &str = "cert-manager.io";
const TRAEFIK: &str = "traefik.io";
const MARIADB: &str = "k8s.mariadb.com";

pub(super) fn references(found: &mut Collector, object: &Object) {
    match (object.group(), object.kind()) {
        (CERT_MANAGER, "Certificate" | "CertificateRequest") => {
            issuer(found, object.at("/spec/issuerRef"), "spec.issuerRef");
        }
        (TRAEFIK | "traefik.containo.us", "IngressRoute" | "IngressRouteTCP" | "IngressRouteUDP") => {
            ingress_route(found, object);
        }
        (TRAEFIK | "traefik.containo.us", "Middleware") => middleware(found, object),
        (MARIADB, _) => {
            if let Some(reference) = object.at("/spec/mariaDbRef") {
                let namespace = namespace_of(found, reference);
                let name = reference.get("name");
                found.add(MARIADB, "MariaDB", namespace, name, None, "spec.mariaDbRef".to_owned(), Need::Later);
            }
            for field in ["rootPasswordSecretKeyRef", "passwordSecretKeyRef"] {
                if let Some(source) = object.at(&format!("/spec/{field}")) {
                    let key = source.get("key").and_then(Value::as_str).map(str::to_owned);
                    // With `generate: true` the operator makes the key itself.
                    let generated = source.get("generate").and_then(Value::as_bool) == Some(true);
                    let need = if generated { Need::Optional } else { Need::Later };
                    found.core("Secret", source.get("name"), key, format!("spec.{field}"), need);
                }
            }
        }
        _ => {}
    }
}

fn namespace_of(found: &Collector, reference: &Value) -> Option<String> {
    reference.get("namespace").and_then(Value::as_str).map(str::to_owned).or_else(|| found.namespace.clone())
}

fn issuer(found: &mut Collector, reference: Option<&Value>, path: &str) {
    let Some(reference) = reference else { return };
    let text = |field: &str| reference.get(field).and_then(Value::as_str);
    let kind = text("kind").unwrap_or("Issuer").to_owned();
    let group = text("group").unwrap_or(CERT_MANAGER).to_owned();
    let namespace = if kind == "ClusterIssuer" { None } else { found.namespace.clone() };
    found.add(&group, &kind, namespace, reference.get("name"), None, path.to_owned(), Need::Later);
}

/// What annotations of an Ingress refer to.
pub(super) fn ingress_annotations(found: &mut Collector, object: &Object) {
    let path = |name: &str| format!("metadata.annotations[{name}]");
    let annotation = |name: &str| object.annotations().and_then(|annotations| annotations.get(name));
    let name = "cert-manager.io/cluster-issuer";
    found.cluster(CERT_MANAGER, "ClusterIssuer", annotation(name), path(name), Need::Later);
    let name = "cert-manager.io/issuer";
    let namespace = found.namespace.clone();
    found.add(CERT_MANAGER, "Issuer", namespace.clone(), annotation(name), None, path(name), Need::Later);
    let name = "traefik.ingress.kubernetes.io/router.middlewares";
    let own = namespace.as_deref().unwrap_or_default();
    let middlewares = annotation(name).and_then(Value::as_str).unwrap_or_default();
    for middleware in middlewares.split(',').filter_map(|entry| entry.trim().strip_suffix("@kubernetescrd")) {
        // `<namespace>-<name>`: the object's own namespace is tried first, because names may hold dashes.
        let (namespace, name_part) = match middleware.strip_prefix(own).and_then(|rest| rest.strip_prefix('-')) {
            Some(rest) if !own.is_empty() => (own, rest),
            _ => middleware.split_once('-').unwrap_or(("", middleware)),
        };
        let target = Value::String(name_part.to_owned());
        found.add(TRAEFIK, "Middleware", Some(namespace.to_owned()), Some(&target), None, path(name), Need::Later);
    }
}

fn ingress_route(found: &mut Collector, object: &Object) {
    let list = |value: &Value, field: &str| -> Vec<Value> {
        value.get(field).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    for (at, route) in object.list_at("/spec/routes").iter().enumerate() {
        let path = format!("spec.routes[{at}]");
        for (at, service) in list(route, "services").iter().enumerate() {
            let kind = service.get("kind").and_then(Value::as_str).unwrap_or("Service");
            let namespace = namespace_of(found, service);
            let name = service.get("name").filter(|name| !name.as_str().is_some_and(|name| name.contains('@')));
            let group = if kind == "TraefikService" { TRAEFIK } else { "" };
            let port = port_text(service.get("port"));
            found.add(group, kind, namespace, name, port, format!("{path}.services[{at}]"), Need::Later);
        }
        for (at, middleware) in list(route, "middlewares").iter().enumerate() {
            let namespace = namespace_of(found, middleware);
            let name = middleware.get("name").filter(|name| !name.as_str().is_some_and(|name| name.contains('@')));
            found.add(TRAEFIK, "Middleware", namespace, name, None, format!("{path}.middlewares[{at}]"), Need::Later);
        }
    }
    found.core("Secret", object.at("/spec/tls/secretName"), None, "spec.tls.secretName".to_owned(), Need::Later);
    if let Some(options) = object.at("/spec/tls/options") {
        let namespace = namespace_of(found, options);
        let name = options.get("name");
        found.add(TRAEFIK, "TLSOption", namespace, name, None, "spec.tls.options".to_owned(), Need::Later);
    }
}

fn middleware(found: &mut Collector, object: &Object) {
    for field in ["basicAuth", "digestAuth"] {
        let secret = object.at(&format!("/spec/{field}/secret"));
        found.core("Secret", secret, None, format!("spec.{field}.secret"), Need::Later);
    }
    for (at, chained) in object.list_at("/spec/chain/middlewares").iter().enumerate() {
        let namespace = namespace_of(found, chained);
        let path = format!("spec.chain.middlewares[{at}]");
        found.add(TRAEFIK, "Middleware", namespace, chained.get("name"), None, path, Need::Later);
    }
    if let Some(service) = object.at("/spec/errors/service") {
        let namespace = namespace_of(found, service);
        let port = port_text(service.get("port"));
        found.add("", "Service", namespace, service.get("name"), port, "spec.errors.service".to_owned(), Need::Later);
    }
}

/// What operators create for the object.
pub(super) fn provides(object: &Object) -> Vec<Provided> {
    let secret = |name: &str, keys: Option<Vec<String>>| Provided {
        group: String::new(),
        kind: "Secret".to_owned(),
        namespace: object.namespace().map(str::to_owned),
        name: name.to_owned(),
        keys,
    };
    match (object.group(), object.kind()) {
        (CERT_MANAGER, "Certificate") => {
            let keys = ["ca.crt", "tls.crt", "tls.key"].map(str::to_owned).to_vec();
            object.str_at("/spec/secretName").map(|name| secret(name, Some(keys))).into_iter().collect()
        }
        ("bitnami.com", "SealedSecret") => {
            let name = object.str_at("/spec/template/metadata/name").unwrap_or(object.name());
            let keys = ["/spec/encryptedData", "/spec/template/data"]
                .iter()
                .filter_map(|pointer| object.at(pointer).and_then(Value::as_object))
                .flat_map(|map| map.keys().cloned())
                .collect();
            vec![secret(name, Some(keys))]
        }
        ("networking.k8s.io", "Ingress") => {
            // cert-manager makes the certificates of an Ingress that names an issuer.
            let issued = ["cert-manager.io/cluster-issuer", "cert-manager.io/issuer"];
            if issued.iter().all(|name| object.annotation(name).is_none()) {
                return Vec::new();
            }
            let names = object.list_at("/spec/tls").iter().filter_map(|tls| tls.get("secretName")?.as_str());
            names.map(|name| secret(name, None)).collect()
        }
        (MARIADB, "MariaDB") => {
            let service = Provided {
                group: String::new(),
                kind: "Service".to_owned(),
                namespace: object.namespace().map(str::to_owned),
                name: object.name().to_owned(),
                keys: None,
            };
            let generated = ["rootPasswordSecretKeyRef", "passwordSecretKeyRef"].iter().filter_map(|field| {
                let source = object.at(&format!("/spec/{field}"))?;
                let name = source.get("name")?.as_str()?;
                Some(secret(name, source.get("key").and_then(Value::as_str).map(|key| vec![key.to_owned()])))
            });
            generated.chain([service]).collect()
        }
        _ => Vec::new(),
    }
}
