use std::collections::BTreeMap;

use async_recursion::async_recursion as boxed;
use landfall_cluster::{Cluster, ListOptions};
use landfall_diag::{Diagnose, Diagnostic, code, nearest};
use landfall_object::{Gvk, Object};
use serde_json::Value;

use super::{Forward, ForwardWish, Pods, PortPair, TargetPort};

/// Labels that say what a service is for, where its name has a release's name in it.
const NAME_LABELS: [&str; 3] = ["app.kubernetes.io/name", "app.kubernetes.io/component", "app"];

/// Kinds that run pods by a selector.
const WORKLOADS: [(&str, &str); 3] =
    [("deployment", "Deployment"), ("statefulset", "StatefulSet"), ("daemonset", "DaemonSet")];

/// Finds what a wish names: a service of that name, one that is labelled so, a workload, a pod. A forward for each of
/// the ports asked for; for the first there is when none was.
///
/// # Errors
/// When nothing or several things are called so, or a port is not among those that they have.
#[boxed]
pub async fn find_forward(
    cluster: &Cluster,
    namespace: Option<&str>,
    wish: &ForwardWish,
) -> Result<Vec<Forward>, Diagnostic> {
    let (kind, name) = match wish.name.split_once('/') {
        Some((kind, name)) => (Some(singular(kind)), name),
        None => (None, wish.name.as_str()),
    };
    let wants = |word: &str| kind.as_deref().is_none_or(|kind| kind == word);
    let mut known = Vec::new();
    if wants("service") {
        let services = list(cluster, namespace, Gvk::new("", "v1", "Service")).await?;
        if let Some(service) = one_of(&services, name, "service")? {
            return of_service(cluster, service, wish).await;
        }
        known.extend(services.iter().map(|service| service.name().to_owned()));
    }
    for (word, workload) in WORKLOADS {
        if !wants(word) {
            continue;
        }
        let workloads = list(cluster, namespace, Gvk::new("apps", "v1", workload)).await?;
        if let Some(found) = one_of(&workloads, name, word)? {
            let template = found.at("/spec/template").cloned().unwrap_or_default();
            let pods = Pods::Labelled(labels(found.at("/spec/selector/matchLabels")));
            return of_containers(&format!("{word}/{}", found.name()), found, &template, pods, wish);
        }
        known.extend(workloads.iter().map(|workload| workload.name().to_owned()));
    }
    if wants("pod") {
        let pods = list(cluster, namespace, Gvk::new("", "v1", "Pod")).await?;
        if let Some(pod) = pods.iter().find(|pod| pod.name() == name) {
            let pods = Pods::Named(pod.name().to_owned());
            return of_containers(&format!("pod/{name}"), pod, pod.value(), pods, wish);
        }
    }
    known.sort();
    known.dedup();
    let mut diagnostic =
        Diagnostic::error(code::NOTHING_CALLED_SO, format!("nothing called `{}` can be reached here", wish.name));
    if !known.is_empty() {
        diagnostic = diagnostic.note(format!("there are: {}", known.join(", ")));
    }
    diagnostic = diagnostic.did_you_mean(nearest(name, known.iter().map(String::as_str)));
    Err(diagnostic)
}

async fn list(cluster: &Cluster, namespace: Option<&str>, gvk: Gvk) -> Result<Vec<Object>, Diagnostic> {
    let options = ListOptions { namespace: namespace.map(str::to_owned), ..ListOptions::default() };
    cluster.list(&gvk, &options).await.map_err(|error| error.diagnose())
}

fn singular(kind: &str) -> String {
    match kind.to_lowercase().as_str() {
        "svc" | "services" => "service",
        "deploy" | "deployments" => "deployment",
        "sts" | "statefulsets" => "statefulset",
        "ds" | "daemonsets" => "daemonset",
        "po" | "pods" => "pod",
        other => return other.to_owned(),
    }
    .to_owned()
}

/// The one object of a name; else the one that is labelled with it, or whose name ends with it behind a release's.
fn one_of<'o>(objects: &'o [Object], name: &str, kind: &str) -> Result<Option<&'o Object>, Diagnostic> {
    let labelled = |object: &Object| {
        NAME_LABELS
            .iter()
            .any(|label| object.labels().is_some_and(|labels| labels.get(*label).is_some_and(|it| it == name)))
    };
    let ways: [&dyn Fn(&Object) -> bool; 3] = [
        &|object| object.name() == name,
        &|object| object.name().strip_suffix(name).is_some_and(|before| before.ends_with('-')),
        &labelled,
    ];
    for way in ways {
        let found: Vec<&Object> = objects.iter().filter(|object| way(object) && can_be_reached(object)).collect();
        match found.as_slice() {
            [] => {}
            [one] => return Ok(Some(one)),
            several => {
                let names: Vec<String> = several
                    .iter()
                    .map(|object| format!("{}/{}", object.namespace().unwrap_or_default(), object.name()))
                    .collect();
                return Err(Diagnostic::error(code::WHICH_OF_THEM, format!("`{name}` is the name of several {kind}s"))
                    .note(format!("there are: {}", names.join(", ")))
                    .help("say which: the whole name, and -n NAMESPACE"));
            }
        }
    }
    Ok(None)
}

/// A service without pods of its own leads nowhere; a headless one beside one with an address is the same thing twice.
fn can_be_reached(object: &Object) -> bool {
    object.kind() != "Service"
        || object.at("/spec/selector").and_then(Value::as_object).is_some_and(|selector| !selector.is_empty())
}

fn labels(value: Option<&Value>) -> BTreeMap<String, String> {
    let labels = value.and_then(Value::as_object).into_iter().flatten();
    labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

async fn of_service(cluster: &Cluster, service: &Object, wish: &ForwardWish) -> Result<Vec<Forward>, Diagnostic> {
    let what = format!("service/{}", service.name());
    let namespace = service.namespace().unwrap_or("default").to_owned();
    let ports = service.list_at("/spec/ports");
    let tcp: Vec<&Value> = ports.iter().filter(|port| port["protocol"] != "UDP").collect();
    let selector = labels(service.at("/spec/selector"));
    let forward = |local: Option<u16>, port: &Value| {
        let number = u16::try_from(port["port"].as_u64().unwrap_or_default()).unwrap_or_default();
        let target = match &port["targetPort"] {
            Value::Number(target) => {
                TargetPort::Number(target.as_u64().and_then(|it| it.try_into().ok()).unwrap_or(number))
            }
            Value::String(target) => match target.parse() {
                Ok(target) => TargetPort::Number(target),
                Err(_) => TargetPort::Named(target.clone()),
            },
            _ => TargetPort::Number(number),
        };
        let pods = Pods::Labelled(selector.clone());
        Forward { what: what.clone(), namespace: namespace.clone(), local, remote: number, pods, port: target }
    };
    if wish.ports.is_empty() {
        let first = tcp.first().ok_or_else(|| no_port(&what, "a port", &[]))?;
        return Ok(vec![forward(None, first)]);
    }
    let mut forwards = Vec::new();
    for pair in &wish.ports {
        let named = tcp.iter().find(|port| {
            port["name"] == pair.remote.as_str()
                || port["port"].as_u64().map(|it| it.to_string()) == Some(pair.remote.clone())
        });
        let named = named.or_else(|| {
            tcp.iter().find(|port| port["targetPort"].as_u64().map(|it| it.to_string()).as_ref() == Some(&pair.remote))
        });
        if let Some(port) = named {
            forwards.push(forward(pair.local, port));
            continue;
        }
        // As people know a program by its own port rather than its service's: the container's number or name.
        let pods = Pods::Labelled(selector.clone());
        let all = list(cluster, Some(&namespace), Gvk::new("", "v1", "Pod")).await?;
        let behind = all.iter().find(|pod| matches(pod, &selector) && declares(pod.value(), &pair.remote));
        match behind.map(|pod| of_containers(&what, service, pod.value(), pods, &one_port(wish, pair))) {
            Some(Ok(found)) => forwards.extend(found),
            _ => {
                let known: Vec<String> = tcp.iter().map(|port| shown(port, "port")).collect();
                return Err(no_port(&what, &pair.remote, &known));
            }
        }
    }
    Ok(forwards)
}

/// Whether one of a pod's containers declares a port of this number or name. Behind a service no other is taken: nobody
/// said that it leads there.
fn declares(template: &Value, port: &str) -> bool {
    let containers = template.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    containers.flat_map(|container| container["ports"].as_array().into_iter().flatten()).any(|declared| {
        declared["name"] == port || declared["containerPort"].as_u64().is_some_and(|it| it.to_string() == port)
    })
}

fn one_port(wish: &ForwardWish, pair: &PortPair) -> ForwardWish {
    ForwardWish { name: wish.name.clone(), ports: vec![pair.clone()] }
}

/// Whether a pod has all labels of a selector; an empty one selects nothing.
pub(super) fn matches(pod: &Object, selector: &BTreeMap<String, String>) -> bool {
    let labels = labels(pod.at("/metadata/labels"));
    !selector.is_empty() && selector.iter().all(|(name, value)| labels.get(name) == Some(value))
}

/// The ports that containers declare; a number that none of them does is taken at its word, because declaring is
/// only for people.
fn of_containers(
    what: &str,
    object: &Object,
    template: &Value,
    pods: Pods,
    wish: &ForwardWish,
) -> Result<Vec<Forward>, Diagnostic> {
    let containers = template.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    let declared: Vec<&Value> =
        containers.flat_map(|container| container["ports"].as_array().into_iter().flatten()).collect();
    let number = |port: &Value| port["containerPort"].as_u64().and_then(|it| u16::try_from(it).ok());
    let known: Vec<String> = declared.iter().map(|port| shown(port, "containerPort")).collect();
    let forward = |local, remote| Forward {
        what: what.to_owned(),
        namespace: object.namespace().unwrap_or("default").to_owned(),
        local,
        remote,
        pods: pods.clone(),
        port: TargetPort::Number(remote),
    };
    if wish.ports.is_empty() {
        let first = declared.iter().find_map(|port| number(port)).ok_or_else(|| no_port(what, "a port", &known))?;
        return Ok(vec![forward(None, first)]);
    }
    let mut forwards = Vec::new();
    for pair in &wish.ports {
        let named = declared.iter().find(|port| port["name"] == pair.remote.as_str()).and_then(|port| number(port));
        let remote = named.or_else(|| pair.remote.parse().ok()).ok_or_else(|| no_port(what, &pair.remote, &known))?;
        forwards.push(forward(pair.local, remote));
    }
    Ok(forwards)
}

fn shown(port: &Value, field: &str) -> String {
    let number = port[field].to_string();
    match port["name"].as_str() {
        Some(name) => format!("{number} ({name})"),
        None => number,
    }
}

fn no_port(what: &str, wanted: &str, known: &[String]) -> Diagnostic {
    let diagnostic = Diagnostic::error(code::NO_PORT, format!("{what} has no port `{wanted}`"));
    let diagnostic =
        if known.is_empty() { diagnostic } else { diagnostic.note(format!("ports: {}", known.join(", "))) };
    diagnostic.help("name the container's port: LOCAL:REMOTE")
}
