use jiff::Timestamp;
use landfall_object::Object;
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
    fn a_pod_without_a_node_is_stuck() {
        let found = stuck_pod(&pod(
            json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient memory."}]}),
        ));
        assert_eq!(found.expect("stuck").reason, "Unschedulable");
    }
}
