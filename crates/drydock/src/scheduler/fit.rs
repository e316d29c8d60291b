//! Whether a node may have a pod: selectors, taints, ports, affinity, spread, room.

use std::collections::BTreeMap;

use serde_json::Value;

use super::resources::{Demand, Room, demand};
use super::volumes;
use crate::controllers::desk::{Desk, Found};
use crate::controllers::fields::{deleting, entries, int, label, list, name, namespace, text, truth};
use crate::controllers::kind::NAMESPACE;
use crate::controllers::pods::is_terminated;
use crate::controllers::selector::{self, expression_matches, labels_match};

/// A pod with the node that it has or is promised.
pub(super) struct Placed<'a> {
    pub(super) pod: &'a Found,
    pub(super) node: &'a str,
}

/// What surrounds the node.
pub(super) struct Context<'a> {
    pub(super) nodes: &'a [Found],
    /// What is used of this node.
    pub(super) used: &'a Demand,
    /// The other pods that have a node, as far as the pod's place depends on them.
    pub(super) running: &'a [Placed<'a>],
}

/// Why a node does not take a pod.
pub(super) struct Verdict {
    pub(super) reasons: Vec<String>,
    /// Whether the node would do if it were emptier.
    pub(super) is_crowded: bool,
}

fn never(reason: &str) -> Verdict {
    Verdict { reasons: vec![reason.to_owned()], is_crowded: false }
}

fn crowded(reason: &str) -> Verdict {
    Verdict { reasons: vec![reason.to_owned()], is_crowded: true }
}

/// Checks in the order of the scheduler's filters; the score when all pass.
pub(super) fn check(desk: &Desk<'_>, pod: &Value, node: &Value, context: &Context<'_>) -> Result<i64, Verdict> {
    let unschedulable = truth(node, "/spec/unschedulable");
    let unschedulable_taint = serde_json::json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"});
    if unschedulable && !tolerates(pod, &unschedulable_taint) {
        return Err(never("node(s) were unschedulable"));
    }
    let repelled = |taint: &&Value| matches!(text(taint, "/effect"), "NoSchedule" | "NoExecute");
    if list(node, "/spec/taints").iter().filter(repelled).any(|taint| !tolerates(pod, taint)) {
        return Err(never("node(s) had untolerated taint(s)"));
    }
    if !matches_node_selection(pod, node) {
        return Err(never("node(s) didn't match Pod's node affinity/selector"));
    }
    if ports_clash(pod, name(node), context) {
        return Err(crowded("node(s) didn't have free ports for the requested pod ports"));
    }
    let room = Room::of(node, context.used.clone());
    let asked = demand(pod);
    let lacking = room.lacks(&asked);
    if !lacking.is_empty() {
        return Err(Verdict { reasons: lacking, is_crowded: room.could_hold(&asked) });
    }
    volumes::fits_node(desk, pod, node).map_err(|reason| never(&reason))?;
    spread(pod, node, context)?;
    pod_affinity(desk, pod, node, context)?;
    Ok(room.score(&asked))
}

/// Whether the pod tolerates a taint.
pub(crate) fn tolerates(pod: &Value, taint: &Value) -> bool {
    list(pod, "/spec/tolerations").iter().any(|toleration| {
        let effect = text(toleration, "/effect");
        let key = text(toleration, "/key");
        if !effect.is_empty() && effect != text(taint, "/effect") || !key.is_empty() && key != text(taint, "/key") {
            return false;
        }
        match text(toleration, "/operator") {
            "Exists" => true,
            "" | "Equal" => !key.is_empty() && text(toleration, "/value") == text(taint, "/value"),
            _ => false,
        }
    })
}

/// Whether node selector and required node affinity take the node in.
pub(crate) fn matches_node_selection(pod: &Value, node: &Value) -> bool {
    if !entries(pod, "/spec/nodeSelector").all(|(key, value)| label(node, key) == Some(value)) {
        return false;
    }
    let required = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution";
    let Some(required) = pod.pointer(required) else { return true };
    list(required, "/nodeSelectorTerms").iter().any(|term| {
        let (expressions, fields) = (list(term, "/matchExpressions"), list(term, "/matchFields"));
        (!expressions.is_empty() || !fields.is_empty())
            && expressions.iter().all(|e| expression_matches(e, label(node, text(e, "/key"))))
            && fields.iter().all(|e| text(e, "/key") == "metadata.name" && expression_matches(e, Some(name(node))))
    })
}

/// Ports of the node that the pod takes.
pub(super) fn host_ports(pod: &Value) -> impl Iterator<Item = (i64, String, String)> + '_ {
    ["/spec/containers", "/spec/initContainers"]
        .into_iter()
        .flat_map(|kind| list(pod, kind))
        .flat_map(|container| list(container, "/ports"))
        .filter_map(|port| {
            let number = int(port, "/hostPort").filter(|n| *n > 0)?;
            let protocol = Some(text(port, "/protocol")).filter(|p| !p.is_empty()).unwrap_or("TCP");
            let address = Some(text(port, "/hostIP")).filter(|a| !a.is_empty()).unwrap_or("0.0.0.0");
            Some((number, protocol.to_owned(), address.to_owned()))
        })
}

fn ports_clash(pod: &Value, node: &str, context: &Context<'_>) -> bool {
    let there = || context.running.iter().filter(|placed| placed.node == node && !is_terminated(placed.pod));
    host_ports(pod).any(|(port, protocol, address)| {
        there().any(|other| {
            host_ports(other.pod)
                .any(|(p, q, a)| p == port && q == protocol && (a == address || a == "0.0.0.0" || address == "0.0.0.0"))
        })
    })
}

/// `topologySpreadConstraints` with `DoNotSchedule`.
fn spread(pod: &Value, node: &Value, context: &Context<'_>) -> Result<(), Verdict> {
    let hard = list(pod, "/spec/topologySpreadConstraints")
        .iter()
        .filter(|c| text(c, "/whenUnsatisfiable") != "ScheduleAnyway");
    for constraint in hard {
        let key = text(constraint, "/topologyKey");
        let Some(here) = label(node, key) else {
            return Err(never("node(s) didn't match pod topology spread constraints (missing required label)"));
        };
        let wanted = constraint.get("labelSelector");
        let mut domains: BTreeMap<&str, i64> = BTreeMap::new();
        for other in context.nodes.iter().filter(|n| matches_node_selection(pod, n)) {
            if let Some(domain) = label(other, key) {
                let count = context
                    .running
                    .iter()
                    .filter(|placed| placed.node == name(other))
                    .map(|placed| placed.pod)
                    .filter(|p| namespace(p) == namespace(pod) && !deleting(p) && !is_terminated(p))
                    .filter(|p| selector::matches(wanted, p))
                    .count() as i64;
                *domains.entry(domain).or_default() += count;
            }
        }
        let least = domains.values().copied().min().unwrap_or(0);
        let least = match int(constraint, "/minDomains") {
            Some(wanted) if (domains.len() as i64) < wanted => 0,
            _ => least,
        };
        let own = i64::from(selector::matches(wanted, pod));
        let there = domains.get(here).copied().unwrap_or(0);
        if there + own - least > int(constraint, "/maxSkew").unwrap_or(1) {
            return Err(crowded("node(s) didn't match pod topology spread constraints"));
        }
    }
    Ok(())
}

/// Required affinity and anti-affinity between pods, both ways.
fn pod_affinity(desk: &Desk<'_>, pod: &Value, node: &Value, context: &Context<'_>) -> Result<(), Verdict> {
    let terms = |of: &'_ Value, kind: &str| -> Vec<Value> {
        list(of, &format!("/spec/affinity/{kind}/requiredDuringSchedulingIgnoredDuringExecution")).to_vec()
    };
    let node_of = |placed: &Placed<'_>| context.nodes.iter().find(|n| name(n) == placed.node);
    let same_domain = |placed: &Placed<'_>, key: &str| {
        label(node, key).is_some() && node_of(placed).is_some_and(|n| label(n, key) == label(node, key))
    };
    let alive = || context.running.iter().filter(|placed| !is_terminated(placed.pod));
    for term in terms(pod, "podAffinity") {
        let key = text(&term, "/topologyKey");
        let met = alive().any(|p| concerns(desk, &term, pod, p.pod) && same_domain(p, key));
        // The first of a group that wants to be together has nobody to join.
        let first = !alive().any(|p| concerns(desk, &term, pod, p.pod)) && concerns(desk, &term, pod, pod);
        if label(node, key).is_none() || !(met || first) {
            return Err(never("node(s) didn't match pod affinity rules"));
        }
    }
    for term in terms(pod, "podAntiAffinity") {
        let key = text(&term, "/topologyKey");
        if alive().any(|p| concerns(desk, &term, pod, p.pod) && same_domain(p, key)) {
            return Err(crowded("node(s) didn't match pod anti-affinity rules"));
        }
    }
    let repelled = alive().any(|p| {
        terms(p.pod, "podAntiAffinity")
            .iter()
            .any(|term| concerns(desk, term, p.pod, pod) && same_domain(p, text(term, "/topologyKey")))
    });
    if repelled {
        return Err(crowded("node(s) didn't satisfy existing pods anti-affinity rules"));
    }
    Ok(())
}

/// Whether a term that `owner` states is about `other`.
fn concerns(desk: &Desk<'_>, term: &Value, owner: &Value, other: &Value) -> bool {
    let named = list(term, "/namespaces");
    let by_label = term.get("namespaceSelector").is_some_and(|wanted| {
        desk.get(&NAMESPACE, "", namespace(other))
            .is_some_and(|n| labels_match(wanted, crate::controllers::fields::map(&n, "/metadata/labels")))
    });
    let within = by_label
        || named.iter().any(|n| n == namespace(other))
        || (named.is_empty() && term.get("namespaceSelector").is_none() && namespace(owner) == namespace(other));
    within && selector::matches(term.get("labelSelector"), other)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tolerations_follow_key_operator_and_effect() {
        let pod = |toleration: Value| json!({"spec": {"tolerations": [toleration]}});
        let taint = json!({"key": "dedicated", "value": "db", "effect": "NoSchedule"});
        assert!(tolerates(&pod(json!({"operator": "Exists"})), &taint));
        assert!(tolerates(&pod(json!({"key": "dedicated", "value": "db"})), &taint));
        assert!(!tolerates(&pod(json!({"key": "dedicated", "value": "web"})), &taint));
        assert!(!tolerates(&pod(json!({"key": "dedicated", "operator": "Exists", "effect": "NoExecute"})), &taint));
    }

    #[test]
    fn node_affinity_terms_are_alternatives() {
        let node = json!({"metadata": {"name": "n", "labels": {"zone": "a"}}});
        let pod = |terms: Value| {
            json!({"spec": {"affinity": {"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}}})
        };
        let zone = |z: &str| json!({"matchExpressions": [{"key": "zone", "operator": "In", "values": [z]}]});
        assert!(matches_node_selection(&pod(json!([zone("b"), zone("a")])), &node));
        assert!(!matches_node_selection(&pod(json!([zone("b")])), &node));
        assert!(!matches_node_selection(&pod(json!([{}])), &node));
        let by_name = json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]});
        assert!(matches_node_selection(&pod(json!([by_name])), &node));
    }
}
