//! Kinds that Argo CD judges by a script: custom kinds, and built-in ones without a Go rule.

use serde_json::Value;

use super::{Health, HealthStatus};
use crate::{Object, is_unanswered};

pub(super) fn assess(object: &Object) -> Option<Health> {
    Some(match (object.group(), object.kind()) {
        ("apiregistration.k8s.io", "APIService") => api_service(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object),
        ("cert-manager.io", "Certificate") => certificate(object),
        ("cert-manager.io", "Issuer" | "ClusterIssuer") => by_condition(object, "Ready", "Initializing issuer"),
        ("bitnami.com", "SealedSecret") => by_condition(object, "Synced", "Waiting for Sealed Secret to be decrypted"),
        ("argoproj.io", "Application") => application(object),
        ("argoproj.io", "Workflow") => workflow(object),
        ("k8s.mariadb.com", _) => operator_ready(object),
        _ => return None,
    })
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Degraded when the condition is False, healthy when True, else waiting with that message; what it says of a generation before
/// is no answer to this one.
fn by_condition(object: &Object, kind: &str, waiting: &str) -> Health {
    let number = |pointer: &str| object.at(pointer).and_then(Value::as_i64);
    if number("/status/observedGeneration")
        .is_some_and(|seen| number("/metadata/generation").is_some_and(|now| seen < now))
    {
        return Health::new(HealthStatus::Progressing, waiting);
    }
    let decided = object
        .list_at("/status/conditions")
        .iter()
        .find(|condition| text(condition, "type") == kind && matches!(text(condition, "status"), "True" | "False"));
    match decided {
        Some(condition) if text(condition, "status") == "True" => {
            Health::new(HealthStatus::Healthy, text(condition, "message"))
        }
        Some(condition) => Health::new(HealthStatus::Degraded, text(condition, "message")),
        None => Health::new(HealthStatus::Progressing, waiting),
    }
}

fn certificate(object: &Object) -> Health {
    let issuing = object
        .list_at("/status/conditions")
        .iter()
        .find(|condition| text(condition, "type") == "Issuing" && text(condition, "status") == "True");
    match issuing {
        Some(condition) => Health::new(HealthStatus::Progressing, text(condition, "message")),
        None => by_condition(object, "Ready", "Waiting for certificate"),
    }
}

fn api_service(object: &Object) -> Health {
    let Some(available) = object.condition("Available") else {
        return Health::new(HealthStatus::Progressing, "Waiting to be processed");
    };
    let told = format!("{}: {}", text(available, "reason"), text(available, "message"));
    if text(available, "status") == "True" {
        return Health::new(HealthStatus::Healthy, told);
    }
    if is_unanswered(object) {
        // As with probes of which nothing is declared, nobody is waited for who cannot come.
        return Health::new(HealthStatus::Healthy, format!("~ {told}"));
    }
    Health::new(HealthStatus::Progressing, told)
}

fn definition(object: &Object) -> Health {
    let conditions = object.list_at("/status/conditions");
    if conditions.is_empty() {
        return Health::new(HealthStatus::Progressing, "Status conditions not found");
    }
    let is = |kind: &str, status: &str| {
        conditions.iter().any(|condition| text(condition, "type") == kind && text(condition, "status") == status)
    };
    // The script keeps the message of the last condition it looked at, whichever it was.
    let message = conditions
        .iter()
        .rfind(|condition| {
            matches!(
                (text(condition, "type"), text(condition, "status")),
                ("Terminating" | "Established" | "NonStructuralSchema", "True") | ("NamesAccepted", "False")
            )
        })
        .map_or("", |condition| text(condition, "message"));
    if is("Terminating", "True") {
        return Health::new(HealthStatus::Progressing, format!("CRD is terminating: {message}"));
    }
    if is("NamesAccepted", "False") {
        return Health::new(HealthStatus::Degraded, format!("CRD names have not been accepted: {message}"));
    }
    if !is("Established", "True") {
        return Health::new(HealthStatus::Degraded, "CRD is not established");
    }
    if is("NonStructuralSchema", "True") {
        return Health::new(HealthStatus::Degraded, format!("Schema violations found: {message}"));
    }
    Health::new(HealthStatus::Healthy, "CRD is healthy")
}

fn application(object: &Object) -> Health {
    match object.str_at("/status/health/status") {
        None => Health::new(HealthStatus::Progressing, "Waiting for application to be reconciled"),
        Some(status) => match HealthStatus::parse(status) {
            Some(status) => Health::new(status, object.str_at("/status/health/message").unwrap_or_default()),
            None => Health::new(HealthStatus::Unknown, "Lua returned an invalid health status"),
        },
    }
}

fn workflow(object: &Object) -> Health {
    let message = object.str_at("/status/message").unwrap_or_default();
    let status = match object.str_at("/status/phase").unwrap_or_default() {
        "" | "Pending" | "Running" => HealthStatus::Progressing,
        "Succeeded" => HealthStatus::Healthy,
        "Failed" | "Error" => HealthStatus::Degraded,
        _ => HealthStatus::Unknown,
    };
    Health::new(status, message)
}

/// The kinds of mariadb-operator: the first condition that is False decides.
fn operator_ready(object: &Object) -> Health {
    let conditions = object.list_at("/status/conditions");
    if let Some(failing) = conditions.iter().find(|condition| text(condition, "status") == "False") {
        let failed = text(failing, "reason") == "Failed";
        let status = if failed { HealthStatus::Degraded } else { HealthStatus::Progressing };
        return Health::new(status, text(failing, "message"));
    }
    match conditions.last() {
        Some(last) => Health::new(HealthStatus::Healthy, text(last, "message")),
        None => Health::new(HealthStatus::Progressing, "No status info available"),
    }
}
