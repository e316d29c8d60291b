//! What the suite does in place of users, scheduler and kubelet.

use serde_json::{Value, json};

use super::scenario::{Action, NAME, Scenario};
use super::side::Side;
use super::snapshot::{Ranked, scene};

/// A time that no controller compares with its own.
const LONG_AGO: &str = "2026-01-01T00:00:00Z";

/// Makes the scenario's namespace and nodes.
pub(super) async fn prepare(side: &Side, scenario: &Scenario) -> anyhow::Result<()> {
    let name = scenario.namespace();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    side.create("/api/v1/namespaces", &namespace).await?;
    // Pods are refused until their account is there.
    let account = format!("/api/v1/namespaces/{name}/serviceaccounts/default");
    for _ in 0..100 {
        if side.get(&account).await.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    for node in nodes(scenario) {
        let object = json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": node, "labels": {"trace": scenario.seed.to_string()}}});
        side.create("/api/v1/nodes", &object).await?;
        let now = String::from(LONG_AGO);
        let ready = json!({"status": {
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "",
                "lastHeartbeatTime": now, "lastTransitionTime": now}],
            "allocatable": {"cpu": "8", "memory": "8Gi", "pods": "110"},
            "capacity": {"cpu": "8", "memory": "8Gi", "pods": "110"},
        }});
        side.merge(&format!("/api/v1/nodes/{node}/status"), &ready).await?;
    }
    Ok(())
}

fn nodes(scenario: &Scenario) -> Vec<String> {
    (0..scenario.nodes).map(|at| format!("trace-{}-{at}", scenario.seed)).collect()
}

/// Takes away what would disturb the next scenario.
pub(super) async fn clear(side: &Side, scenario: &Scenario) -> anyhow::Result<()> {
    side.delete(&format!("/api/v1/namespaces/{}", scenario.namespace())).await?;
    for node in nodes(scenario) {
        side.delete(&format!("/api/v1/nodes/{node}")).await?;
    }
    Ok(())
}

pub(super) async fn carry_out(side: &Side, scenario: &Scenario, action: &Action) -> anyhow::Result<()> {
    let workloads = scenario.path(scenario.kind.collection());
    match action {
        Action::Create => drop(side.create(&workloads, &scenario.object).await?),
        Action::Change(patch) => drop(side.merge(&format!("{workloads}/{NAME}"), patch).await?),
        Action::Autoscale(object) => {
            let path = scenario.path("/apis/autoscaling/v2/{ns}/horizontalpodautoscalers");
            drop(side.create(&path, object).await?);
        }
        Action::Tick => {}
        Action::Ready => {
            write(side, scenario, |pod| pod.newest && !pod.is_ready() && !pod.is_over(), &ready("True")).await?
        }
        Action::Unready => write(side, scenario, |pod| pod.newest && pod.is_ready(), &ready("False")).await?,
        Action::Succeed => write(side, scenario, |pod| !pod.is_over(), &ended("Succeeded", 0)).await?,
        Action::Fail => write(side, scenario, |pod| !pod.is_over(), &ended("Failed", 3)).await?,
        Action::Lose => {
            if let Some(pod) = scene(side, scenario).await?.pods.first() {
                let path = scenario.path("/api/v1/{ns}/pods");
                side.delete(&format!("{path}/{}", pod.name())).await?;
            }
        }
    }
    Ok(())
}

/// Writes the status of the first pod that fits; where none does, nothing happens on either side.
async fn write(side: &Side, scenario: &Scenario, fits: impl Fn(&Ranked) -> bool, status: &Value) -> anyhow::Result<()> {
    let scene = scene(side, scenario).await?;
    if let Some(pod) = scene.pods.iter().find(|pod| fits(pod)) {
        let path = scenario.path("/api/v1/{ns}/pods");
        side.merge(&format!("{path}/{}/status", pod.name()), status).await?;
    }
    Ok(())
}

fn ready(verdict: &str) -> Value {
    let condition = |kind: &str| json!({"type": kind, "status": verdict, "lastTransitionTime": LONG_AGO});
    json!({"status": {
        "phase": "Running",
        "startTime": LONG_AGO,
        "conditions": [condition("Ready"), condition("ContainersReady")],
    }})
}

fn ended(phase: &str, code: i64) -> Value {
    let condition =
        json!({"type": "Ready", "status": "False", "reason": "PodCompleted", "lastTransitionTime": LONG_AGO});
    json!({"status": {
        "phase": phase,
        "startTime": LONG_AGO,
        "conditions": [condition],
        "containerStatuses": [{"name": "c", "image": "a", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": code, "reason": "Error", "startedAt": LONG_AGO, "finishedAt": LONG_AGO}}}],
    }})
}
