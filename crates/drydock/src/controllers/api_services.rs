//! APIServices are available when the Service behind them has somebody to answer (`kube-aggregator/pkg/controllers/status`).

use landfall_apiserver::{Status, rfc3339};
use serde_json::{Value, json};

use super::desk::{Desk, Outcome};
use super::fields::{child, condition, label, list, text};
use super::kind::{API_SERVICE, ENDPOINT_SLICE, ENDPOINTS, SERVICE};
use super::loops::{After, Call, Loop, Wake};
use super::queue::Role;

/// What it looks after, and what wakes it.
pub(super) const LOOP: Loop = Loop {
    role: Role::ApiService,
    kinds: &[API_SERVICE],
    wakes: &[Wake { after: After::These(&[SERVICE.id, ENDPOINTS.id, ENDPOINT_SLICE.id]), queue: reachable }],
};

/// Whether an API answers follows from its service and that one's slices.
fn reachable(call: &mut Call<'_>) {
    if call.resource() != ENDPOINTS.id || call.is_deleted() {
        call.look_at_all(&API_SERVICE, "");
    }
}

/// Writes one APIService's condition. That somebody answers there is taken for granted, as with every simulated probe.
pub(super) fn reconcile(desk: &mut Desk<'_>, name: &str) -> Result<Outcome, Status> {
    let Some(found) = desk.get(&API_SERVICE, "", name) else { return Ok(Outcome::done()) };
    let (status, reason, message) = match found.pointer("/spec/service").filter(|service| !service.is_null()) {
        None => ("True", "Local", "Local APIServices are always available".to_owned()),
        Some(service) => behind(desk, text(service, "/namespace"), text(service, "/name")),
    };
    let now = rfc3339(desk.now());
    let before = condition(&found, "Available").cloned();
    let since = before
        .as_ref()
        .filter(|it| text(it, "/status") == status)
        .map_or_else(|| Value::from(now), |it| it["lastTransitionTime"].clone());
    let wanted = json!({
        "type": "Available", "status": status, "reason": reason, "message": message, "lastTransitionTime": since,
    });
    if before.as_ref() == Some(&wanted) {
        return Ok(Outcome::done());
    }
    let mut changed = found.value().clone();
    child(&mut changed, "status")["conditions"] = json!([wanted]);
    desk.update_status(&API_SERVICE, changed)?;
    Ok(Outcome::done())
}

/// Whether a Service has ready endpoints, in the aggregator's words.
fn behind(desk: &Desk<'_>, namespace: &str, name: &str) -> (&'static str, &'static str, String) {
    if desk.get(&SERVICE, namespace, name).is_none() {
        return ("False", "ServiceNotFound", format!("service/{name} in \"{namespace}\" is not present"));
    }
    let ready = desk.list(&ENDPOINT_SLICE, namespace).iter().any(|slice| {
        label(slice, "kubernetes.io/service-name") == Some(name)
            && list(slice, "/endpoints")
                .iter()
                .any(|endpoint| endpoint.pointer("/conditions/ready").and_then(Value::as_bool).unwrap_or(true))
    });
    if ready {
        ("True", "Passed", "all checks passed".to_owned())
    } else {
        let message = format!("endpoints for service/{name} in \"{namespace}\" have no addresses with port name \"\"");
        ("False", "MissingEndpoints", message)
    }
}
