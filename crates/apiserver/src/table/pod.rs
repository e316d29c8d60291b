//! The row of a pod: its status column is a small language of its own (`printPod`).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age::since;
use super::{Column, Printer, age, list, name, str_of, text, wide};

const fn restarts() -> Column {
    Column { name: "Restarts", kind: "string", wide: false }
}

pub(super) const POD: Printer = Printer {
    columns: &[
        text("Name"),
        text("Ready"),
        text("Status"),
        restarts(),
        text("Age"),
        wide("IP"),
        wide("Node"),
        wide("Nominated Node"),
        wide("Readiness Gates"),
    ],
    row,
};

/// Succeeded and failed pods are marked, so that `kubectl` can leave them out.
pub(super) fn row_condition(pod: &Value) -> Option<Value> {
    let (reason, message) = match str_of(&pod["status"]["phase"]) {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!({"type": "Completed", "status": "True", "reason": reason, "message": message}))
}

fn restartable_init(pod: &Value, name: &str) -> bool {
    list(&pod["spec"]["initContainers"])
        .iter()
        .any(|container| container["name"] == name && container["restartPolicy"] == "Always")
}

fn row(pod: &Value, now: Timestamp) -> Vec<Value> {
    let status = &pod["status"];
    let mut total = list(&pod["spec"]["containers"]).len();
    let (mut ready, mut restarts, mut restartable_restarts) = (0, 0, 0);
    let mut last_restart = Value::Null;
    let mut last_restartable = Value::Null;
    let mut reason = str_of(&status["phase"]).to_owned();
    if !str_of(&status["reason"]).is_empty() {
        reason = str_of(&status["reason"]).to_owned();
    }
    for condition in list(&status["conditions"]) {
        if condition["type"] == "PodScheduled" && condition["reason"] == "SchedulingGated" {
            reason = "SchedulingGated".to_owned();
        }
    }
    for container in list(&pod["spec"]["initContainers"]) {
        if container["restartPolicy"] == "Always" {
            total += 1;
        }
    }
    let inits = list(&status["initContainerStatuses"]);
    let init_count = list(&pod["spec"]["initContainers"]).len();
    let mut initializing = false;
    for (index, container) in inits.iter().enumerate() {
        restarts += container["restartCount"].as_i64().unwrap_or(0);
        newest(&mut last_restart, &container["lastState"]["terminated"]["finishedAt"]);
        let sidecar = restartable_init(pod, str_of(&container["name"]));
        if sidecar {
            restartable_restarts += container["restartCount"].as_i64().unwrap_or(0);
            newest(&mut last_restartable, &container["lastState"]["terminated"]["finishedAt"]);
        }
        let (terminated, waiting) = (&container["state"]["terminated"], &container["state"]["waiting"]);
        if terminated.is_object() && terminated["exitCode"].as_i64().unwrap_or(0) == 0 {
            continue;
        }
        if sidecar && container["started"] == true {
            if container["ready"] == true {
                ready += 1;
            }
            continue;
        }
        if terminated.is_object() {
            reason = format!("Init:{}", ended(terminated));
        } else if !matches!(str_of(&waiting["reason"]), "" | "PodInitializing") {
            reason = format!("Init:{}", str_of(&waiting["reason"]));
        } else {
            reason = format!("Init:{index}/{init_count}");
        }
        initializing = true;
        break;
    }
    let initialized = list(&status["conditions"])
        .iter()
        .any(|condition| condition["type"] == "Initialized" && condition["status"] == "True");
    if !initializing || initialized {
        restarts = restartable_restarts;
        last_restart = last_restartable;
        let mut running = false;
        for container in list(&status["containerStatuses"]).iter().rev() {
            restarts += container["restartCount"].as_i64().unwrap_or(0);
            newest(&mut last_restart, &container["lastState"]["terminated"]["finishedAt"]);
            let (terminated, waiting) = (&container["state"]["terminated"], &container["state"]["waiting"]);
            if !str_of(&waiting["reason"]).is_empty() {
                reason = str_of(&waiting["reason"]).to_owned();
            } else if terminated.is_object() {
                reason = ended(terminated);
            } else if container["ready"] == true && container["state"]["running"].is_object() {
                running = true;
                ready += 1;
            }
        }
        if reason == "Completed" && running {
            let is_ready = list(&status["conditions"])
                .iter()
                .any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
            reason = if is_ready { "Running" } else { "NotReady" }.to_owned();
        }
    }
    if pod["metadata"]["deletionTimestamp"].is_string() {
        if str_of(&status["reason"]) == "NodeLost" {
            reason = "Unknown".to_owned();
        } else if !matches!(str_of(&status["phase"]), "Failed" | "Succeeded") {
            reason = "Terminating".to_owned();
        }
    }
    let restarts = if restarts != 0 && last_restart.is_string() {
        format!("{restarts} ({} ago)", since(&last_restart, now))
    } else {
        restarts.to_string()
    };
    let or_none = |value: &Value| if str_of(value).is_empty() { json!("<none>") } else { value.clone() };
    let address = list(&status["podIPs"]).first().map_or(&status["podIP"], |first| &first["ip"]);
    let gates = list(&pod["spec"]["readinessGates"]);
    let gates_text = if gates.is_empty() {
        "<none>".to_owned()
    } else {
        let met = gates
            .iter()
            .filter(|gate| {
                list(&status["conditions"])
                    .iter()
                    .any(|condition| condition["type"] == gate["conditionType"] && condition["status"] == "True")
            })
            .count();
        format!("{met}/{}", gates.len())
    };
    vec![
        name(pod),
        json!(format!("{ready}/{total}")),
        json!(reason),
        json!(restarts),
        age(pod, now),
        or_none(address),
        or_none(&pod["spec"]["nodeName"]),
        or_none(&status["nominatedNodeName"]),
        json!(gates_text),
    ]
}

fn newest(last: &mut Value, at: &Value) {
    if at.is_string() && (last.is_null() || str_of(last) < str_of(at)) {
        *last = at.clone();
    }
}

fn ended(terminated: &Value) -> String {
    if !str_of(&terminated["reason"]).is_empty() {
        return str_of(&terminated["reason"]).to_owned();
    }
    match terminated["signal"].as_i64().unwrap_or(0) {
        0 => format!("ExitCode:{}", terminated["exitCode"].as_i64().unwrap_or(0)),
        signal => format!("Signal:{signal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_column_names_what_holds_the_pod() {
        let now = Timestamp::UNIX_EPOCH;
        let pod = |status: Value| json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}], "initContainers": [{"name": "i"}]}, "status": status});
        let status = |status: Value| row(&pod(status), now)[2].clone();
        assert_eq!(status(json!({"phase": "Pending"})), "Pending");
        assert_eq!(
            status(json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"running": {}}}]})),
            "Init:0/1"
        );
        assert_eq!(
            status(json!({"phase": "Running", "containerStatuses": [
                {"name": "c", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]})),
            "CrashLoopBackOff"
        );
        assert_eq!(
            status(json!({"phase": "Succeeded", "containerStatuses": [
                {"name": "c", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]})),
            "Completed"
        );
    }
}
