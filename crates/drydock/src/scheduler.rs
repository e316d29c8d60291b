//! The scheduler: gives pods to nodes, or says why none will do (`pkg/scheduler`).

mod fit;
mod resources;
mod volumes;

use std::collections::BTreeMap;

use landfall_apiserver::{ObjectRef, Status, rfc3339};
use serde_json::{Value, json};

use crate::behaviour::Behaviour;
use crate::controllers::census::Census;
use crate::controllers::desk::{Desk, EventType, Found, Outcome};
use crate::controllers::fields::{annotate, condition, deleting, int, list, name, namespace, text};
use crate::controllers::kind::{CLAIM, NODE, POD};
use crate::controllers::pods::is_terminated;
use crate::controllers::waiting::looks_at_neighbours;
use crate::fault::Effect;
use crate::operators::standing::Operators;

pub(crate) use fit::{matches_node_selection, tolerates};
pub(crate) use resources::{Demand, add, amount, demand, share, subtract};
pub(crate) use volumes::{selected_node, waits_for_consumer};

/// Why no node takes a pod.
struct Refusal {
    /// The sentence of the condition and the event.
    message: String,
}

/// The scheduler of pods that name none.
const OWN: &str = "default-scheduler";

/// Gives one pod to a node. Those of another scheduler are left to it, unless nobody else reaches the cluster, as in a
/// rehearsal: who names one has it.
pub(crate) fn reconcile(
    desk: &mut Desk<'_>,
    behaviour: &Behaviour,
    census: &Census,
    operators: Operators,
    namespace_: &str,
    name_: &str,
) -> Result<Outcome, Status> {
    let Some(pod) = desk.get(&POD, namespace_, name_) else { return Ok(Outcome::done()) };
    let scheduler = text(&pod, "/spec/schedulerName");
    let ours = scheduler.is_empty() || scheduler == OWN || operators == Operators::Alone;
    let assigned = !text(&pod, "/spec/nodeName").is_empty();
    let gated = !list(&pod, "/spec/schedulingGates").is_empty();
    if assigned || deleting(&pod) || is_terminated(&pod) || !ours || gated {
        return Ok(Outcome::done());
    }
    desk.speaks_as(OWN);
    if volumes::is_being_bound(desk, &pod) {
        // Its node is chosen, and the claims are bound for that one; that change brings the pod back here.
        return Ok(Outcome::done());
    }
    let kept_off = behaviour.play().has(&pod, |effect| effect == Effect::Unschedulable);
    match choose(desk, census, &pod, kept_off) {
        Ok(node) => {
            if volumes::announce_node(desk, &pod, name(&node))? {
                // The claims are bound first; that change brings the pod back here.
                return Ok(Outcome::done());
            }
            bind(desk, &pod, name(&node))
        }
        Err(refusal) => {
            refuse(desk, &pod, &refusal.message)?;
            Ok(Outcome::done())
        }
    }
}

/// The node with the most room among those that fit.
fn choose(desk: &Desk<'_>, census: &Census, pod: &Value, kept_off: bool) -> Result<Found, Refusal> {
    let nodes = desk.list(&NODE, "");
    if nodes.is_empty() {
        return Err(Refusal { message: "no nodes available to schedule pods".to_owned() });
    }
    let total = nodes.len();
    if let Err(message) = volumes::check(desk, pod) {
        let message = format!("0/{total} nodes are available: {message}. not found");
        return Err(Refusal { message });
    }
    let promised = promised(desk, census, pod);
    let pods = neighbours(desk, census, pod);
    let running: Vec<fit::Placed<'_>> = pods.iter().map(|(pod, node)| fit::Placed { pod, node }).collect();
    let mut fitting: Vec<(Found, i64)> = Vec::new();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut crowded = 0;
    for node in &nodes {
        let mut used = census.used(name(node));
        if let Some(promised) = promised.get(name(node)) {
            add(&mut used, promised);
        }
        let context = fit::Context { nodes: &nodes, used: &used, running: &running };
        match fit::check(desk, pod, node, &context) {
            Ok(score) if !kept_off => fitting.push((node.clone(), score)),
            Ok(_) => {
                *reasons.entry("node(s) were kept off by a simulated fault".to_owned()).or_default() += 1;
            }
            Err(verdict) => {
                crowded += usize::from(verdict.is_crowded);
                for reason in verdict.reasons {
                    *reasons.entry(reason).or_default() += 1;
                }
            }
        }
    }
    // The first of the best: nodes are in the order of their names.
    let best = fitting.into_iter().reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map(|(node, _)| node).ok_or_else(|| Refusal { message: sentence(total, crowded, &reasons) })
}

/// What pods ask for that are promised to a node and are not there yet, by nodes.
fn promised(desk: &Desk<'_>, census: &Census, pod: &Value) -> BTreeMap<String, Demand> {
    let mut promised: BTreeMap<String, Demand> = BTreeMap::new();
    for (namespace, name) in census.claiming(pod) {
        let Some(other) = desk.get(&POD, namespace, name) else { continue };
        let Some(node) = place_of(desk, &other) else { continue };
        add(promised.entry(node).or_default(), &share(&other));
    }
    promised
}

/// The other pods with a place that have a say in where this one goes: all of them where it looks at its neighbours or takes ports
/// of the node, those that keep others off where it does not.
fn neighbours(desk: &Desk<'_>, census: &Census, pod: &Value) -> Vec<(Found, String)> {
    let placed = |other: Found| Some((other.clone(), place_of(desk, &other)?));
    if looks_at_neighbours(pod) || fit::host_ports(pod).next().is_some() {
        let others = desk.list(&POD, "").into_iter();
        return others
            .filter(|other| name(other) != name(pod) || namespace(other) != namespace(pod))
            .filter_map(placed)
            .collect();
    }
    census.repelling(pod).filter_map(|(namespace, name)| placed(desk.get(&POD, namespace, name)?)).collect()
}

/// The node that a pod has, or is promised while its claims are bound: the scheduler counts it there already.
fn place_of(desk: &Desk<'_>, pod: &Value) -> Option<String> {
    let node = text(pod, "/spec/nodeName");
    if !node.is_empty() {
        return Some(node.to_owned());
    }
    if deleting(pod) || is_terminated(pod) { None } else { volumes::promised_node(desk, pod) }
}

/// `0/2 nodes are available: 1 Insufficient cpu, 1 …. no new claims to deallocate, preemption: …`
fn sentence(total: usize, crowded: usize, reasons: &BTreeMap<String, usize>) -> String {
    let mut counted: Vec<String> = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    counted.sort();
    let mut preemption: Vec<String> = Vec::new();
    if crowded > 0 {
        preemption.push(format!("{crowded} No preemption victims found for incoming pod"));
    }
    if total > crowded {
        preemption.push(format!("{} Preemption is not helpful for scheduling", total - crowded));
    }
    preemption.sort();
    format!(
        "0/{total} nodes are available: {}. no new claims to deallocate, preemption: 0/{total} nodes are available: {}.",
        counted.join(", "),
        preemption.join(", "),
    )
}

fn bind(desk: &mut Desk<'_>, pod: &Found, node: &str) -> Result<Outcome, Status> {
    let object =
        ObjectRef { resource: POD.qualified().into(), namespace: pod.namespace().into(), name: pod.name().into() };
    desk.bind(&object, node)?;
    let message = format!("Successfully assigned {}/{} to {node}", pod.namespace(), pod.name());
    desk.event(pod, EventType::Normal, "Scheduled", &message);
    Ok(Outcome::done())
}

fn set_scheduled(pod: &mut Value, condition: Value) {
    let status = crate::controllers::fields::child(pod, "status");
    match status.get_mut("conditions").and_then(Value::as_array_mut) {
        Some(conditions) => {
            conditions.retain(|c| text(c, "/type") != "PodScheduled");
            conditions.push(condition);
        }
        None => status["conditions"] = json!([condition]),
    }
}

/// Records once why the pod waits.
fn refuse(desk: &mut Desk<'_>, pod: &Found, message: &str) -> Result<(), Status> {
    let known = condition(pod, "PodScheduled");
    if known.is_some_and(|c| text(c, "/message") == message) {
        return Ok(());
    }
    let since = known
        .filter(|c| text(c, "/status") == "False")
        .map_or_else(|| rfc3339(desk.now()).into(), |c| c["lastTransitionTime"].clone());
    let mut changed = pod.value().clone();
    let mut made = json!({
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
        "lastProbeTime": null, "lastTransitionTime": since,
    });
    if let Some(generation) = int(pod, "/metadata/generation") {
        made["observedGeneration"] = generation.into();
    }
    set_scheduled(&mut changed, made);
    desk.event(pod, EventType::Warning, "FailedScheduling", message);
    desk.update_status(&POD, changed)?;
    Ok(())
}

/// The claims of a pod by name, those of ephemeral volumes too.
pub(crate) fn claims_of(pod: &Value) -> Vec<String> {
    list(pod, "/spec/volumes")
        .iter()
        .filter_map(|volume| {
            let claim = text(volume, "/persistentVolumeClaim/claimName");
            if !claim.is_empty() {
                return Some(claim.to_owned());
            }
            volume.get("ephemeral").map(|_| format!("{}-{}", name(pod), text(volume, "/name")))
        })
        .collect()
}

/// Tells the provisioner of a claim which node its first pod goes to.
fn select_node(desk: &mut Desk<'_>, pod: &Value, claim: &str, node: &str) -> Result<(), Status> {
    let Some(found) = desk.get(&CLAIM, namespace(pod), claim) else { return Ok(()) };
    let mut changed = found.value().clone();
    if annotate(&mut changed, "volume.kubernetes.io/selected-node", node) {
        desk.update(&CLAIM, changed)?;
    }
    Ok(())
}
