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
    /// Whether another object appearing would help: a Secret, a ConfigMap, a claim, room on a node.
    pub curable: bool,
}

/// How often a container may crash before it is taken for one that always will.
///
/// A program that meets its database still starting crashes once or twice; three times in a row, with the kubelet's
/// growing pauses between, is a loop.
const CRASHES: i64 = 3;

/// Whether a pod is stuck for good, and why.
pub fn stuck_pod(pod: &Object) -> Option<Stuck> {
    if pod.deletion_timestamp().is_some() {
        return None;
    }
    let statuses = pod.list_at("/status/initContainerStatuses").iter().chain(pod.list_at("/status/containerStatuses"));
    for status in statuses {
        let text = |pointer: &str| status.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let reason = text("/state/waiting/reason");
        let stuck = match reason {
            "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "CreateContainerConfigError"
            | "CreateContainerError"
            | "RunContainerError" => true,
            "CrashLoopBackOff" => status.get("restartCount").and_then(Value::as_i64).unwrap_or(0) >= CRASHES,
            _ => false,
        };
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
                curable: reason == "CreateContainerConfigError",
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
            // A claim that is being provisioned passes by itself; one that does not exist does not.
            curable: message.contains("unbound immediate PersistentVolumeClaims"),
        });
    }
    None
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
        assert!(!found.curable);
    }

    #[test]
    fn two_crashes_are_a_start_and_three_are_a_loop() {
        let crashed = |times: i64| {
            pod(
                json!({"containerStatuses": [{"name": "web", "restartCount": times, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}, "lastState": {"terminated": {"exitCode": 2, "reason": "Error"}}}]}),
            )
        };
        assert_eq!(stuck_pod(&crashed(2)), None);
        assert_eq!(stuck_pod(&crashed(3)).expect("stuck").message, "exit code 2, Error (back-off)");
    }

    #[test]
    fn a_pod_without_a_node_is_stuck() {
        let found = stuck_pod(&pod(
            json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient memory."}]}),
        ));
        assert_eq!(found.expect("stuck").reason, "Unschedulable");
    }
}
