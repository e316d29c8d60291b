//! Disruption budgets: how many pods may go at the moment (`pkg/controller/disruption`).

use std::collections::BTreeMap;

use landfall_apiserver::Status;
use serde_json::{Value, json};

use super::conditions::{self, Condition};
use super::desk::{Desk, EventType, Found, Outcome};
use super::fields::{child, controller_of, count, deleting, text};
use super::kind::{BUDGET, DEPLOYMENT, Kind, POD, REPLICA_SET, REPLICATION_CONTROLLER, STATEFUL_SET};
use super::loops::{After, Call, Loop, Wake};
use super::pods::{is_ready, is_terminated};
use super::queue::Role;
use super::rollout::{Rounding, scaled, wanted};
use super::selector;

/// What it looks after, and what wakes it.
pub(super) const LOOP: Loop = Loop {
    role: Role::Budget,
    kinds: &[BUDGET],
    wakes: &[
        Wake { after: After::These(&[POD.id]), queue: of_pod },
        Wake { after: After::These(&[DEPLOYMENT.id, STATEFUL_SET.id, REPLICATION_CONTROLLER.id]), queue: of_workload },
    ],
};

/// A workload whose pods it counts; of what is only said of it nothing changes for a budget.
fn of_workload(call: &mut Call<'_>) {
    let mut generations = call.states().map(|state| count(state, "/metadata/generation"));
    let (now, before) = (generations.next(), generations.next());
    if !call.is_deleted() && now == before {
        return;
    }
    let namespace = call.object().namespace();
    for budget in call.world.list(BUDGET.qualified(), Some(namespace)) {
        let selector = budget.pointer("/spec/selector");
        let mut templates = call.states().filter_map(|state| state.pointer("/spec/template"));
        if templates.any(|template| selector::matches(selector, template)) {
            call.look_at(&BUDGET, namespace, budget.name());
        }
    }
}

/// A pod that it counts, or did.
fn of_pod(call: &mut Call<'_>) {
    let namespace = call.object().namespace();
    for budget in call.world.list(BUDGET.qualified(), Some(namespace)) {
        if call.states().any(|state| selector::matches(budget.pointer("/spec/selector"), state)) {
            call.look_at(&BUDGET, namespace, budget.name());
        }
    }
}

/// Recounts one budget.
pub(super) fn reconcile(desk: &mut Desk<'_>, namespace: &str, name: &str) -> Result<Outcome, Status> {
    desk.speaks_as("controllermanager");
    let Some(budget) = desk.get(&BUDGET, namespace, name).filter(|b| !deleting(b)) else { return Ok(Outcome::done()) };
    let pods: Vec<Found> = desk
        .list(&POD, namespace)
        .into_iter()
        .filter(|pod| selector::matches(budget.pointer("/spec/selector"), pod))
        .collect();
    if pods.is_empty() && desk.first_reported(&budget, "NoPods").is_none() {
        desk.event(&budget, EventType::Normal, "NoPods", "No matching pods found");
    }
    let most_missing = budget.pointer("/spec/maxUnavailable");
    let least = budget.pointer("/spec/minAvailable");
    let (expected, desired) = match (most_missing, least) {
        (Some(missing), _) => {
            let expected = scale_of(desk, &pods);
            (expected, (expected - scaled(Some(missing), expected, 0, Rounding::Up)).max(0))
        }
        (None, Some(least)) if least.is_string() => {
            let expected = scale_of(desk, &pods);
            (expected, scaled(Some(least), expected, 0, Rounding::Up))
        }
        (None, Some(least)) => (pods.len() as i64, least.as_i64().unwrap_or(0)),
        (None, None) => (0, 0),
    };
    let healthy = pods.iter().filter(|p| !deleting(p) && !is_terminated(p) && is_ready(p)).count() as i64;
    let allowed = if expected <= 0 { 0 } else { (healthy - desired).max(0) };
    let mut status = json!({
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "disruptionsAllowed": allowed,
        "observedGeneration": count(&budget, "/metadata/generation"),
    });
    if let Some(known) = budget.pointer("/status/conditions") {
        status["conditions"] = known.clone();
    }
    let (state, reason) = if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
    let condition = Condition { kind: "DisruptionAllowed", status: state, reason, message: "" };
    conditions::set(&mut status, &condition, desk.now());
    let conditions = status["conditions"].as_array_mut().into_iter().flatten();
    for condition in conditions {
        condition["observedGeneration"] = budget["metadata"]["generation"].clone();
        if condition.get("message").is_none() {
            condition["message"] = "".into();
        }
    }
    let settled = |s: &Value| {
        let mut s = s.clone();
        for condition in s["conditions"].as_array_mut().into_iter().flatten() {
            condition["lastTransitionTime"] = Value::Null;
        }
        s
    };
    if budget.get("status").map(settled) != Some(settled(&status)) {
        let mut changed = budget.value().clone();
        *child(&mut changed, "status") = status;
        desk.update_status(&BUDGET, changed)?;
    }
    Ok(Outcome::done())
}

/// The wanted sizes of all that the pods belong to.
fn scale_of(desk: &Desk<'_>, pods: &[Found]) -> i64 {
    let mut sizes: BTreeMap<String, i64> = BTreeMap::new();
    for pod in pods {
        let Some(owner) = controller_of(pod) else { continue };
        let Some(kind) = Kind::of(text(owner, "/apiVersion"), text(owner, "/kind")) else { continue };
        let Some(mut found) = desk.get(kind, pod.namespace(), text(owner, "/name")) else { continue };
        if *kind == REPLICA_SET
            && let Some(above) = controller_of(&found).filter(|o| text(o, "/kind") == "Deployment")
            && let Some(deployment) = desk.get(&DEPLOYMENT, pod.namespace(), text(above, "/name"))
        {
            found = deployment;
        }
        sizes.insert(found.uid().to_owned(), wanted(&found));
    }
    sizes.values().sum()
}
