//! Addresses by TLS of a Service's port that speaks plain HTTP.

use std::collections::BTreeMap;

use landfall_diag::Finding;
use serde_json::Value;

use super::RULE;
use crate::calls::{said, service};
use crate::pods::{Container, pod_template};
use crate::subject::{Desired, Subject};

/// What an object asks for by `https` at ports of the delivery's own Services that are called `http`.
pub(super) fn tls_to_plain(subject: &Subject<'_>) -> Vec<Finding> {
    let mut known = BTreeMap::new();
    subject.objects().flat_map(|desired| of_object(subject, desired, &mut known)).collect()
}

/// Whether ports of hosts speak plain HTTP, as they are seen from a namespace: each is looked for once.
type Known<'a> = BTreeMap<(Option<&'a str>, String, u64), bool>;

fn of_object<'a>(subject: &Subject<'a>, desired: &'a Desired, known: &mut Known<'a>) -> Vec<Finding> {
    let object = &desired.object;
    let template = pod_template(object);
    let mut findings = Vec::new();
    for said in said(object, template.as_ref()) {
        let Some((host, port)) = asked(&said.text) else { continue };
        let Some(found) = service(subject, object.namespace(), host) else { continue };
        let of_host = (object.namespace(), host.to_owned(), port);
        let speaks_plainly = || {
            let service = found.object().value();
            is_plain(service, port) || is_asked_plainly(subject, object.namespace(), service, port)
        };
        if !*known.entry(of_host).or_insert_with(speaks_plainly) {
            continue;
        }
        let (kind, name) = (object.kind(), object.name());
        findings.push(
            RULE.finding(format!(
                "{} of {kind} `{name}` is `https://{host}:{port}`, a port that speaks plain HTTP",
                if said.by.is_empty() { "an address".to_owned() } else { format!("`{}`", said.by) }
            ))
            .keyed(format!("{} {host} {port}", said.by))
            .because(format!(
                "that port of Service `{}` is called `http` or probed without TLS, and nobody ends TLS there",
                found.object().name()
            ))
            .help(format!("did you mean `http://{host}:{port}`?"))
            .at(desired.spot_at(&said.field)),
        );
    }
    findings
}

/// The host and the port of a text that is one address by TLS, with a port of its own.
fn asked(text: &str) -> Option<(&str, u64)> {
    let rest = text.trim().strip_prefix("https://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = authority.split_once(':')?;
    let port = port.parse().ok()?;
    (!rest.contains(char::is_whitespace) && port != 443 && port != 8443).then_some((host, port))
}

/// Whether a port of a Service is called as plain HTTP is, and nothing beside it says otherwise.
fn is_plain(service: &Value, port: u64) -> bool {
    let mut ports = service["spec"]["ports"].as_array().into_iter().flatten();
    ports.find(|it| it["port"].as_u64() == Some(port)).is_some_and(|it| {
        let is_http = |field: &str| it[field].as_str().is_none_or(|said| said == "http");
        it["name"] == "http" && is_http("appProtocol") && it["targetPort"] != "https"
    })
}

/// Whether the pods behind a port of a Service are asked there in plain HTTP by their own probes.
fn is_asked_plainly(subject: &Subject<'_>, namespace: Option<&str>, service: &Value, port: u64) -> bool {
    let mut ports = service["spec"]["ports"].as_array().into_iter().flatten();
    let Some(entry) = ports.find(|it| it["port"].as_u64() == Some(port)) else { return false };
    let target = if entry["targetPort"].is_null() { &entry["port"] } else { &entry["targetPort"] };
    let selector = &service["spec"]["selector"];
    let probes = |container: &Container<'_>| {
        ["readinessProbe", "livenessProbe", "startupProbe"].iter().any(|probe| {
            let get = &container.value[*probe]["httpGet"];
            get["port"] == *target && get["scheme"].as_str().is_none_or(|scheme| scheme.eq_ignore_ascii_case("HTTP"))
        })
    };
    selector.is_object()
        && subject.pods().any(|(desired, template)| {
            desired.object.namespace() == namespace
                && template.is_selected_by(selector)
                && template.containers().iter().any(probes)
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_by_tls_with_a_port_is_asked_for() {
        assert_eq!(asked("https://web:8000/api"), Some(("web", 8000)));
        for text in ["http://web:8000", "https://web", "https://web:443", "see https://web:8000", "https://web:x"] {
            assert_eq!(asked(text), None, "{text}");
        }
    }

    #[test]
    fn a_port_is_plain_by_its_name() {
        let service = |port: Value| json!({"spec": {"ports": [port]}});
        assert!(is_plain(&service(json!({"name": "http", "port": 80, "targetPort": 8000})), 80));
        for port in [
            json!({"name": "https", "port": 80}),
            json!({"port": 80}),
            json!({"name": "http", "port": 81}),
            json!({"name": "http", "port": 80, "appProtocol": "https"}),
            json!({"name": "http", "port": 80, "targetPort": "https"}),
        ] {
            assert!(!is_plain(&service(port.clone()), 80), "{port}");
        }
    }
}
