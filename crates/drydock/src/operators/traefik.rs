//! Traefik, simulated: what an IngressRoute refers to must be there; what is not is reported as an event.

use landfall_apiserver::{ObjectRef, Status};
use serde_json::Value;

use crate::controllers::desk::{Agent, Desk, EventType, Outcome};
use crate::controllers::fields::{deleting, int, list, namespace, text};
use crate::controllers::kind::{INGRESS, SECRET, SERVICE, kinds};
use crate::ingress::matcher::Matcher;
use crate::operators::{Twin, Wake, Within};

kinds! {
    INGRESS_ROUTE = "traefik.io" "v1alpha1" "IngressRoute" "ingressroutes.traefik.io" namespaced;
    MIDDLEWARE = "traefik.io" "v1alpha1" "Middleware" "middlewares.traefik.io" namespaced;
}

/// Traefik, as ingress controller of the cluster.
pub(crate) const TWIN: Twin = Twin {
    name: "traefik",
    agent: Agent::Operator("traefik-simulated"),
    kinds: &[INGRESS, INGRESS_ROUTE],
    leases: &[],
    // Ingresses are looked at by the controller that gives them their address: each class has its own twin.
    queue: &[INGRESS_ROUTE],
    wakes: &[
        Wake { after: &["services", "secrets"], queue: &[INGRESS_ROUTE], within: Within::Namespace },
        Wake { after: &[MIDDLEWARE.id], queue: &[INGRESS_ROUTE], within: Within::Everywhere },
    ],
    reconcile,
};

/// Checks one IngressRoute.
fn reconcile(desk: &mut Desk<'_>, object: &ObjectRef) -> Result<Outcome, Status> {
    let Some(route) = desk.get(&INGRESS_ROUTE, &object.namespace, &object.name).filter(|r| !deleting(r)) else {
        return Ok(Outcome::done());
    };
    for problem in problems(desk, &route) {
        // The reason names the problem's kind, so that each is said once as long as it lasts.
        if !desk.was_said(&route, problem.reason, &problem.message) {
            desk.event(&route, EventType::Warning, problem.reason, &problem.message);
        }
    }
    Ok(Outcome::done())
}

struct Problem {
    reason: &'static str,
    message: String,
}

fn problems(desk: &Desk<'_>, route: &Value) -> Vec<Problem> {
    let mut found = Vec::new();
    let own = namespace(route);
    let within = |reference: &Value| {
        let written = text(reference, "/namespace");
        if written.is_empty() { own.to_owned() } else { written.to_owned() }
    };
    for rule in list(route, "/spec/routes") {
        if let Err(why) = Matcher::parse(text(rule, "/match")) {
            found.push(Problem {
                reason: "InvalidRule",
                message: format!("cannot read the rule {:?}: {why}", text(rule, "/match")),
            });
        }
        let services = list(rule, "/services").iter().filter(|s| matches!(text(s, "/kind"), "" | "Service"));
        for reference in services {
            let (namespace, name) = (within(reference), text(reference, "/name"));
            match desk.get(&SERVICE, &namespace, name) {
                None => found.push(Problem {
                    reason: "ServiceNotFound",
                    message: format!("kubernetes service not found: {namespace}/{name}"),
                }),
                Some(service) if !has_port(&service, &reference["port"]) => found.push(Problem {
                    reason: "ServicePortNotFound",
                    message: format!("service port not found: {} of {namespace}/{name}", reference["port"]),
                }),
                Some(_) => {}
            }
        }
        for reference in list(rule, "/middlewares") {
            let (namespace, name) = (within(reference), text(reference, "/name"));
            if desk.get(&MIDDLEWARE, &namespace, name).is_none() {
                let message = format!("middleware \"{namespace}-{name}@kubernetescrd\" does not exist");
                found.push(Problem { reason: "MiddlewareNotFound", message });
            }
        }
    }
    let secret = text(route, "/spec/tls/secretName");
    if !secret.is_empty() && desk.get(&SECRET, own, secret).is_none() {
        found.push(Problem { reason: "SecretNotFound", message: format!("secret {own}/{secret} does not exist") });
    }
    found
}

fn has_port(service: &Value, port: &Value) -> bool {
    text(service, "/spec/type") == "ExternalName"
        || port.is_null()
        || list(service, "/spec/ports").iter().any(|p| {
            p.get("port") == Some(port)
                || port.as_str().is_some_and(|word| {
                    text(p, "/name") == word || int(p, "/port").is_some_and(|number| word.parse() == Ok(number))
                })
        })
}
