//! Services: their endpoints, slices and load balancer addresses (`pkg/controller/endpoint`, `endpointslice`).

mod slices;

use std::collections::BTreeMap;

use landfall_apiserver::Status;
use landfall_object::ports::container_port;
use serde_json::{Map, Value, json};

use super::desk::{Desk, Found, Outcome};
use super::fields::{child, deleting, label, list, map, name, namespace, set_label, text, truth};
use super::kind::{ENDPOINT_SLICE, ENDPOINTS, NODE, POD, SERVICE};
use super::loops::{After, Call, Loop, Wake};
use super::pods::{is_ready, is_terminated};
use super::queue::Role;
use super::selector;

const HEADLESS: &str = "service.kubernetes.io/headless";
const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";

/// What it looks after, and what wakes it.
pub(super) const LOOP: Loop = Loop {
    role: Role::Service,
    kinds: &[SERVICE],
    wakes: &[
        Wake { after: After::These(&[POD.id]), queue: of_pod },
        Wake { after: After::These(&[ENDPOINTS.id, ENDPOINT_SLICE.id]), queue: of_endpoints },
    ],
};

/// A pod that a service selects, or did.
fn of_pod(call: &mut Call<'_>) {
    let namespace = call.object().namespace();
    for service in call.world.list(SERVICE.qualified(), Some(namespace)) {
        let wanted = service.pointer("/spec/selector").and_then(Value::as_object);
        if call.states().any(|state| selector::map_matches(wanted, state)) {
            call.look_at(&SERVICE, namespace, service.name());
        }
    }
}

/// As on the real control plane, endpoints that a person writes stay; only where they go, they are made anew.
fn of_endpoints(call: &mut Call<'_>) {
    let object = call.object();
    let service = if call.resource() == ENDPOINTS.id {
        object.name()
    } else {
        object.label(slices::SERVICE_NAME).unwrap_or_default()
    };
    if call.resource() != ENDPOINTS.id || call.is_deleted() {
        call.look_at(&SERVICE, object.namespace(), service);
    }
}

/// Brings what belongs to one service in line with its pods.
pub(super) fn reconcile(desk: &mut Desk<'_>, namespace_: &str, name_: &str) -> Result<Outcome, Status> {
    let Some(service) = desk.get(&SERVICE, namespace_, name_) else {
        desk.delete(&ENDPOINTS, namespace_, name_)?;
        return Ok(Outcome::done());
    };
    if deleting(&service) {
        return Ok(Outcome::done());
    }
    balance(desk, &service)?;
    let wanted = map(&service, "/spec/selector");
    if text(&service, "/spec/type") == "ExternalName" || wanted.is_none() {
        return Ok(Outcome::done());
    }
    let pods: Vec<Found> =
        desk.list(&POD, namespace_).into_iter().filter(|pod| selector::map_matches(wanted, pod)).collect();
    desk.speaks_as("endpoint-controller");
    sync_endpoints(desk, &service, &pods)?;
    desk.speaks_as("endpoint-slice-controller");
    slices::sync(desk, &service, &pods)?;
    Ok(Outcome::done())
}

/// The address of a load balancer is the nodes', as with the one that k3s brings.
fn balance(desk: &mut Desk<'_>, service: &Found) -> Result<(), Status> {
    let wanted = if text(service, "/spec/type") == "LoadBalancer" {
        let address = |node: &Found| {
            let addresses = list(node, "/status/addresses");
            addresses.iter().find(|a| text(a, "/type") == "InternalIP").map(|a| text(a, "/address").to_owned())
        };
        let points: Vec<Value> =
            desk.list(&NODE, "").iter().filter_map(address).map(|ip| json!({"ip": ip, "ipMode": "VIP"})).collect();
        if points.is_empty() { json!({}) } else { json!({"ingress": points}) }
    } else {
        json!({})
    };
    if service.pointer("/status/loadBalancer") == Some(&wanted) {
        return Ok(());
    }
    let mut changed = service.value().clone();
    child(&mut changed, "status")["loadBalancer"] = wanted;
    desk.update_status(&SERVICE, changed)?;
    Ok(())
}

/// The number of a service's port on a pod (`FindPort`).
pub(crate) fn target_port(pod: &Value, port: &Value) -> Option<i64> {
    let wanted = port.get("targetPort").or_else(|| port.get("port"))?;
    if let Some(number) = wanted.as_i64().filter(|n| *n != 0) {
        return Some(number);
    }
    let word = wanted.as_str()?;
    let protocol = |p: &Value| Some(text(p, "/protocol")).filter(|p| !p.is_empty()).unwrap_or("TCP").to_owned();
    let sidecars = list(pod, "/spec/initContainers").iter().filter(|c| text(c, "/restartPolicy") == "Always");
    list(pod, "/spec/containers")
        .iter()
        .chain(sidecars)
        .flat_map(|c| list(c, "/ports").iter().map(move |p| (c, p)))
        .find(|(_, p)| text(p, "/name") == word && protocol(p) == protocol(port))
        .and_then(|(c, p)| container_port(c, &p["containerPort"]).ok())
        .map(i64::from)
        .or_else(|| word.parse().ok())
}

/// Whether a pod belongs into endpoints at all (`ShouldPodBeInEndpoints`).
fn belongs(pod: &Value, with_terminating: bool) -> bool {
    !is_terminated(pod) && !text(pod, "/status/podIP").is_empty() && (with_terminating || !deleting(pod))
}

/// Whether the pod is known by its own name within the service.
fn hostname<'a>(pod: &'a Value, service: &Value) -> Option<&'a str> {
    let host = text(pod, "/spec/hostname");
    let fits =
        !host.is_empty() && text(pod, "/spec/subdomain") == name(service) && namespace(pod) == namespace(service);
    fits.then_some(host)
}

fn target(pod: &Value) -> Value {
    json!({"kind": "Pod", "namespace": namespace(pod), "name": name(pod), "uid": super::fields::uid(pod)})
}

type Group = (Vec<Value>, Vec<Value>);

fn sync_endpoints(desk: &mut Desk<'_>, service: &Found, pods: &[Found]) -> Result<(), Status> {
    let anyway = truth(service, "/spec/publishNotReadyAddresses");
    let mut by_ports: BTreeMap<String, (Vec<Value>, Group)> = BTreeMap::new();
    for pod in pods.iter().filter(|p| belongs(p, anyway)) {
        let mut address = json!({"ip": text(pod, "/status/podIP"), "targetRef": target(pod)});
        let node = text(pod, "/spec/nodeName");
        if !node.is_empty() {
            address["nodeName"] = node.into();
        }
        if let Some(host) = hostname(pod, service) {
            address["hostname"] = host.into();
        }
        let ports: Vec<Value> = list(service, "/spec/ports")
            .iter()
            .filter_map(|port| {
                let mut made = json!({"port": target_port(pod, port)?, "protocol": protocol(port)});
                for field in ["name", "appProtocol"] {
                    if !text(port, &format!("/{field}")).is_empty() {
                        made[field] = port[field].clone();
                    }
                }
                Some(made)
            })
            .collect();
        if ports.is_empty() && text(service, "/spec/clusterIP") != "None" {
            continue;
        }
        let mut ports = ports;
        ports.sort_by_key(ToString::to_string);
        let key = Value::from(ports.clone()).to_string();
        let group = &mut by_ports.entry(key).or_insert_with(|| (ports, (Vec::new(), Vec::new()))).1;
        if anyway || is_ready(pod) { group.0.push(address) } else { group.1.push(address) }
    }
    let subsets: Vec<Value> = by_ports
        .into_values()
        .map(|(ports, (mut ready, mut unready))| {
            let mut subset = json!({});
            for (field, addresses) in [("addresses", &mut ready), ("notReadyAddresses", &mut unready)] {
                addresses.sort_by_key(|a| text(a, "/ip").to_owned());
                if !addresses.is_empty() {
                    subset[field] = addresses.clone().into();
                }
            }
            if !ports.is_empty() {
                subset["ports"] = ports.into();
            }
            subset
        })
        .collect();
    let mut labels = map(service, "/metadata/labels").cloned().unwrap_or_default();
    let headless = matches!(text(service, "/spec/clusterIP"), "" | "None");
    if headless {
        labels.insert(HEADLESS.to_owned(), "".into());
    }
    labels.insert(MANAGED_BY.to_owned(), "endpoint-controller".into());
    let there = desk.get(&ENDPOINTS, namespace(service), name(service));
    let mut wanted = there.as_ref().map_or_else(
        || json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": name(service), "namespace": namespace(service)}}),
        |there| there.value().clone(),
    );
    wanted["metadata"]["labels"] = Value::Object(labels);
    if subsets.is_empty() {
        if let Some(map) = wanted.as_object_mut() {
            map.remove("subsets");
        }
    } else {
        wanted["subsets"] = subsets.into();
    }
    let result = match there {
        None => desk.create(&ENDPOINTS, wanted),
        Some(there) if *there.value() == wanted => return Ok(()),
        Some(_) => desk.update(&ENDPOINTS, wanted),
    };
    settle(result)
}

fn protocol(port: &Value) -> &str {
    Some(text(port, "/protocol")).filter(|p| !p.is_empty()).unwrap_or("TCP")
}

/// A namespace on its way out is no reason to try again.
fn settle(result: Result<Found, Status>) -> Result<(), Status> {
    match result {
        Err(refusal) if !super::pod_control::is_namespace_terminating(&refusal) => Err(refusal),
        _ => Ok(()),
    }
}

/// The labels of a service as its slices carry them.
fn labels_of(service: &Value) -> Map<String, Value> {
    map(service, "/metadata/labels").cloned().unwrap_or_default()
}

/// Whether a label of the service marks it as headless.
fn mark_headless(object: &mut Value, service: &Value) {
    if matches!(text(service, "/spec/clusterIP"), "" | "None") && label(object, HEADLESS).is_none() {
        set_label(object, HEADLESS, "");
    }
}
