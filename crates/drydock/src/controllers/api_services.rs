//! Whether APIServices are available (`kube-aggregator/pkg/controllers/status`): none with a Service is, because what answers for a
//! group is asked for nothing here, and simulated pods answer nothing.

use landfall_apiserver::{Status, rfc3339};
use landfall_object::{ANSWER_NOTHING, SIMULATED, UNANSWERED};
use serde_json::{Value, json};

use super::desk::{Desk, Outcome};
use super::fields::{annotate, annotation, child, condition, label, list, remove, text};
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

/// What the condition says.
struct Availability {
    status: &'static str,
    reason: &'static str,
    message: String,
}

impl Availability {
    fn missing(reason: &'static str, message: String) -> Self {
        Self { status: "False", reason, message }
    }

    /// Whether somebody would be asked and nobody is there who could answer.
    fn is_unanswered(&self) -> bool {
        self.reason == FAILED_CHECK
    }
}

const FAILED_CHECK: &str = "FailedDiscoveryCheck";

/// Writes one APIService's condition, and marks one that only simulated pods stand for: whoever waits for it need not wait on.
pub(super) fn reconcile(desk: &mut Desk<'_>, name: &str) -> Result<Outcome, Status> {
    let Some(mut found) = desk.get(&API_SERVICE, "", name) else { return Ok(Outcome::done()) };
    let availability = match found.pointer("/spec/service").filter(|service| !service.is_null()) {
        None => {
            let message = "Local APIServices are always available".to_owned();
            Availability { status: "True", reason: "Local", message }
        }
        Some(service) => behind(desk, &found, text(service, "/namespace"), text(service, "/name")),
    };
    let is_marked = annotation(&found, SIMULATED) == Some(UNANSWERED);
    if is_marked != availability.is_unanswered() {
        let mut changed = found.value().clone();
        if is_marked {
            remove(&mut changed, "/metadata/annotations", SIMULATED);
        } else {
            annotate(&mut changed, SIMULATED, UNANSWERED);
        }
        found = desk.update(&API_SERVICE, changed)?;
    }
    let Availability { status, reason, message } = availability;
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

/// What a check of a Service would find, in the aggregator's words.
fn behind(desk: &Desk<'_>, of: &Value, namespace: &str, name: &str) -> Availability {
    if desk.get(&SERVICE, namespace, name).is_none() {
        let message = format!("service/{name} in \"{namespace}\" is not present");
        return Availability::missing("ServiceNotFound", message);
    }
    let ready = desk.list(&ENDPOINT_SLICE, namespace).iter().any(|slice| {
        label(slice, "kubernetes.io/service-name") == Some(name)
            && list(slice, "/endpoints")
                .iter()
                .any(|endpoint| endpoint.pointer("/conditions/ready").and_then(Value::as_bool).unwrap_or(true))
    });
    if ready {
        let port = of.pointer("/spec/service/port").and_then(Value::as_i64).unwrap_or(443);
        let (group, version) = (text(of, "/spec/group"), text(of, "/spec/version"));
        let message = format!(
            "failing or missing response from https://{name}.{namespace}.svc:{port}/apis/{group}/{version}: {ANSWER_NOTHING}"
        );
        Availability::missing(FAILED_CHECK, message)
    } else {
        let message = format!("endpoints for service/{name} in \"{namespace}\" have no addresses with port name \"\"");
        Availability::missing("MissingEndpoints", message)
    }
}
