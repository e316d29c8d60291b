//! The parts of a pod's status that follow from its containers: phase and conditions (`pkg/kubelet/status/generate.go`).

use landfall_apiserver::rfc3339;
use serde_json::{Value, json};

use super::Work;
use crate::behaviour::Play;
use crate::controllers::fields::{int, list, text, truth};
use crate::fault::Effect;

/// The first status: everything waits.
pub(super) fn begin(work: &mut Work<'_, '_>) {
    let host = work.host_address();
    let now = rfc3339(work.desk.now());
    let has_init = !list(work.pod, "/spec/initContainers").is_empty();
    work.status["phase"] = "Pending".into();
    work.status["startTime"] = now.into();
    work.status["hostIP"] = host.clone().into();
    work.status["hostIPs"] = json!([{"ip": host}]);
    for (kind, statuses) in [("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")] {
        let containers = list(work.pod, &format!("/spec/{kind}"));
        if containers.is_empty() {
            continue;
        }
        let waiting = if has_init { "PodInitializing" } else { "ContainerCreating" };
        let made: Vec<Value> = containers.iter().map(|c| waiting_status(c, waiting)).collect();
        work.status[statuses] = made.into();
    }
    summarise(work);
}

fn waiting_status(container: &Value, reason: &str) -> Value {
    json!({
        "name": text(container, "/name"),
        "state": {"waiting": {"reason": reason}},
        "lastState": {},
        "ready": false,
        "restartCount": 0,
        "image": text(container, "/image"),
        "imageID": "",
        "started": false,
    })
}

/// Whether an init container runs beside the others from then on.
pub(super) fn is_sidecar(container: &Value) -> bool {
    text(container, "/restartPolicy") == "Always"
}

/// Phase and conditions from the container statuses.
pub(super) fn summarise(work: &mut Work<'_, '_>) {
    let phase = phase(work.pod, &work.status);
    work.status["phase"] = phase.into();
    if let Some(generation) = int(work.pod, "/metadata/generation") {
        work.status["observedGeneration"] = generation.into();
    }
    let init_waiting = incomplete_init(work.pod, &work.status);
    let unready = unready(work.pod, &work.status);
    let ended = match phase {
        "Succeeded" => Some("PodCompleted"),
        "Failed" => Some("PodFailed"),
        _ => None,
    };
    let has_address = !text(&work.status, "/podIP").is_empty();
    let sandbox = if has_address && ended.is_none() { yes() } else { no("", String::new()) };
    let initialized = match init_waiting.as_slice() {
        [] if phase == "Succeeded" => Finding { status: "True", reason: "PodCompleted", message: String::new() },
        [] => yes(),
        names => no("ContainersNotInitialized", format!("containers with incomplete status: [{}]", names.join(" "))),
    };
    let containers = match (ended, unready.as_slice()) {
        (Some(reason), _) => no(reason, String::new()),
        (None, []) => yes(),
        (None, names) => no("ContainersNotReady", format!("containers with unready status: [{}]", names.join(" "))),
    };
    let ready = if containers.status == "True" { gates(work.pod, &work.status) } else { containers.clone() };
    set_conditions(
        work,
        &[
            ("PodReadyToStartContainers", sandbox),
            ("Initialized", initialized),
            ("Ready", ready),
            ("ContainersReady", containers),
            ("PodScheduled", yes()),
        ],
    );
}

#[derive(Clone)]
struct Finding {
    status: &'static str,
    reason: &'static str,
    message: String,
}

fn yes() -> Finding {
    Finding { status: "True", reason: "", message: String::new() }
}

fn no(reason: &'static str, message: String) -> Finding {
    Finding { status: "False", reason, message }
}

/// Readiness gates: conditions that others set.
fn gates(pod: &Value, status: &Value) -> Finding {
    let open = |kind: &str| {
        list(status, "/conditions").iter().any(|c| text(c, "/type") == kind && text(c, "/status") == "True")
    };
    let shut: Vec<&str> = list(pod, "/spec/readinessGates")
        .iter()
        .map(|gate| text(gate, "/conditionType"))
        .filter(|kind| !open(kind))
        .collect();
    match shut.as_slice() {
        [] => yes(),
        shut => no(
            "ReadinessGatesNotReady",
            shut.iter()
                .map(|kind| format!("corresponding condition of pod readiness gate \"{kind}\" does not exist."))
                .collect::<Vec<_>>()
                .join("; "),
        ),
    }
}

fn set_conditions(work: &mut Work<'_, '_>, wanted: &[(&str, Finding)]) {
    let now = rfc3339(work.desk.now());
    let known: Vec<Value> = list(&work.status, "/conditions").to_vec();
    let mut made: Vec<Value> = Vec::with_capacity(wanted.len());
    for (kind, finding) in wanted {
        let before = known.iter().find(|c| text(c, "/type") == *kind);
        let since = before
            .filter(|c| text(c, "/status") == finding.status)
            .map_or_else(|| now.clone().into(), |c| c["lastTransitionTime"].clone());
        let mut condition =
            json!({"type": kind, "status": finding.status, "lastProbeTime": null, "lastTransitionTime": since});
        if !finding.reason.is_empty() {
            condition["reason"] = finding.reason.into();
        }
        if !finding.message.is_empty() {
            condition["message"] = finding.message.clone().into();
        }
        if let Some(generation) = int(work.pod, "/metadata/generation") {
            condition["observedGeneration"] = generation.into();
        }
        made.push(condition);
    }
    let others = known.into_iter().filter(|c| !wanted.iter().any(|(kind, _)| text(c, "/type") == *kind));
    made.extend(others);
    work.status["conditions"] = made.into();
}

/// Names of init containers that have not done their part.
fn incomplete_init(pod: &Value, status: &Value) -> Vec<String> {
    list(pod, "/spec/initContainers")
        .iter()
        .filter(|container| {
            let of = container_status(status, text(container, "/name"));
            if is_sidecar(container) {
                !of.is_some_and(|s| truth(s, "/started"))
            } else {
                of.and_then(|s| int(s, "/state/terminated/exitCode")) != Some(0)
            }
        })
        .map(|container| text(container, "/name").to_owned())
        .collect()
}

/// Names of containers that are not ready.
fn unready(pod: &Value, status: &Value) -> Vec<String> {
    let sidecars = list(pod, "/spec/initContainers").iter().filter(|c| is_sidecar(c));
    sidecars
        .chain(list(pod, "/spec/containers"))
        .map(|c| text(c, "/name"))
        .filter(|name| !container_status(status, name).is_some_and(|s| truth(s, "/ready")))
        .map(str::to_owned)
        .collect()
}

/// The status of a container or init container.
pub(super) fn container_status<'a>(status: &'a Value, name: &str) -> Option<&'a Value> {
    ["/containerStatuses", "/initContainerStatuses"]
        .into_iter()
        .flat_map(|kind| list(status, kind))
        .find(|s| text(s, "/name") == name)
}

/// The phase that follows from the containers (`getPhase`).
pub(super) fn phase(pod: &Value, status: &Value) -> &'static str {
    let policy = text(pod, "/spec/restartPolicy");
    let code = |s: &Value| int(s, "/state/terminated/exitCode");
    for container in list(pod, "/spec/initContainers").iter().filter(|c| !is_sidecar(c)) {
        let Some(of) = container_status(status, text(container, "/name")) else { return "Pending" };
        match code(of) {
            Some(0) => {}
            Some(_) if policy == "Never" => return "Failed",
            _ => return "Pending",
        }
    }
    let statuses = list(status, "/containerStatuses");
    if statuses.is_empty() {
        return "Pending";
    }
    let never_started =
        |s: &&Value| s.pointer("/state/waiting").is_some() && s.pointer("/lastState/terminated").is_none();
    if statuses.iter().any(|s| never_started(&s)) {
        return "Pending";
    }
    let ended: Vec<i64> = statuses.iter().filter_map(code).collect();
    if ended.len() < statuses.len() || policy == "Always" || policy.is_empty() {
        return "Running";
    }
    match ended.iter().all(|code| *code == 0) {
        true => "Succeeded",
        false if policy == "Never" => "Failed",
        false => "Running",
    }
}

/// Whether the pod's main containers are meant to end: jobs, and pods that are not always restarted.
pub(super) fn is_meant_to_end(pod: &Value) -> bool {
    matches!(text(pod, "/spec/restartPolicy"), "Never" | "OnFailure")
}

/// Whether the pod is kept from getting ready.
pub(super) fn is_kept_unready(play: &Play, pod: &Value) -> bool {
    play.has(pod, |effect| effect == Effect::Unready)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(states: Value) -> Value {
        let statuses: Vec<Value> = states
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(i, state)| json!({"name": format!("c{i}"), "state": state, "lastState": {}}))
            .collect();
        json!({"containerStatuses": statuses})
    }

    #[test]
    fn phases_follow_containers_and_restart_policy() {
        let pod = |policy: &str| json!({"spec": {"restartPolicy": policy, "containers": [{"name": "c0"}]}});
        let (running, waiting) = (json!({"running": {}}), json!({"waiting": {}}));
        let ended = |code: i64| json!({"terminated": {"exitCode": code}});
        assert_eq!(phase(&pod("Always"), &status(json!([waiting]))), "Pending");
        assert_eq!(phase(&pod("Always"), &status(json!([running]))), "Running");
        assert_eq!(phase(&pod("Always"), &status(json!([ended(0)]))), "Running");
        assert_eq!(phase(&pod("Never"), &status(json!([ended(0), ended(0)]))), "Succeeded");
        assert_eq!(phase(&pod("Never"), &status(json!([ended(0), ended(2)]))), "Failed");
        assert_eq!(phase(&pod("OnFailure"), &status(json!([ended(1)]))), "Running");
    }
}
