//! Endpoint slices: the endpoints of a service in pieces of at most a hundred.

use std::collections::BTreeMap;

use landfall_apiserver::Status;
use serde_json::{Value, json};

use super::super::desk::{Desk, Found};
use super::super::fields::{
    controller_reference, deleting, is_controlled_by, label, list, name, namespace, set_label, text, truth,
};
use super::super::kind::ENDPOINT_SLICE;
use super::super::pods::is_ready;
use super::{belongs, hostname, labels_of, mark_headless, protocol, settle, target, target_port};

pub(super) const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
const MOST: usize = 100;

/// Makes, changes and removes slices so that they hold the pods of the service.
pub(super) fn sync(desk: &mut Desk<'_>, service: &Found, pods: &[Found]) -> Result<(), Status> {
    let mut wanted: BTreeMap<String, (Value, Vec<Value>)> = BTreeMap::new();
    for pod in pods.iter().filter(|p| belongs(p, true)) {
        let ports = ports(service, pod);
        let key = ports.to_string();
        wanted.entry(key).or_insert_with(|| (ports, Vec::new())).1.push(endpoint(service, pod));
    }
    if wanted.is_empty() {
        // One slice without endpoints says that there are none.
        wanted.insert(String::new(), (Value::Null, Vec::new()));
    }
    let mut there: Vec<Found> = desk
        .list_claimable(&ENDPOINT_SLICE, service)
        .into_iter()
        .filter(|s| label(s, SERVICE_NAME) == Some(name(service)) && label(s, MANAGED_BY) == Some(MANAGER))
        .filter(|s| !deleting(s) && is_controlled_by(s, service))
        .collect();
    let mut pieces: Vec<(Value, Vec<Value>)> = Vec::new();
    for (ports, endpoints) in wanted.into_values() {
        if endpoints.is_empty() {
            pieces.push((ports, endpoints));
            continue;
        }
        for piece in endpoints.chunks(MOST) {
            pieces.push((ports.clone(), piece.to_vec()));
        }
    }
    for (ports, endpoints) in pieces {
        let same = there.iter().position(|s| s.get("ports").unwrap_or(&Value::Null) == &ports);
        let reused = same.or(if there.is_empty() { None } else { Some(0) }).map(|index| there.remove(index));
        write(desk, service, reused, ports, endpoints)?;
    }
    for surplus in there {
        desk.delete(&ENDPOINT_SLICE, surplus.namespace(), surplus.name())?;
    }
    Ok(())
}

fn write(
    desk: &mut Desk<'_>,
    service: &Found,
    there: Option<Found>,
    ports: Value,
    endpoints: Vec<Value>,
) -> Result<(), Status> {
    let mut slice = there.as_ref().map_or_else(
        || {
            json!({
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "generateName": format!("{}-", name(service)),
                    "namespace": namespace(service),
                    "ownerReferences": [controller_reference(service)],
                },
                "addressType": "IPv4",
            })
        },
        |there| there.value().clone(),
    );
    slice["metadata"]["labels"] = Value::Object(labels_of(service));
    mark_headless(&mut slice, service);
    set_label(&mut slice, SERVICE_NAME, name(service));
    set_label(&mut slice, MANAGED_BY, MANAGER);
    slice["ports"] = ports;
    slice["endpoints"] = if there.is_some() || !endpoints.is_empty() {
        merged(there.as_deref().map_or(&[], |t| list(t, "/endpoints")), endpoints)
    } else {
        Value::Null
    };
    if slice["endpoints"].as_array().is_some_and(Vec::is_empty) {
        slice["endpoints"] = Value::Null;
    }
    let result = match there {
        None => desk.create(&ENDPOINT_SLICE, slice),
        Some(there) if *there.value() == slice => return Ok(()),
        Some(_) => desk.update(&ENDPOINT_SLICE, slice),
    };
    settle(result)
}

/// The wanted endpoints, those that are there already in their old places.
fn merged(before: &[Value], wanted: Vec<Value>) -> Value {
    let place = |endpoint: &Value| {
        before
            .iter()
            .position(|b| text(b, "/targetRef/uid") == text(endpoint, "/targetRef/uid"))
            .unwrap_or(before.len())
    };
    let mut wanted = wanted;
    wanted.sort_by_key(place);
    wanted.into()
}

fn ports(service: &Value, pod: &Value) -> Value {
    let ports: Vec<Value> = list(service, "/spec/ports")
        .iter()
        .filter_map(|port| {
            let mut made = json!({
                "name": text(port, "/name"), "port": target_port(pod, port)?, "protocol": protocol(port),
            });
            if !text(port, "/appProtocol").is_empty() {
                made["appProtocol"] = port["appProtocol"].clone();
            }
            Some(made)
        })
        .collect();
    if ports.is_empty() { Value::Null } else { ports.into() }
}

fn endpoint(service: &Value, pod: &Value) -> Value {
    let anyway = truth(service, "/spec/publishNotReadyAddresses");
    let (serving, terminating) = (is_ready(pod), deleting(pod));
    let mut endpoint = json!({
        "addresses": [text(pod, "/status/podIP")],
        "conditions": {"ready": anyway || (serving && !terminating), "serving": serving, "terminating": terminating},
        "targetRef": target(pod),
    });
    let node = text(pod, "/spec/nodeName");
    if !node.is_empty() {
        endpoint["nodeName"] = node.into();
    }
    if let Some(host) = hostname(pod, service) {
        endpoint["hostname"] = host.into();
    }
    endpoint
}
