//! `meta.k8s.io/v1 Table`: what `kubectl get` prints (`pkg/printers/internalversion/printers.go`).

mod age;
mod cluster;
mod custom;
mod network;
mod pod;
mod storage;
mod workload;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::resource::Resource;
use age::since;

/// A column: name, type, and whether only `-o wide` shows it.
struct Column {
    name: &'static str,
    kind: &'static str,
    wide: bool,
}

const fn text(name: &'static str) -> Column {
    Column { name, kind: "string", wide: false }
}

const fn number(name: &'static str) -> Column {
    Column { name, kind: "integer", wide: false }
}

const fn wide(name: &'static str) -> Column {
    Column { name, kind: "string", wide: true }
}

/// How a kind is printed.
struct Printer {
    columns: &'static [Column],
    row: fn(&Value, Timestamp) -> Vec<Value>,
}

/// A table of objects; rows carry no objects yet.
pub(crate) fn of<'a>(resource: &Resource, objects: impl Iterator<Item = &'a Value>, now: Timestamp) -> Value {
    if let Some(definition) = &resource.custom {
        return custom::table(definition, objects, now);
    }
    printed(printer(resource), &resource.id, objects, now)
}

/// The table of one scale, which is what `kubectl get --subresource=scale` prints.
pub(crate) fn of_scale(scale: &Value, now: Timestamp) -> Value {
    let mut table = printed(&workload::SCALE, "scales.autoscaling", std::iter::once(scale), now);
    // This printer alone says nothing of how a name is formatted.
    table["columnDefinitions"][0]["format"] = json!("");
    table
}

fn printed<'a>(printer: &Printer, id: &str, objects: impl Iterator<Item = &'a Value>, now: Timestamp) -> Value {
    let columns: Vec<Value> = printer
        .columns
        .iter()
        .map(|column| {
            let format = if column.name == "Name" { "name" } else { "" };
            json!({
                "name": column.name, "type": column.kind, "format": format,
                "description": "", "priority": u8::from(column.wide),
            })
        })
        .collect();
    let rows: Vec<Value> = objects
        .map(|object| {
            let mut row = json!({"cells": (printer.row)(object, now)});
            if id == "pods"
                && let Some(condition) = pod::row_condition(object)
            {
                row["conditions"] = json!([condition]);
            }
            row
        })
        .collect();
    // Where the real server has no printer of the kind's own, it leaves the rows of an empty list out.
    let plain = printer.columns.iter().any(|column| column.name == "Created At");
    let rows = if plain && rows.is_empty() { Value::Null } else { Value::Array(rows) };
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "columnDefinitions": columns, "rows": rows})
}

fn printer(resource: &Resource) -> &'static Printer {
    match &*resource.id {
        "pods" => &pod::POD,
        "podtemplates" => &workload::POD_TEMPLATE,
        "deployments.apps" => &workload::DEPLOYMENT,
        "replicasets.apps" | "replicationcontrollers" => &workload::REPLICA_SET,
        "statefulsets.apps" => &workload::STATEFUL_SET,
        "daemonsets.apps" => &workload::DAEMON_SET,
        "jobs.batch" => &workload::JOB,
        "cronjobs.batch" => &workload::CRON_JOB,
        "horizontalpodautoscalers.autoscaling" => &workload::AUTOSCALER,
        "poddisruptionbudgets.policy" => &workload::DISRUPTION_BUDGET,
        "controllerrevisions.apps" => &workload::CONTROLLER_REVISION,
        "services" => &network::SERVICE,
        "ingresses.networking.k8s.io" => &network::INGRESS,
        "ingressclasses.networking.k8s.io" => &network::INGRESS_CLASS,
        "networkpolicies.networking.k8s.io" => &network::NETWORK_POLICY,
        "endpoints" => &network::ENDPOINTS,
        "endpointslices.discovery.k8s.io" => &network::ENDPOINT_SLICE,
        "configmaps" => &storage::CONFIG_MAP,
        "secrets" => &storage::SECRET,
        "persistentvolumeclaims" => &storage::CLAIM,
        "persistentvolumes" => &storage::VOLUME,
        "storageclasses.storage.k8s.io" => &storage::STORAGE_CLASS,
        "namespaces" => &cluster::NAMESPACE,
        "nodes" => &cluster::NODE,
        "events" => &cluster::EVENT,
        "resourcequotas" => &cluster::QUOTA,
        "priorityclasses.scheduling.k8s.io" => &cluster::PRIORITY_CLASS,
        "rolebindings.rbac.authorization.k8s.io" | "clusterrolebindings.rbac.authorization.k8s.io" => &cluster::BINDING,
        "leases.coordination.k8s.io" => &cluster::LEASE,
        "serviceaccounts" => &cluster::NAME_AGE,
        "runtimeclasses.node.k8s.io" => &cluster::RUNTIME_CLASS,
        "validatingwebhookconfigurations.admissionregistration.k8s.io"
        | "mutatingwebhookconfigurations.admissionregistration.k8s.io" => &cluster::WEBHOOKS,
        "certificatesigningrequests.certificates.k8s.io" => &cluster::SIGNING_REQUEST,
        "apiservices.apiregistration.k8s.io" => &cluster::API_SERVICE,
        _ => &cluster::NAME_CREATED,
    }
}

fn name(object: &Value) -> Value {
    object["metadata"]["name"].clone()
}

fn age(object: &Value, now: Timestamp) -> Value {
    json!(since(&object["metadata"]["creationTimestamp"], now))
}

fn int(value: &Value) -> Value {
    json!(value.as_i64().unwrap_or(0))
}

fn str_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// `a,b` of a list of strings.
fn joined<'a>(items: impl Iterator<Item = &'a str>) -> String {
    items.collect::<Vec<_>>().join(",")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Names and images of a template's containers.
fn containers(spec: &Value) -> [Value; 2] {
    let of = |field: &str| json!(joined(list(&spec["containers"]).iter().map(|container| str_of(&container[field]))));
    [of("name"), of("image")]
}

/// A label selector as text; `<none>` for an empty one.
fn selector(value: &Value) -> Value {
    let text = crate::selector::LabelSelector::from_value(value).to_string();
    json!(if text.is_empty() { "<none>".to_owned() } else { text })
}

/// `k=v,…` of a map; `<none>` for an empty one.
fn labels(value: &Value) -> String {
    let pairs: Vec<String> =
        value.as_object().into_iter().flatten().map(|(key, value)| format!("{key}={}", str_of(value))).collect();
    if pairs.is_empty() { "<none>".to_owned() } else { pairs.join(",") }
}

/// An int-or-string as text.
fn int_or_string(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
