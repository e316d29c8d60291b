use landfall_diag::{Finding, Severity};
use landfall_object::Object;

use crate::decoded::text_of;
use crate::pods::{Container, ContainerRole};
use crate::routes::{TRAEFIK, all_routes, exposure};
use crate::rule::Rule;
use crate::subject::{Found, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF125",
    title: "what is public is encrypted and asks who is there",
    severity: Severity::Error,
    why: "A protected environment that answers over plain HTTP gives away sessions and passwords on the way. A public \
          console whose administrator has no password, or that lets anybody in, belongs to whoever finds it first.",
    advice: "Serve the route over TLS only, and give the administrator a password from a sealed Secret.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let routes = all_routes(subject);
    let mut findings = Vec::new();
    if subject.is_protected() {
        for (found, route) in routes.iter().filter(|(found, _)| matches!(found, Found::Desired(_))) {
            let object = found.object();
            let called = format!("{} `{}`", object.kind(), object.name());
            if object.kind() == "IngressRoute"
                && (route.secure || !listens_plainly(object) || redirects(subject, object, &route.field))
            {
                continue;
            }
            let message = match (route.secure, object.annotation("nginx.ingress.kubernetes.io/ssl-redirect")) {
                (false, _) => format!("{called} serves `{}` without TLS", route.address()),
                (true, Some("false")) if !forces(object) => {
                    format!("{called} does not redirect `{}` to HTTPS", route.address())
                }
                _ => continue,
            };
            findings.push(
                RULE.finding(message)
                    .keyed(format!("{called} {}", route.hosts.join(" ")))
                    .because("what is sent there can be read and changed on the way")
                    .help("add the host to `tls`, and redirect plain HTTP")
                    .at(found.spot_at(&route.field)),
            );
        }
    }
    for (desired, template) in subject.pods() {
        let Some(route) = exposure(subject, &routes, &template) else { continue };
        for container in template.containers().iter().filter(|it| it.role != ContainerRole::Init) {
            for (field, what) in open_doors(subject, &desired.object, container) {
                let severity = if subject.is_protected() { Severity::Error } else { Severity::Warning };
                findings.push(
                    RULE.finding(format!("`{}` is public, and {what}", route.address()))
                        .weighing(severity)
                        .because("anybody who finds the address is let in")
                        .help("take the password from a Secret that is not empty, or take the route away")
                        .at(desired.spot_at(&field)),
                );
            }
        }
    }
    findings
}

/// Whether an IngressRoute listens where Traefik speaks plain HTTP: at `web`, or wherever Traefik listens.
fn listens_plainly(object: &Object) -> bool {
    let entries = object.list_at("/spec/entryPoints");
    entries.is_empty() || entries.iter().any(|entry| entry == "web")
}

fn forces(object: &Object) -> bool {
    object.annotation("nginx.ingress.kubernetes.io/force-ssl-redirect") == Some("true")
}

/// Whether all that a route of Traefik does is to send on to HTTPS.
fn redirects(subject: &Subject<'_>, object: &Object, field: &str) -> bool {
    let pointer = format!("/{}/middlewares", field.replace(['.', '['], "/").replace(']', ""));
    object.list_at(&pointer).iter().any(|reference| {
        let namespace = reference["namespace"].as_str().or(object.namespace());
        let name = reference["name"].as_str().unwrap_or_default();
        let middleware = TRAEFIK.iter().find_map(|group| subject.find(group, "Middleware", namespace, name));
        // One that is not seen here may well be the redirect.
        middleware.is_none_or(|found| found.object().str_at("/spec/redirectScheme/scheme") == Some("https"))
    })
}

/// Fields of a container that let anybody in, and how.
fn open_doors(subject: &Subject<'_>, owner: &Object, container: &Container<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (at, name, variable) in container.env() {
        let upper = name.to_ascii_uppercase();
        let field = format!("{}.env[{at}]", container.path);
        let has = |word: &str| upper.split('_').any(|part| part == word);
        let (value, literal) = match variable["value"].as_str() {
            Some(text) => (Some(text.to_owned()), true),
            None if variable.get("valueFrom").is_none() => (Some(String::new()), true),
            None => {
                let reference = &variable["valueFrom"]["secretKeyRef"];
                let (secret, key) = (reference["name"].as_str(), reference["key"].as_str());
                let secret = secret.and_then(|it| subject.desired("", "Secret", owner.namespace(), it));
                (secret.zip(key).and_then(|(secret, key)| text_of(&secret.object, key)), false)
            }
        };
        let Some(value) = value else { continue };
        let yes = ["true", "yes", "1", "on"].contains(&value.to_ascii_lowercase().as_str());
        let is_administrator = has("ADMIN") || has("ROOT") || has("MASTER");
        if has("PASSWORD") && is_administrator && value.is_empty() && !has("FILE") && !has("ALLOW") {
            let from = if literal { "" } else { " in its Secret" };
            found.push((field, format!("the administrator's password `{name}` is empty{from}")));
        } else if yes && has("ANONYMOUS") && (has("ENABLED") || has("ALLOW") || has("LOGIN")) {
            found.push((field, format!("`{name}` lets anybody in")));
        }
    }
    found
}
