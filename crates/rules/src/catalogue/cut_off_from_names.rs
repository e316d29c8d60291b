use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};
use serde_json::Value;

use crate::calls::{Host, hosts};
use crate::pods::PodTemplate;
use crate::rule::Rule;
use crate::subject::{Desired, Found, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF197",
    title: "a pod whose way out is closed can still ask for names, and reach whom it is told of",
    severity: Severity::Warning,
    why: "A NetworkPolicy for egress closes every way that it does not name, that to the name server first. Then no name \
          resolves, and each call fails after seconds of waiting, as if the other side were down.",
    advice: "Allow UDP and TCP port 53 to kube-system, and the hosts outside of the cluster by `ipBlock` and port.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let policies: Vec<Found<'_>> =
        subject.after("networking.k8s.io", "NetworkPolicy").filter(|it| closes_egress(*it)).collect();
    if policies.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        let applying: Vec<Found<'_>> = policies.iter().copied().filter(|it| applies(*it, desired, &template)).collect();
        let Some(first) = applying.first() else { continue };
        let named: Vec<Host> = hosts(&desired.object, Some(&template)).into_iter().filter(is_name).collect();
        let (kind, name) = (desired.object.kind(), desired.object.name());
        let policy = first.object().name();
        let Some(host) = named.first() else {
            // Nothing says whom it calls; but what opens a way to somebody, and not by his address, opens it to a name.
            let leads = applying.iter().any(|it| rules(*it).any(|rule| !is_by_address(rule)));
            if leads && !applying.iter().any(|it| rules(*it).any(lets_names_through)) {
                findings.push(
                    RULE.finding(format!("NetworkPolicy `{policy}` keeps {kind} `{name}` from asking for names"))
                        .because("it lets the pods call others, and no rule lets them ask a name server for those")
                        .at(first.spot_at("spec.egress")),
                );
            }
            continue;
        };
        if !applying.iter().any(|it| rules(*it).any(lets_names_through)) {
            findings.push(
                RULE.finding(format!("NetworkPolicy `{policy}` keeps {kind} `{name}` from asking for names"))
                    .because(format!("it calls `{}`, and no rule lets it ask a name server", host.name))
                    .at(first.spot_at("spec.egress"))
                    .at(desired.spot_at(&host.field)),
            );
            continue;
        }
        let mut told = BTreeSet::new();
        for host in named.iter().filter(|host| is_outside(subject, &host.name)) {
            let Some(port) = host.port else { continue };
            let open = applying.iter().any(|it| rules(*it).any(|rule| leads_outside(rule, port)));
            if open || !told.insert((host.name.clone(), port)) {
                continue;
            }
            findings.push(
                RULE.finding(format!(
                    "NetworkPolicy `{policy}` keeps {kind} `{name}` from `{}` at port {port}",
                    host.name
                ))
                .because("it is outside of the cluster, and every rule leads to pods or to other ports")
                .at(first.spot_at("spec.egress"))
                .at(desired.spot_at(&host.field)),
            );
        }
    }
    findings
}

fn closes_egress(policy: Found<'_>) -> bool {
    let object = policy.object();
    match object.list_at("/spec/policyTypes") {
        [] => object.at("/spec/egress").is_some_and(|it| !it.is_null()),
        types => types.iter().any(|it| it == "Egress"),
    }
}

fn applies(policy: Found<'_>, desired: &Desired, template: &PodTemplate<'_>) -> bool {
    let object = policy.object();
    object.namespace() == desired.object.namespace()
        && object.at("/spec/podSelector").is_none_or(|selector| template.is_selected_by(selector))
}

fn rules<'a>(policy: Found<'a>) -> impl Iterator<Item = &'a Value> {
    policy.object().list_at("/spec/egress").iter()
}

/// Whether a rule leads to addresses alone.
fn is_by_address(rule: &Value) -> bool {
    let peers = rule["to"].as_array().map(Vec::as_slice).unwrap_or_default();
    !peers.is_empty() && peers.iter().all(|peer| peer.get("ipBlock").is_some_and(|it| !it.is_null()))
}

/// Whether a rule lets a name server be asked, wherever it is; which pods answer there is not known here.
fn lets_names_through(rule: &Value) -> bool {
    let Some(ports) = rule["ports"].as_array().filter(|ports| !ports.is_empty()) else { return true };
    ports.iter().any(|port| match &port["port"] {
        Value::Null => true,
        // Some clusters' name servers listen elsewhere behind their Service.
        Value::Number(number) => {
            let from = number.as_u64().unwrap_or_default();
            let to = port["endPort"].as_u64().unwrap_or(from);
            [53, 5353, 1053, 8053].iter().any(|it| (from..=to).contains(it))
        }
        Value::String(name) => name.contains("dns") || name == "53",
        _ => false,
    })
}

/// Whether a rule leads to addresses outside of the cluster at a port.
fn leads_outside(rule: &Value, port: u64) -> bool {
    let to_port = rule["ports"].as_array().is_none_or(|ports| {
        ports.is_empty()
            || ports.iter().any(|it| match it["port"].as_u64() {
                Some(from) => (from..=it["endPort"].as_u64().unwrap_or(from)).contains(&port),
                // A name is a pod's.
                None => it["port"].is_null(),
            })
    });
    let to_peer = rule["to"].as_array().is_none_or(|peers| {
        peers.is_empty() || peers.iter().any(|peer| peer.get("ipBlock").is_some_and(|it| !it.is_null()))
    });
    to_port && to_peer
}

/// Whether a host is a name, not an address or the pod itself.
fn is_name(host: &Host) -> bool {
    host.name != "localhost" && host.name.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Whether a name leads out of the cluster, as far as it tells: a domain, and none of the cluster's.
fn is_outside(subject: &Subject<'_>, name: &str) -> bool {
    let parts: Vec<&str> = name.trim_end_matches('.').split('.').collect();
    let [first, second, ..] = parts.as_slice() else { return false };
    let is_clusters = parts.contains(&"svc") || parts.last().is_some_and(|it| matches!(*it, "local" | "internal"));
    let is_service = parts.len() == 2 && subject.find("", "Service", Some(second), first).is_some();
    let is_namespace = parts.len() == 2 && subject.objects().any(|it| it.object.namespace() == Some(second));
    !is_clusters && !is_service && !is_namespace
}
