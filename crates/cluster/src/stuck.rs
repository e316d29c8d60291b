use jiff::Timestamp;
use landfall_object::Object;
use landfall_object::ports::{Asker, lost_ports, port_names};
use serde_json::Value;

/// Why a pod will not start, however long one waits.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stuck {
    /// The container; none when the pod found no node.
    pub container: Option<String>,
    /// The kubelet's or scheduler's reason: `ImagePullBackOff`, `CreateContainerConfigError`, `Unschedulable`.
    pub reason: String,
    /// Its message.
    pub message: String,
    /// The container's image.
    pub image: Option<String>,
    /// Whether waiting may help.
    pub outlook: Outlook,
}

/// Whether waiting may help a pod that does not start.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outlook {
    /// It may not: somebody has to change something.
    Hopeless,
    /// Another object appearing would help: a Secret, a ConfigMap, a claim.
    Curable,
    /// It crashed, and a later start may fare better; if nothing around it is still starting, none will.
    Crashing {
        /// How often it was started again.
        restarts: i64,
        /// When the run that ended last had begun.
        last_start: Option<Timestamp>,
    },
}

/// How often a container may be started again before it is taken for one that always crashes.
///
/// A program that meets its database still starting crashes once or twice; three times in a row, with the kubelet's
/// growing pauses between, is a loop.
const RESTARTS: i64 = 3;

/// Exit codes of a shell or runtime that found nothing to run: the next start will not find it either.
const NOTHING_TO_RUN: [i64; 2] = [126, 127];

/// Whether a pod is stuck for good, and why.
pub fn stuck_pod(pod: &Object) -> Option<Stuck> {
    if pod.deletion_timestamp().is_some() {
        return None;
    }
    if let Some(found) = asked_in_vain(pod) {
        return Some(found);
    }
    let statuses = pod.list_at("/status/initContainerStatuses").iter().chain(pod.list_at("/status/containerStatuses"));
    for status in statuses {
        let text = |pointer: &str| status.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let reason = text("/state/waiting/reason");
        let stuck = matches!(
            reason,
            "ImagePullBackOff"
                | "InvalidImageName"
                | "ErrImageNeverPull"
                | "CreateContainerConfigError"
                | "CreateContainerError"
                | "RunContainerError"
                | "CrashLoopBackOff"
        );
        if stuck {
            let mut message = text("/state/waiting/message").to_owned();
            if reason == "CrashLoopBackOff"
                && let Some(code) = status.pointer("/lastState/terminated/exitCode").and_then(Value::as_i64)
            {
                let ended = text("/lastState/terminated/reason");
                message = format!(
                    "exit code {code}{} ({message})",
                    if ended.is_empty() { String::new() } else { format!(", {ended}") }
                );
            }
            let name = text("/name");
            let image = pod
                .list_at("/spec/initContainers")
                .iter()
                .chain(pod.list_at("/spec/containers"))
                .find(|container| container.get("name").and_then(Value::as_str) == Some(name))
                .and_then(|container| container.get("image"))
                .and_then(Value::as_str)
                .unwrap_or(text("/image"));
            return Some(Stuck {
                container: Some(name.to_owned()),
                reason: reason.to_owned(),
                message,
                image: Some(image.to_owned()).filter(|image| !image.is_empty()),
                outlook: match reason {
                    "CreateContainerConfigError" => Outlook::Curable,
                    "CrashLoopBackOff" => crashing(status),
                    _ => Outlook::Hopeless,
                },
            });
        }
    }
    let scheduled = pod.condition("PodScheduled")?;
    let text = |field: &str| scheduled.get(field).and_then(Value::as_str).unwrap_or_default();
    if text("status") == "False" && text("reason") == "Unschedulable" {
        let message = text("message");
        return Some(Stuck {
            container: None,
            reason: "Unschedulable".to_owned(),
            message: message.to_owned(),
            image: None,
            // A claim that is being provisioned passes by itself. One that does not exist may be there by now: the
            // scheduler often looks at a stateful set's pod before it has heard of the claim made for it.
            outlook: if message.contains("unbound immediate PersistentVolumeClaims")
                || message.contains("persistentvolumeclaim \"")
            {
                Outlook::Curable
            } else {
                Outlook::Hopeless
            },
        });
    }
    None
}

/// A container that has been started and can never become ready: a probe or hook asks for a port by a name that none has.
///
/// The kubelet throws such a probe away and counts no failure, so that no deadline of its own ever ends it.
fn asked_in_vain(pod: &Object) -> Option<Stuck> {
    let containers = pod.list_at("/spec/initContainers").iter().chain(pod.list_at("/spec/containers"));
    for container in containers {
        let Some(lost) = lost_ports(container).into_iter().find(|lost| lost.asker.holds_up()) else { continue };
        let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
        let mut statuses =
            pod.list_at("/status/initContainerStatuses").iter().chain(pod.list_at("/status/containerStatuses"));
        let started = statuses.any(|status| {
            let begun = ["/state/running", "/state/terminated", "/lastState/terminated"];
            status.get("name").and_then(Value::as_str) == Some(name)
                && status.get("ready").and_then(Value::as_bool) != Some(true)
                && begun.iter().any(|state| status.pointer(state).is_some())
        });
        if !started {
            continue;
        }
        let known: Vec<&str> = port_names(container).collect();
        let known = if known.is_empty() { "it names none".to_owned() } else { format!("it has {}", known.join(", ")) };
        let reason = if lost.asker == Asker::PostStart { "FailedPostStartHook" } else { "Unhealthy" };
        return Some(Stuck {
            container: Some(name.to_owned()),
            reason: reason.to_owned(),
            message: format!(
                "its {} asks for port {:?}, and the container has no port of that name ({known}; {})",
                lost.asker.word(),
                lost.name,
                lost.field
            ),
            image: None,
            outlook: Outlook::Hopeless,
        });
    }
    None
}

fn crashing(status: &Value) -> Outlook {
    let ended = status.pointer("/lastState/terminated");
    let field = |name: &str| ended.and_then(|ended| ended.get(name));
    let code = field("exitCode").and_then(Value::as_i64);
    let restarts = status.get("restartCount").and_then(Value::as_i64).unwrap_or(0);
    let killed_for_memory = field("reason").and_then(Value::as_str) == Some("OOMKilled") && restarts > 0;
    if restarts >= RESTARTS || killed_for_memory || code.is_some_and(|code| NOTHING_TO_RUN.contains(&code)) {
        return Outlook::Hopeless;
    }
    let last_start = field("startedAt").and_then(Value::as_str).and_then(|text| text.parse().ok());
    Outlook::Crashing { restarts, last_start }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: Value) -> Object {
        Object::from_value(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-1", "namespace": "shop"},
            "spec": {"containers": [{"name": "web", "image": "shop/web:9"}]},
            "status": status,
        }))
        .expect("a map")
    }

    #[test]
    fn an_image_that_cannot_be_pulled_is_named_with_its_container() {
        let found = stuck_pod(&pod(
            json!({"containerStatuses": [{"name": "web", "image": "", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"shop/web:9\""}}}]}),
        ));
        let found = found.expect("stuck");
        assert_eq!((found.container.as_deref(), found.image.as_deref()), (Some("web"), Some("shop/web:9")));
        assert_eq!(found.outlook, Outlook::Hopeless);
    }

    fn crashed(restarts: i64, code: i64, reason: &str) -> Stuck {
        let status = json!({"name": "web", "restartCount": restarts,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
            "lastState": {"terminated": {"exitCode": code, "reason": reason, "startedAt": "2026-01-01T00:00:10Z"}}});
        stuck_pod(&pod(json!({"containerStatuses": [status]}))).expect("stuck")
    }

    #[test]
    fn two_restarts_may_be_a_start_and_three_are_a_loop() {
        let last_start = "2026-01-01T00:00:10Z".parse().ok();
        assert_eq!(crashed(2, 2, "Error").outlook, Outlook::Crashing { restarts: 2, last_start });
        let loops = crashed(3, 2, "Error");
        assert_eq!((loops.message.as_str(), loops.outlook), ("exit code 2, Error (back-off)", Outlook::Hopeless));
    }

    #[test]
    fn a_program_that_is_not_there_or_has_too_little_memory_is_hopeless_at_once() {
        assert_eq!(crashed(1, 127, "Error").outlook, Outlook::Hopeless);
        assert_eq!(crashed(1, 137, "OOMKilled").outlook, Outlook::Hopeless);
        assert!(matches!(crashed(1, 137, "Error").outlook, Outlook::Crashing { .. }));
    }

    #[test]
    fn a_claim_that_the_scheduler_has_not_heard_of_may_be_there_by_now() {
        let unscheduled = |message: &str| {
            let condition =
                json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message});
            stuck_pod(&pod(json!({"conditions": [condition]}))).expect("stuck").outlook
        };
        let unheard = "0/1 nodes are available: persistentvolumeclaim \"data-db-0\" not found. not found";
        assert_eq!(unscheduled(unheard), Outlook::Curable);
        assert_eq!(unscheduled("pod has unbound immediate PersistentVolumeClaims"), Outlook::Curable);
        assert_eq!(unscheduled("0/1 nodes are available: 1 Insufficient cpu."), Outlook::Hopeless);
    }

    #[test]
    fn a_probe_of_a_port_that_no_container_has_is_hopeless_once_the_container_runs() {
        let pod = |container: Value, state: Value| {
            let mut container = container;
            container["name"] = json!("web");
            let value = json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-1", "namespace": "shop"},
                "spec": {"containers": [container]},
                "status": {"containerStatuses": [{"name": "web", "ready": false, "state": state}]},
            });
            stuck_pod(&Object::from_value(value).expect("a map"))
        };
        let ports = json!([{"name": "http", "containerPort": 8080}]);
        let asks = |probe: &str, port: Value| json!({"ports": ports, probe: {"httpGet": {"path": "/", "port": port}}});
        let running = || json!({"running": {}});
        let found = pod(asks("readinessProbe", json!("web")), running()).expect("stuck");
        assert_eq!((found.reason.as_str(), &found.outlook), ("Unhealthy", &Outlook::Hopeless));
        assert_eq!(
            found.message,
            "its readiness probe asks for port \"web\", and the container has no port of that name (it has http; readinessProbe.httpGet.port)"
        );
        assert!(pod(asks("startupProbe", json!("web")), running()).is_some());
        assert!(pod(asks("livenessProbe", json!("web")), running()).is_none(), "it is thrown away");
        assert!(pod(asks("readinessProbe", json!("http")), running()).is_none());
        assert!(pod(asks("readinessProbe", json!(9)), running()).is_none());
        assert!(pod(asks("readinessProbe", json!("web")), json!({"waiting": {}})).is_none(), "it has not begun");
        let hook = json!({"lifecycle": {"postStart": {"httpGet": {"port": "web"}}}});
        assert_eq!(pod(hook, running()).expect("stuck").reason, "FailedPostStartHook");
    }

    #[test]
    fn a_pod_without_a_node_is_stuck() {
        let found = stuck_pod(&pod(
            json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient memory."}]}),
        ));
        assert_eq!(found.expect("stuck").reason, "Unschedulable");
    }
}
