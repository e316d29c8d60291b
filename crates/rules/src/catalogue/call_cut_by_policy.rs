use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};
use landfall_object::{Object, ObjectKey};
use serde_json::{Map, Value};

use crate::calls::{Call, calls_of};
use crate::pods::{PodTemplate, pod_template, selects};
use crate::rule::Rule;
use crate::subject::{Desired, Found, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF107",
    title: "NetworkPolicies let through what the workloads call",
    severity: Severity::Warning,
    why: "A policy that forgets a caller cuts it off without an error anywhere: the call times out, and the metrics of an \
          exporter that was never let in are simply missing.",
    advice: "Allow the caller's labels and the pod's port in the policy, or take the call away.",
    check,
};

/// One end of a connection.
#[derive(Clone, Copy)]
struct End<'a> {
    namespace: Option<&'a str>,
    labels: Option<&'a Map<String, Value>>,
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let policies: Vec<Found<'_>> = subject.after("networking.k8s.io", "NetworkPolicy").collect();
    if policies.is_empty() {
        return Vec::new();
    }
    let mut blocked: Vec<(&Desired, Call<'_>, Found<'_>)> = Vec::new();
    let mut open = BTreeSet::new();
    for (caller, template) in subject.pods() {
        let from = End { namespace: caller.object.namespace(), labels: template.labels() };
        for call in calls_of(subject, caller, &template) {
            let Some((to, ports)) = target(subject, &call) else { continue };
            let closing = closed(subject, &policies, "Ingress", to, from, &ports)
                .or_else(|| closed(subject, &policies, "Egress", from, to, &ports));
            match closing {
                Some(policy) => blocked.push((caller, call, policy)),
                None => drop(open.insert(shared(&call))),
            }
        }
    }
    // An address in settings that many share is for those that are let through; somebody has to be.
    blocked.retain(|(_, call, _)| call.shared.is_none() || !open.contains(&shared(call)));
    blocked.iter().map(|(caller, call, policy)| finding(caller, call, *policy)).collect()
}

/// What tells whether two workloads have an address from the same settings.
fn shared(call: &Call<'_>) -> (Option<(String, String)>, ObjectKey, u64) {
    (call.shared.clone(), call.service.object().key(), call.port)
}

fn finding(caller: &Desired, call: &Call<'_>, policy: Found<'_>) -> Finding {
    let (object, service) = (&caller.object, call.service.object());
    let message = format!(
        "{} `{}` calls Service `{}` at {}, which NetworkPolicy `{}` does not let through",
        object.kind(),
        object.name(),
        service.name(),
        call.port,
        policy.object().name()
    );
    RULE.finding(message)
        .because("the connection times out where policies are enforced")
        .at(policy.spot_at("spec"))
        .at(caller.spot_at(&call.field))
}

/// The pods behind a call, and the port there: by number and by name.
fn target<'a>(subject: &Subject<'a>, call: &Call<'a>) -> Option<(End<'a>, Vec<Value>)> {
    let service = call.service.object();
    let selector = service.at("/spec/selector").filter(|it| it.as_object().is_some_and(|map| !map.is_empty()))?;
    let delivered = subject.pods().map(|(_, template)| template);
    let before = subject.before.iter().filter_map(pod_template);
    let template = delivered
        .chain(before)
        .find(|template| template.owner.namespace() == service.namespace() && template.is_selected_by(selector))?;
    let port = service.list_at("/spec/ports").iter().find(|it| it["port"].as_u64() == Some(call.port))?;
    let wanted = port.get("targetPort").filter(|it| !it.is_null()).cloned().unwrap_or_else(|| port["port"].clone());
    let end = End { namespace: service.namespace(), labels: template.labels() };
    Some((end, both_ways(&template, wanted)))
}

/// A port of a pod, with its other way of being named.
fn both_ways(template: &PodTemplate<'_>, wanted: Value) -> Vec<Value> {
    let mut ports = vec![wanted.clone()];
    for container in template.containers() {
        for (number, name) in container.ports() {
            if wanted.as_u64() == Some(number) && !name.is_empty() {
                ports.push(Value::from(name));
            } else if wanted.as_str() == Some(name) {
                ports.push(Value::from(number));
            }
        }
    }
    ports
}

/// The policy that closes one end of a connection, when any does.
fn closed<'a>(
    subject: &Subject<'a>,
    policies: &[Found<'a>],
    direction: &str,
    end: End<'_>,
    other: End<'_>,
    ports: &[Value],
) -> Option<Found<'a>> {
    let list = if direction == "Ingress" { "ingress" } else { "egress" };
    let peers = if direction == "Ingress" { "from" } else { "to" };
    let applying: Vec<Found<'a>> = policies
        .iter()
        .copied()
        .filter(|policy| {
            let object = policy.object();
            let types = object.list_at("/spec/policyTypes");
            let is_of = match types {
                [] => direction == "Ingress" || object.at("/spec/egress").is_some(),
                types => types.iter().any(|it| it == direction),
            };
            is_of
                && object.namespace() == end.namespace
                && object.at("/spec/podSelector").is_none_or(|selector| selects(selector, end.labels))
        })
        .collect();
    let opens = |policy: &Found<'a>| {
        let object = policy.object();
        object.list_at(&format!("/spec/{list}")).iter().any(|rule| {
            let to_port =
                rule["ports"].as_array().is_none_or(|all| all.is_empty() || all.iter().any(|it| is_port(it, ports)));
            let to_peer = rule[peers]
                .as_array()
                .is_none_or(|all| all.is_empty() || all.iter().any(|peer| is_peer(subject, object, peer, other)));
            to_port && to_peer
        })
    };
    if applying.iter().any(opens) {
        return None;
    }
    applying.first().copied()
}

fn is_port(declared: &Value, ports: &[Value]) -> bool {
    if declared["protocol"].as_str().is_some_and(|protocol| protocol != "TCP") {
        return false;
    }
    let Some(port) = declared.get("port").filter(|port| !port.is_null()) else { return true };
    let within = port
        .as_u64()
        .zip(declared["endPort"].as_u64())
        .is_some_and(|(from, to)| ports.iter().filter_map(Value::as_u64).any(|port| (from..=to).contains(&port)));
    within || ports.contains(port)
}

fn is_peer(subject: &Subject<'_>, policy: &Object, peer: &Value, other: End<'_>) -> bool {
    // Which addresses pods get is not known here.
    if peer.get("ipBlock").is_some_and(|block| !block.is_null()) {
        return true;
    }
    let present = |field: &str| peer.get(field).filter(|selector| !selector.is_null());
    let in_namespace = match present("namespaceSelector") {
        None => policy.namespace() == other.namespace,
        Some(selector) => other.namespace.is_some_and(|namespace| {
            let found = subject.find("", "Namespace", None, namespace);
            let mut labels = found.and_then(|it| it.object().labels()).cloned().unwrap_or_default();
            labels.insert("kubernetes.io/metadata.name".to_owned(), Value::from(namespace));
            selects(selector, Some(&labels))
        }),
    };
    in_namespace && present("podSelector").is_none_or(|selector| selects(selector, other.labels))
}
