mod taken;
mod unattached;

use std::collections::{HashMap, HashSet};

use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use landfall_object::references::{Need, Reference, provides, references};
use serde_json::Value;

use crate::calls::{Call, calls_of};
use crate::operated::may_run_pods;
use crate::pods::{ContainerRole, PodTemplate, pod_template, selects};
use crate::rule::Rule;
use crate::subject::{Desired, Found, Known, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF105",
    title: "every route leads to a Service, its port, and a pod",
    severity: Severity::Error,
    why: "A route whose Service or port does not exist answers 404 or 503 from the first minute, and a Service that \
          selects no pod has no endpoints. All three render and lint clean.",
    advice: "Correct the name, the port or the selector, so that host, path, Service, port and pod make one chain.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in subject.objects() {
        for reference in references(&desired.object) {
            if reference.kind != "Service" || !reference.group.is_empty() || reference.need == Need::Optional {
                continue;
            }
            let found = subject.find("", "Service", reference.namespace.as_deref(), &reference.name);
            if found.is_none() && is_made(subject, &reference) {
                continue;
            }
            let finding =
                backend(subject, desired, &reference, found).map(|finding| match is_ignored(desired, &reference) {
                    true => finding
                        .weighing(Severity::Warning)
                        .because("the API server asks in vain, and goes on: `failurePolicy` is `Ignore`"),
                    false => finding,
                });
            findings.extend(finding.map(|finding| finding.at(desired.spot_at(&reference.path))));
        }
    }
    findings.extend(unattached::unattached(subject, &RULE));
    let workloads: Vec<(&Desired, PodTemplate<'_>)> = subject.pods().collect();
    let delivered = workloads.iter().map(|(_, template)| *template);
    let mut pods: HashMap<Option<&str>, Vec<PodTemplate<'_>>> = HashMap::new();
    for template in delivered.chain(subject.before.iter().filter_map(pod_template)) {
        pods.entry(template.owner.namespace()).or_default().push(template);
    }
    let operated = subject.objects().filter(|it| may_run_pods(it.object.group()));
    let around = Around { operated: operated.map(|it| it.unit.as_str()).collect(), workloads };
    for service in subject.of_kind("", "Service") {
        let beside = pods.get(&service.object.namespace()).map(Vec::as_slice).unwrap_or_default();
        findings.extend(endpoints(subject, service, beside, &around));
        findings.extend(jobs(service, beside));
        findings.extend(other_part(service, beside));
    }
    findings
}

/// What is delivered around the Services.
struct Around<'a> {
    /// The units that hold resources of somebody's own kinds, whose operator may make pods.
    operated: HashSet<&'a str>,
    /// The workloads and pods, with their templates.
    workloads: Vec<(&'a Desired, PodTemplate<'a>)>,
}

/// Whether a webhook refers, without whose answer the API server goes on.
fn is_ignored(desired: &Desired, reference: &Reference) -> bool {
    let index = reference.path.strip_prefix("webhooks[").and_then(|rest| rest.split(']').next());
    index.is_some_and(|index| desired.object.str_at(&format!("/webhooks/{index}/failurePolicy")) == Some("Ignore"))
}

/// Whether an operator makes the Service for something that is delivered.
fn is_made(subject: &Subject<'_>, reference: &Reference) -> bool {
    subject
        .objects()
        .flat_map(|desired| provides(&desired.object))
        .any(|made| made.kind == "Service" && made.name == reference.name && made.namespace == reference.namespace)
        || subject.objects().any(|desired| is_named_for(desired, reference))
}

/// Whether a custom resource stands beside it whose name the Service's begins with: operators name what they make so.
fn is_named_for(desired: &Desired, reference: &Reference) -> bool {
    let object = &desired.object;
    let rest = reference.name.strip_prefix(object.name());
    may_run_pods(object.group())
        && object.namespace() == reference.namespace.as_deref()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// What is wrong with a Service that something points to.
fn backend(
    subject: &Subject<'_>,
    desired: &Desired,
    reference: &Reference,
    found: Option<Found<'_>>,
) -> Option<Finding> {
    let name = &reference.name;
    let place =
        reference.namespace.as_deref().map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default();
    let Some(found) = found else {
        // A StatefulSet runs without its Service; only the names of its pods do not resolve.
        let headless = reference.path == "spec.serviceName";
        let (severity, because) = match headless {
            true => (Severity::Warning, "the pods start, but their host names do not resolve"),
            false if is_anothers(subject, reference) => {
                (Severity::Warning, "nothing answers on this route, unless another release brings the Service")
            }
            false if desired.object.kind() == "Ingress" => {
                (Severity::Error, "whoever comes through this ingress is answered with an error")
            }
            false => (Severity::Error, "nothing answers on this route"),
        };
        let finding = RULE
            .finding(format!("Service `{name}`{place} is neither delivered nor on the cluster"))
            .weighing(severity)
            .because(because);
        return Some(match meant(subject, reference) {
            Some(help) => finding.help(help),
            None => finding,
        });
    };
    let service = found.object();
    let port = reference.key.as_deref()?;
    if service.str_at("/spec/type") == Some("ExternalName") {
        return None;
    }
    let ports = service.list_at("/spec/ports");
    let known: Vec<String> = ports.iter().flat_map(|it| [named(it), number(&it["port"])]).flatten().collect();
    if known.iter().any(|it| it == port) {
        return None;
    }
    Some(
        RULE.finding(format!("Service `{name}`{place} has no port `{port}`"))
            .because("the route has no backend and answers with an error")
            .help(format!("use one of its ports: {}", known.join(", "))),
    )
}

/// Whether a Service may be another release's: neither what is delivered nor its base has anything in that namespace that answers, and
/// nobody has looked what the cluster has.
fn is_anothers(subject: &Subject<'_>, reference: &Reference) -> bool {
    let answers = |object: &Object| {
        object.namespace() == reference.namespace.as_deref()
            && (object.kind() == "Service" && object.group().is_empty()
                || pod_template(object).is_some()
                || may_run_pods(object.group()))
    };
    subject.cluster.known == Known::Assumed
        && !subject.objects().any(|it| answers(&it.object))
        && !subject.before.iter().any(answers)
}

/// The one Service in the place of one that is missing that has its port, and its name with something in front or
/// behind; or the only one that has such a name.
fn meant(subject: &Subject<'_>, reference: &Reference) -> Option<String> {
    let wanted = reference.name.as_str();
    let is_longer = |one: &str, other: &str| {
        one.strip_prefix(other).is_some_and(|rest| rest.starts_with('-'))
            || one.strip_suffix(other).is_some_and(|rest| rest.ends_with('-'))
    };
    let has_port = |service: &Object, port: &str| {
        let mut ports = service.list_at("/spec/ports").iter().flat_map(|it| [named(it), number(&it["port"])]);
        ports.any(|it| it.as_deref() == Some(port))
    };
    let near: Vec<&Object> = subject
        .of_kind("", "Service")
        .map(|it| &it.object)
        .filter(|it| it.namespace() == reference.namespace.as_deref())
        .filter(|it| is_longer(it.name(), wanted) || is_longer(wanted, it.name()))
        .collect();
    let with_port: Vec<&Object> =
        near.iter().copied().filter(|it| reference.key.as_deref().is_some_and(|port| has_port(it, port))).collect();
    match (with_port.as_slice(), near.as_slice()) {
        ([one], _) => {
            let port = reference.key.as_deref().unwrap_or_default();
            Some(format!("did you mean `{}`, which has the port `{port}`?", one.name()))
        }
        ([], [one]) => Some(format!("did you mean `{}`?", one.name())),
        _ => None,
    }
}

/// What is wrong with a Service that is delivered: it selects none of the pods beside it, or a port name that no pod has.
fn endpoints(
    subject: &Subject<'_>,
    service: &Desired,
    beside: &[PodTemplate<'_>],
    around: &Around<'_>,
) -> Vec<Finding> {
    let object = &service.object;
    let Some(selector) = object.at("/spec/selector").filter(|it| it.as_object().is_some_and(|map| !map.is_empty()))
    else {
        return Vec::new();
    };
    let selector = lasting(selector);
    let selected: Vec<&PodTemplate<'_>> =
        beside.iter().filter(|template| selects(&selector, template.labels())).collect();
    let name = object.name();
    if selected.is_empty() {
        // Pods that an operator makes of its own resources are not seen here.
        let lost = taken::lost(subject, service);
        return if lost.is_none() && (around.operated.contains(&*service.unit) || is_clusters_own(subject, object)) {
            Vec::new()
        } else {
            // Pods may come from elsewhere; where one stands beside it that nobody selects, the selector is wrong.
            let severity = match is_meant(subject, service, around) {
                true => Severity::Error,
                false if lost.is_some() => Severity::Error,
                // Of another release's pods nothing is known here.
                false if subject.cluster.known == Known::Assumed && is_of_another(service, around) => Severity::Info,
                false => Severity::Warning,
            };
            vec![
                RULE.finding(format!("Service `{name}` selects no pod"))
                    .weighing(severity)
                    .because("it has no endpoints, so whatever calls it is refused")
                    .help("make spec.selector equal to labels of the pod template that should answer")
                    .at(service.spot_at("spec.selector")),
            ]
        };
    }
    let mut findings: Vec<Finding> = taken::otherwise(subject, service, &selected).into_iter().collect();
    // The name of a headless Service leads to the pods themselves, whatever its ports say.
    if object.str_at("/spec/clusterIP") == Some("None") {
        return findings;
    }
    for (index, port) in object.list_at("/spec/ports").iter().enumerate() {
        let Some(wanted) = port["targetPort"].as_str().filter(|text| text.parse::<u16>().is_err()) else { continue };
        if selected.iter().any(|template| has_port(template, wanted)) {
            continue;
        }
        let known: Vec<String> = selected.iter().flat_map(|template| port_names(template)).collect();
        let near = landfall_diag::nearest(wanted, known.iter().map(String::as_str));
        // One port of several may belong to something that is switched off (TLS, metrics): nobody knocks there.
        let answers = |other: &Value| match other["targetPort"].as_str() {
            Some(name) if name.parse::<u16>().is_err() => selected.iter().any(|template| has_port(template, name)),
            _ => true,
        };
        let is_spare =
            near.is_none() && object.list_at("/spec/ports").iter().any(answers) && !is_wanted(subject, service, port);
        let severity = if is_spare { Severity::Warning } else { Severity::Error };
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "name the container's port, or give its number".to_owned(),
            None => format!("the pods' ports are called {}", known.join(", ")),
        };
        findings.push(
            RULE.finding(format!("no pod of Service `{name}` has a port called `{wanted}`"))
                .weighing(severity)
                .because("the Service has endpoints without this port, so connections to it are refused")
                .help(help)
                .at(service.spot_at(&format!("spec.ports[{index}].targetPort"))),
        );
    }
    findings
}

/// Pods of jobs that a Service takes for its servers: they have its labels and answer on none of its ports.
fn jobs(service: &Desired, beside: &[PodTemplate<'_>]) -> Vec<Finding> {
    let object = &service.object;
    let selector = object.at("/spec/selector").filter(|it| it.as_object().is_some_and(|map| !map.is_empty()));
    let Some(selector) = selector.filter(|_| object.str_at("/spec/clusterIP") != Some("None")) else {
        return Vec::new();
    };
    let is_job = |template: &PodTemplate<'_>| matches!(template.owner.kind(), "Job" | "CronJob");
    let (jobs, servers): (Vec<_>, Vec<_>) =
        beside.iter().filter(|template| selects(selector, template.labels())).partition(|template| is_job(template));
    let opens = |template: &PodTemplate<'_>| {
        let containers = template.containers().into_iter();
        containers.filter(|it| it.role != ContainerRole::Init).any(|it| it.ports().next().is_some())
    };
    if servers.is_empty() {
        return Vec::new();
    }
    jobs.into_iter()
        .filter(|job| !opens(job))
        .map(|job| {
            let (kind, name) = (job.owner.kind(), job.owner.name());
            RULE.finding(format!("Service `{}` takes the pods of {kind} `{name}` for its servers", object.name()))
                .weighing(Severity::Warning)
                .because("as long as one of them runs it is sent requests, and opens no port to answer on")
                .help("select by a label that only the servers' pods have")
                .at(service.spot_at("spec.selector"))
        })
        .collect()
}

/// The label that says which part of an application an object is.
const COMPONENT: &str = "app.kubernetes.io/component";

/// A Service of one part that leads to the pods of another one, while its own stand beside it.
fn other_part(service: &Desired, beside: &[PodTemplate<'_>]) -> Option<Finding> {
    let object = &service.object;
    let selector = object.at("/spec/selector")?;
    let (own, selected) = (object.label(COMPONENT)?, selector[COMPONENT].as_str()?);
    let mut meant = selector.clone();
    meant[COMPONENT] = own.into();
    let mut pods = beside.iter().filter(|template| !matches!(template.owner.kind(), "Job" | "CronJob"));
    (own != selected && pods.any(|template| selects(&meant, template.labels()))).then(|| {
        RULE.finding(format!("Service `{}` is of `{own}` and leads to the pods of `{selected}`", object.name()))
            .weighing(Severity::Warning)
            .because(format!("there are pods of `{own}`, and none of them is asked"))
            .help("select the component that the Service's own label names")
            .at(service.spot_at(&format!("spec.selector[{COMPONENT}]")))
    })
}

/// Whether a route leads to a port of a Service, or an address that is written down in the delivery.
fn is_wanted(subject: &Subject<'_>, service: &Desired, port: &Value) -> bool {
    let own = service.key();
    let routed = subject.objects().flat_map(|desired| references(&desired.object)).any(|reference| {
        let leads_here = reference.kind == "Service"
            && reference.name == own.name
            && reference.namespace.as_deref() == own.namespace.as_deref();
        let key = reference.key.as_deref();
        leads_here && key.is_some() && [named(port), number(&port["port"])].iter().any(|it| it.as_deref() == key)
    });
    let is_called = |call: Call<'_>| call.service.object().key() == own && Some(call.port) == port["port"].as_u64();
    routed || subject.pods().any(|(desired, template)| calls_of(subject, desired, &template).into_iter().any(is_called))
}

/// Labels that pods are given while they run.
const RUNNING: &[&str] = &[
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "controller-revision-hash",
    "pod-template-hash",
    "vault-active",
    "vault-initialized",
    "vault-sealed",
    "vault-perf-standby",
    "openbao-active",
    "openbao-sealed",
];

/// A selector without the labels that pods are given while they run; who leads is decided among them.
fn lasting(selector: &Value) -> Value {
    let mut selector = selector.clone();
    if let Some(map) = selector.as_object_mut() {
        map.retain(|label, value| !RUNNING.contains(&label.as_str()) && !is_role(label, value));
    }
    selector
}

/// What tells the pods of one server apart once they have agreed on who leads: `role: master`, `spilo-role: replica`.
fn is_role(label: &str, value: &Value) -> bool {
    const ROLES: &[&str] = &["leader", "master", "primary", "replica", "standby", "slave", "secondary", "follower"];
    let last = label.rsplit(['/', '-', '.', '_']).next().unwrap_or(label);
    value.as_str().is_some_and(|value| ROLES.contains(&value)) || last == "role" || last.ends_with("Role")
}

/// Whether a workload of the Service's unit bears the labels that it selects by, with other values, and no Service
/// selects it.
fn is_meant(subject: &Subject<'_>, service: &Desired, around: &Around<'_>) -> bool {
    let object = &service.object;
    let services = || subject.of_kind("", "Service").filter(|it| it.object.namespace() == object.namespace());
    let labels = object.at("/spec/selector").and_then(Value::as_object);
    around.workloads.iter().any(|(desired, template)| {
        desired.unit == service.unit
            && desired.object.namespace() == object.namespace()
            && labels
                .is_some_and(|labels| labels.keys().all(|it| template.labels().is_some_and(|of| of.contains_key(it))))
            && is_akin(service, desired, template)
            && !services().any(|other| {
                other.object.at("/spec/selector").is_some_and(|selector| selects(selector, template.labels()))
            })
    })
}

/// Whether a workload's pods have anything to do with what a Service selects: a label alike or nearly so, or the name.
fn is_akin(service: &Desired, workload: &Desired, template: &PodTemplate<'_>) -> bool {
    let labels = service.object.at("/spec/selector").and_then(Value::as_object).into_iter().flatten();
    let bears = |label: &str| template.labels().and_then(|of| of.get(label)?.as_str());
    let mut near = labels.filter_map(|(label, value)| Some((value.as_str()?, bears(label)?)));
    near.any(|(wanted, borne)| wanted == borne || landfall_diag::slip(wanted, [borne]).is_some())
        || service.object.name() == workload.object.name()
}

/// Whether nothing of the Service's own unit has anything to do with what it selects.
fn is_of_another(service: &Desired, around: &Around<'_>) -> bool {
    let mut own = around.workloads.iter().filter(|(desired, _)| desired.unit == service.unit);
    own.all(|(desired, template)| !is_akin(service, desired, template))
}

/// Whether it stands where a cluster has pods of its own, which have not been read.
fn is_clusters_own(subject: &Subject<'_>, service: &Object) -> bool {
    subject.cluster.known == Known::Assumed && service.namespace() == Some("kube-system")
}

fn ports<'a>(template: &PodTemplate<'a>) -> impl Iterator<Item = &'a str> {
    let containers = template.containers().into_iter().filter(|it| it.role != ContainerRole::Init);
    containers.flat_map(|container| {
        container.value["ports"].as_array().into_iter().flatten().filter_map(|port| port["name"].as_str())
    })
}

fn has_port(template: &PodTemplate<'_>, wanted: &str) -> bool {
    ports(template).any(|name| name == wanted)
}

fn port_names(template: &PodTemplate<'_>) -> Vec<String> {
    ports(template).map(str::to_owned).collect()
}

fn named(port: &Value) -> Option<String> {
    port["name"].as_str().map(str::to_owned)
}

fn number(value: &Value) -> Option<String> {
    value.as_u64().map(|number| number.to_string())
}
