use std::collections::BTreeMap;

use landfall_diag::{Finding, Severity};
use landfall_object::{Object, Quantity};
use serde_json::Value;

use crate::demand::demand;
use crate::pods::{ContainerRole, PodTemplate, pod_template};
use crate::rule::Rule;
use crate::subject::{Desired, Found, Known, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF127",
    title: "what is asked for fits the nodes and the quotas",
    severity: Severity::Warning,
    why: "Pods that ask for more than the nodes have stay Pending, and which ones is decided by the order of their \
          creation. A quota refuses them without a word in the workload; limits far above the memory there is end in \
          processes killed at the worst hour.",
    advice: "Lower the requests, run fewer replicas, or add nodes before the change.",
    check,
};

/// Thousandths of a core, or bytes.
type Amount = i64;

/// The two resources that are counted.
const RESOURCES: [&str; 2] = ["cpu", "memory"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let nodes: Vec<&Object> =
        subject.before.of_kind("", "Node").filter(|node| node.bool_at("/spec/unschedulable") != Some(true)).collect();
    // The nodes of a simulated cluster are nobody's, unless somebody has said what they are.
    if [subject.cluster.known, subject.cluster.nodes].contains(&Known::Live) && !nodes.is_empty() {
        findings.extend(nodes_hold(subject, &nodes));
    } else {
        findings.extend(assumed(subject));
    }
    for quota in subject.after("", "ResourceQuota") {
        findings.extend(quota_holds(subject, quota, nodes.len()));
    }
    findings
}

/// What is asked for where nobody has said what there is.
fn assumed(subject: &Subject<'_>) -> Option<Finding> {
    let demand = demand(subject.objects().filter(|it| it.role == Role::Manifest).map(|it| &it.object));
    if demand.is_modest() {
        return None;
    }
    let nodes = match demand.nodes {
        0 | 1 => String::new(),
        count => format!(", on {count} nodes or more"),
    };
    let asked = format!("{} and {}", shown(demand.cpu, "cpu"), shown(demand.memory, "memory"));
    Some(
        RULE.finding(format!("{} pods ask for {asked} in all{nodes}; nodes that hold them were assumed", demand.pods))
            .keyed("assumed")
            .weighing(Severity::Info)
            .because("on smaller nodes some of them stay Pending")
            .help("say what there is (`--node 4,8Gi`, once for each node), or rehearse with `--from live`"),
    )
}

/// A workload that there will be after the change.
struct Workload<'a> {
    desired: Option<&'a Desired>,
    template: PodTemplate<'a>,
    pods: i64,
}

fn workloads<'a>(subject: &Subject<'a>, nodes: usize) -> Vec<Workload<'a>> {
    let delivered = subject.pods().filter(|(desired, _)| desired.role == Role::Manifest);
    let delivered = delivered.map(|(desired, template)| (Some(desired), template));
    let is_delivered = |it: &Object| subject.desired(it.group(), it.kind(), it.namespace(), it.name()).is_some();
    let others = subject.before.iter().filter(|it| it.controller().is_none()).filter_map(pod_template);
    let others =
        others.filter(|it| !is_delivered(it.owner) && !subject.goes(it.owner)).map(|template| (None, template));
    delivered
        .chain(others)
        .map(|(desired, template)| Workload { desired, template, pods: pods(subject, template.owner, nodes) })
        .collect()
}

/// How many pods a workload keeps running.
fn pods(subject: &Subject<'_>, owner: &Object, nodes: usize) -> i64 {
    match owner.kind() {
        "DaemonSet" => i64::try_from(nodes).unwrap_or(i64::MAX),
        "CronJob" => 0,
        "Job" => i64::from(owner.condition("Complete").is_none() && owner.condition("Failed").is_none()),
        "Pod" => i64::from(!matches!(owner.str_at("/status/phase"), Some("Succeeded" | "Failed"))),
        _ => owner.i64_at("/spec/replicas").unwrap_or_else(|| {
            let scaler = subject.after("autoscaling", "HorizontalPodAutoscaler").find(|found| {
                let target = found.object().at("/spec/scaleTargetRef");
                let is = |field: &str, wanted: &str| target.is_some_and(|target| target[field] == wanted);
                found.object().namespace() == owner.namespace() && is("kind", owner.kind()) && is("name", owner.name())
            });
            scaler.and_then(|found| found.object().i64_at("/spec/minReplicas")).unwrap_or(1)
        }),
    }
}

fn nodes_hold(subject: &Subject<'_>, nodes: &[&Object]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let workloads = workloads(subject, nodes.len());
    for resource in RESOURCES {
        let room: Vec<Amount> =
            nodes.iter().map(|node| amount(node.at("/status/allocatable").map(|it| &it[resource]), resource)).collect();
        let (all, largest) = (total(room.iter().copied()), room.iter().copied().max().unwrap_or(0));
        if all == 0 {
            continue;
        }
        for workload in workloads.iter().filter(|workload| workload.pods > 0) {
            let Some(desired) = workload.desired else { continue };
            let asked = pod_amount(&workload.template, "requests", resource);
            if asked > largest {
                let (kind, name) = (desired.object.kind(), desired.object.name());
                let (asked, largest) = (shown(asked, resource), shown(largest, resource));
                findings.push(
                    RULE.finding(format!(
                        "a pod of {kind} `{name}` asks for {asked} of {resource}; no node has more than {largest}"
                    ))
                    .weighing(Severity::Error)
                    .because("it stays Pending for ever")
                    .at(desired.spot_at(workload.template.path)),
                );
            }
        }
        let sum = |what: &str| {
            total(workloads.iter().map(|it| pod_amount(&it.template, what, resource).saturating_mul(it.pods)))
        };
        let heaviest = workloads
            .iter()
            .filter_map(|it| Some((it.desired?, it)))
            .max_by_key(|(_, it)| pod_amount(&it.template, "requests", resource).saturating_mul(it.pods));
        let Some((heaviest, workload)) = heaviest else { continue };
        let (requests, limits) = (sum("requests"), sum("limits"));
        let finding = if requests > all {
            RULE.finding(format!(
                "{} of {resource} is asked for; the nodes have {}",
                shown(requests, resource),
                shown(all, resource)
            ))
            .because("some pods stay Pending: whichever are created last")
        } else if resource == "memory" && limits > all {
            RULE.finding(format!(
                "limits allow {} of memory; the nodes have {}",
                shown(limits, resource),
                shown(all, resource)
            ))
            .weighing(Severity::Info)
            .because("when all use what they may, processes are killed")
        } else {
            continue;
        };
        findings.push(finding.keyed(resource).at(heaviest.spot_at(workload.template.path)));
    }
    findings
}

fn quota_holds(subject: &Subject<'_>, quota: Found<'_>, nodes: usize) -> Vec<Finding> {
    let object = quota.object();
    // Quotas that count certain pods only are not followed here.
    let scoped = object.at("/spec/scopes").is_some() || object.at("/spec/scopeSelector").is_some();
    let Some(hard) = object.at("/spec/hard").and_then(Value::as_object).filter(|_| !scoped) else { return Vec::new() };
    let workloads: Vec<Workload<'_>> = workloads(subject, nodes)
        .into_iter()
        .filter(|it| it.template.owner.namespace() == object.namespace() && it.pods > 0)
        .collect();
    let mut findings = Vec::new();
    for (name, limit) in hard {
        let (what, resource) = match name.as_str() {
            "cpu" | "memory" => ("requests", name.as_str()),
            "pods" => ("pods", "pods"),
            _ => match name.split_once('.') {
                Some((what @ ("requests" | "limits"), resource)) if RESOURCES.contains(&resource) => (what, resource),
                _ => continue,
            },
        };
        let allowed = amount(Some(limit), resource);
        let of = |it: &Workload<'_>| match what {
            "pods" => it.pods,
            _ => pod_amount(&it.template, what, resource).saturating_mul(it.pods),
        };
        let sum = total(workloads.iter().map(of));
        let Some((heaviest, workload)) =
            workloads.iter().filter_map(|it| Some((it.desired?, it))).max_by_key(|(_, it)| of(it))
        else {
            continue;
        };
        if sum > allowed {
            let (sum, allowed) = (shown(sum, resource), shown(allowed, resource));
            findings.push(
                RULE.finding(format!(
                    "ResourceQuota `{}` allows {allowed} of {name}; {sum} is asked for",
                    object.name()
                ))
                .weighing(Severity::Error)
                .because("pods above the quota are refused, and the rollout waits for them until its deadline")
                .at(heaviest.spot_at(workload.template.path))
                .at(quota.spot_at(&format!("spec.hard[{name}]"))),
            );
        }
        if what != "pods" && !has_defaults(subject, object.namespace()) {
            findings.extend(undeclared(&workloads, object.name(), what, resource));
        }
    }
    findings
}

/// Containers that a quota refuses because they do not say what they need.
fn undeclared(workloads: &[Workload<'_>], quota: &str, what: &str, resource: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for workload in workloads {
        let Some(desired) = workload.desired else { continue };
        for container in workload.template.containers() {
            if declared(container.value, what, resource).is_none() {
                findings.push(
                    RULE.finding(format!(
                        "container `{}` declares no {what} of {resource}, which ResourceQuota `{quota}` demands",
                        container.name
                    ))
                    .weighing(Severity::Error)
                    .because("the API refuses every pod of it")
                    .help(format!("set resources.{what}.{resource}, or a LimitRange with defaults"))
                    .at(desired.spot_at(&format!("{}.resources", container.path))),
                );
            }
        }
    }
    findings
}

fn has_defaults(subject: &Subject<'_>, namespace: Option<&str>) -> bool {
    subject.after("", "LimitRange").any(|range| {
        let object = range.object();
        object.namespace() == namespace
            && object.list_at("/spec/limits").iter().any(|limit| limit["type"] == "Container")
    })
}

/// What a container declares; a limit is a request too.
fn declared<'a>(container: &'a Value, what: &str, resource: &str) -> Option<&'a Value> {
    let resources = &container["resources"];
    let at = |what: &str| resources.get(what).and_then(|map| map.get(resource)).filter(|value| !value.is_null());
    at(what).or_else(|| if what == "requests" { at("limits") } else { None })
}

/// What the scheduler counts for one pod: all that run together, or the largest that runs before them.
fn pod_amount(template: &PodTemplate<'_>, what: &str, resource: &str) -> Amount {
    let mut by_role: BTreeMap<bool, Vec<Amount>> = BTreeMap::new();
    for container in template.containers() {
        let amount = amount(declared(container.value, what, resource), resource);
        by_role.entry(container.role == ContainerRole::Init).or_default().push(amount);
    }
    let together = total(by_role.remove(&false).into_iter().flatten());
    let first = by_role.remove(&true).into_iter().flatten().max().unwrap_or(0);
    together.max(first).saturating_add(amount(template.spec.get("overhead").map(|it| &it[resource]), resource))
}

fn amount(value: Option<&Value>, resource: &str) -> Amount {
    let Some(quantity) = value.filter(|it| !it.is_null()).and_then(|value| Quantity::from_json(value).ok()) else {
        return 0;
    };
    if resource == "cpu" { quantity.millis() } else { quantity.units() }
}

fn total(amounts: impl Iterator<Item = Amount>) -> Amount {
    amounts.fold(0, Amount::saturating_add)
}

fn shown(amount: Amount, resource: &str) -> String {
    match resource {
        "cpu" if amount % 1000 == 0 => format!("{} cores", amount / 1000),
        "cpu" => format!("{amount}m"),
        "memory" => format!("{} MiB", amount.div_euclid(1024 * 1024)),
        _ => amount.to_string(),
    }
}
