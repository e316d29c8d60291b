use serde_json::Value;

use super::{Health, HealthStatus};
use crate::Object;

pub(super) fn pod(object: &Object) -> Health {
    let text = |pointer: &str| object.str_at(pointer).unwrap_or_default();
    let restart = text("/spec/restartPolicy");
    let containers = object.list_at("/status/containerStatuses");
    if restart == "Always" {
        let waiting: Vec<&Value> = containers.iter().filter_map(|status| status.pointer("/state/waiting")).collect();
        let stuck = |waiting: &Value| {
            let reason = waiting.get("reason").and_then(Value::as_str).unwrap_or_default();
            reason.starts_with("Err") || reason.ends_with("Error") || reason.ends_with("BackOff")
        };
        let messages: Vec<&str> = waiting
            .into_iter()
            .filter(|waiting| stuck(waiting))
            .map(|waiting| waiting.get("message").and_then(Value::as_str).unwrap_or_default())
            .collect();
        if !messages.is_empty() {
            return Health::new(HealthStatus::Degraded, messages.join(", "));
        }
    }
    let message = text("/status/message");
    match (text("/status/phase"), restart) {
        ("Pending", _) => Health::new(HealthStatus::Progressing, message),
        ("Succeeded", _) => Health::new(HealthStatus::Healthy, message),
        ("Failed", _) if !message.is_empty() => Health::new(HealthStatus::Degraded, message),
        ("Failed", _) => {
            let statuses = object.list_at("/status/initContainerStatuses").iter().chain(containers);
            Health::new(HealthStatus::Degraded, statuses.filter_map(failure).next().unwrap_or_default())
        }
        ("Running", "Always") => {
            let ready = object.condition("Ready").and_then(|condition| condition.get("status")).and_then(Value::as_str);
            if ready == Some("True") {
                return Health::new(HealthStatus::Healthy, message);
            }
            let restarted = containers.iter().any(|status| status.pointer("/lastState/terminated").is_some());
            Health::new(if restarted { HealthStatus::Degraded } else { HealthStatus::Progressing }, message)
        }
        ("Running", "OnFailure" | "Never") => Health::new(HealthStatus::Progressing, message),
        _ => Health::new(HealthStatus::Unknown, message),
    }
}

/// What a terminated container says of its end.
fn failure(status: &Value) -> Option<String> {
    let terminated = status.pointer("/state/terminated")?;
    let text = |field: &str| terminated.get(field).and_then(Value::as_str).unwrap_or_default();
    if !text("message").is_empty() {
        return Some(text("message").to_owned());
    }
    if text("reason") == "OOMKilled" {
        return Some("OOMKilled".to_owned());
    }
    let code = terminated.get("exitCode").and_then(Value::as_i64).filter(|code| *code != 0)?;
    let name = status.get("name").and_then(Value::as_str).unwrap_or_default();
    Some(format!("container {name:?} failed with exit code {code}"))
}
