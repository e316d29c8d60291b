//! From a service's port to a ready pod and the answer of its container.

use landfall_apiserver::{Backend, Stored, World};
use serde_json::Value;

use super::rules::Route;
use crate::controllers::fields::{deleting, int, list, text};
use crate::controllers::kind::{POD, SERVICE};
use crate::controllers::pods::{is_ready, is_terminated};
use crate::controllers::selector::map_matches;
use crate::controllers::service_target_port;
use std::sync::Arc;

/// Why nobody answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// The service is not there.
    NoService,
    /// The service has no such port.
    NoPort,
    /// The service stands for a name outside the cluster.
    External(String),
    /// No pod behind it is ready: so many there are.
    NoneReady(usize),
}

/// The pod that answers a request; `turn` goes round among the ready ones.
pub(crate) fn find(world: &World, route: &Route, turn: usize) -> Result<Backend, Unavailable> {
    let Some(service) = world.find(SERVICE.id, &route.namespace, &route.service) else {
        return Err(Unavailable::NoService);
    };
    if text(&service, "/spec/type") == "ExternalName" {
        return Err(Unavailable::External(text(&service, "/spec/externalName").to_owned()));
    }
    let port = port_of(&service, &route.port).ok_or(Unavailable::NoPort)?;
    let mut ready = ready_pods(world, &service, port);
    if ready.is_empty() {
        return Err(Unavailable::NoneReady(pods(world, &service).count()));
    }
    Ok(ready.swap_remove(turn % ready.len()))
}

/// The pods behind a service that are ready, each with the number that the service's port has on it.
pub(crate) fn ready_pods(world: &World, service: &Stored, port: &Value) -> Vec<Backend> {
    let ready = pods(world, service).filter(|pod| is_ready(pod));
    let on_pod = |pod: &Arc<Stored>| u16::try_from(service_target_port(pod, port)?).ok();
    ready.filter_map(|pod| Some(Backend { pod: Arc::clone(pod), port: on_pod(pod)? })).collect()
}

/// The pods that a service selects and that have not ended.
fn pods<'a>(world: &'a World, service: &'a Stored) -> impl Iterator<Item = &'a Arc<Stored>> {
    let wanted = service.pointer("/spec/selector").and_then(Value::as_object);
    let within = world.list(POD.id, Some(service.namespace()));
    within.filter(move |pod| map_matches(wanted, pod) && !is_terminated(pod) && !deleting(pod))
}

/// The service's port of that number or name; its only one when none is asked for.
fn port_of<'a>(service: &'a Value, wanted: &Value) -> Option<&'a Value> {
    let ports = list(service, "/spec/ports");
    if wanted.is_null() {
        return ports.first().filter(|_| ports.len() == 1);
    }
    ports.iter().find(|port| {
        port.get("port") == Some(wanted)
            || wanted.as_str().is_some_and(|word| {
                text(port, "/name") == word || int(port, "/port").is_some_and(|number| word.parse() == Ok(number))
            })
    })
}
