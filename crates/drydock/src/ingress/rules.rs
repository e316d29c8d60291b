//! The table of rules: every path of every Ingress and every route of every IngressRoute, best fit first.

use landfall_apiserver::World;
use serde_json::Value;

use super::Entry;
use super::matcher::{Asked, Matcher};
use super::middleware::Middleware;
use crate::controllers::fields::{annotation, deleting, list, name, namespace, text};
use crate::controllers::is_served_ingress;
use crate::controllers::kind::{INGRESS, INGRESS_CLASS};
use crate::operators::traefik::INGRESS_ROUTE;

/// Where a request goes.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// `Ingress shop/web` or `IngressRoute shop/web`.
    pub(crate) owner: String,
    /// The service's namespace.
    pub(crate) namespace: String,
    /// The service.
    pub(crate) service: String,
    /// Its port, by number or name.
    pub(crate) port: Value,
    /// What is done to the request on the way.
    pub(crate) middlewares: Vec<Middleware>,
}

/// How well a rule fits; larger is better.
type Fit = (i64, usize);

/// The route of a request.
pub(crate) fn find(world: &World, entry: Entry, asked: &Asked<'_>) -> Option<Route> {
    let mut best: Option<(Fit, Route)> = None;
    let mut offer = |fit: Fit, route: &dyn Fn() -> Route| {
        if best.as_ref().is_none_or(|(known, _)| *known < fit) {
            best = Some((fit, route()));
        }
    };
    for ingress in world.list(INGRESS.id, None).filter(|i| !deleting(i)) {
        if is_served_ingress(ingress, |class| world.find(INGRESS_CLASS.id, "", class).is_some())
            && enters(ingress, entry)
        {
            ingress_routes(world, ingress, asked, &mut offer);
        }
    }
    for route in world.list(INGRESS_ROUTE.id, None).filter(|r| !deleting(r)) {
        let entries = list(route, "/spec/entryPoints");
        let enters = entries.is_empty() || entries.iter().any(|e| e == entry.name());
        // A route with TLS is not there for plain requests, and the other way round.
        let secure = route.pointer("/spec/tls").is_some();
        if enters && (!secure || entry == Entry::WebSecure) {
            traefik_routes(world, route, asked, &mut offer);
        }
    }
    best.map(|(_, route)| route)
}

/// Whether an Ingress is reached by this listener.
fn enters(ingress: &Value, entry: Entry) -> bool {
    let entries = annotation(ingress, "traefik.ingress.kubernetes.io/router.entrypoints");
    let secure_only = annotation(ingress, "traefik.ingress.kubernetes.io/router.tls") == Some("true");
    match entries {
        Some(entries) => entries.split(',').any(|e| e.trim() == entry.name()),
        None => !secure_only || entry == Entry::WebSecure,
    }
}

fn ingress_routes(world: &World, ingress: &Value, asked: &Asked<'_>, offer: &mut dyn FnMut(Fit, &dyn Fn() -> Route)) {
    let owner = format!("Ingress {}/{}", namespace(ingress), name(ingress));
    let route = |backend: &Value, path: &str| {
        let port = backend.pointer("/service/port/number").or_else(|| backend.pointer("/service/port/name"));
        Route {
            owner: owner.clone(),
            namespace: namespace(ingress).to_owned(),
            service: text(backend, "/service/name").to_owned(),
            port: port.cloned().unwrap_or_default(),
            middlewares: Middleware::of_ingress(world, ingress, path),
        }
    };
    for rule in list(ingress, "/spec/rules") {
        let Some(host_fit) = host_fit(text(rule, "/host"), asked.host) else { continue };
        for path in list(rule, "/http/paths") {
            let (written, kind) = (text(path, "/path"), text(path, "/pathType"));
            let Some(path_fit) = path_fit(ingress, written, kind, asked.path) else { continue };
            let backend = path.get("backend").unwrap_or(&Value::Null);
            offer((host_fit + path_fit, written.len()), &|| route(backend, written));
        }
    }
    if let Some(backend) = ingress.pointer("/spec/defaultBackend") {
        offer((-1, 0), &|| route(backend, "/"));
    }
}

/// How well a host fits: exactly, by a wildcard, or because the rule names none. Weighs more than any path.
fn host_fit(wanted: &str, host: &str) -> Option<i64> {
    if wanted.is_empty() {
        return Some(0);
    }
    if wanted.eq_ignore_ascii_case(host) {
        return Some(40_000);
    }
    // `*.a.example` takes in one label, no more.
    let domain = wanted.strip_prefix("*.")?;
    let (label, rest) = host.split_once('.')?;
    (!label.is_empty() && rest.eq_ignore_ascii_case(domain)).then_some(20_000)
}

/// How well a path fits: the longest wins, an exact one before a prefix of the same length.
fn path_fit(ingress: &Value, wanted: &str, kind: &str, path: &str) -> Option<i64> {
    let length = i64::try_from(wanted.len()).unwrap_or(0).min(5_000) * 2;
    let regex = annotation(ingress, "nginx.ingress.kubernetes.io/use-regex") == Some("true")
        || annotation(ingress, "nginx.ingress.kubernetes.io/rewrite-target").is_some_and(|t| t.contains('$'));
    if regex && kind != "Exact" {
        let expression = regex::Regex::new(&format!("^(?:{wanted})")).ok()?;
        return expression.is_match(path).then_some(length);
    }
    match kind {
        "Exact" => (path == wanted).then_some(length + 1),
        _ => is_below(wanted, path).then_some(length),
    }
}

/// Whether the path is the prefix or below it, element by element.
fn is_below(prefix: &str, path: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn traefik_routes(world: &World, route: &Value, asked: &Asked<'_>, offer: &mut dyn FnMut(Fit, &dyn Fn() -> Route)) {
    for rule in list(route, "/spec/routes") {
        let written = text(rule, "/match");
        let Ok(matcher) = Matcher::parse(written) else { continue };
        if !matcher.matches(asked) {
            continue;
        }
        let services = list(rule, "/services");
        let service = services.iter().find(|s| matches!(text(s, "/kind"), "" | "Service"));
        let priority = rule.get("priority").and_then(Value::as_i64).filter(|p| *p > 0);
        // A rule that names the host stands with the Ingress rules that do; among its like the longer one wins. A priority
        // that is written stands in the length's place: 1 is behind all others.
        let base = if matcher.hosts().is_empty() && priority.is_none() { 0 } else { 40_000 };
        let fit = base + priority.unwrap_or(i64::try_from(written.len()).unwrap_or(0)).min(40_000);
        offer((fit, written.len()), &|| {
            let reference = service.unwrap_or(&Value::Null);
            let within = text(reference, "/namespace");
            let mut middlewares = Vec::new();
            if matcher.asks_for_client() {
                middlewares.push(Middleware::NotSimulated("matcher ClientIP".to_owned()));
            }
            middlewares.extend(Middleware::of_references(world, namespace(route), list(rule, "/middlewares")));
            let other = services.iter().find(|s| !matches!(text(s, "/kind"), "" | "Service"));
            if let Some(other) = other {
                middlewares.push(Middleware::NotSimulated(format!(
                    "{} {}",
                    text(other, "/kind"),
                    text(other, "/name")
                )));
            }
            Route {
                owner: format!("IngressRoute {}/{}", namespace(route), name(route)),
                namespace: if within.is_empty() { namespace(route).to_owned() } else { within.to_owned() },
                service: text(reference, "/name").to_owned(),
                port: reference.get("port").cloned().unwrap_or_default(),
                middlewares,
            }
        });
    }
}

/// The secret with the certificate of a host, as namespace and name.
pub(crate) fn secret_of(world: &World, host: &str) -> Option<(String, String)> {
    for ingress in world.list(INGRESS.id, None) {
        for tls in list(ingress, "/spec/tls") {
            let fits =
                list(tls, "/hosts").iter().filter_map(Value::as_str).any(|h| host_fit(h, host).is_some_and(|f| f > 0));
            let secret = text(tls, "/secretName");
            if fits && !secret.is_empty() {
                return Some((namespace(ingress).to_owned(), secret.to_owned()));
            }
        }
    }
    for route in world.list(INGRESS_ROUTE.id, None) {
        let secret = text(route, "/spec/tls/secretName");
        let fits = list(route, "/spec/routes")
            .iter()
            .filter_map(|r| Matcher::parse(text(r, "/match")).ok())
            .any(|m| m.hosts().iter().any(|h| h.eq_ignore_ascii_case(host)));
        if fits && !secret.is_empty() {
            return Some((namespace(route).to_owned(), secret.to_owned()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_matched_by_element() {
        assert!(is_below("/", "/anything"));
        assert!(is_below("/graphql", "/graphql"));
        assert!(is_below("/graphql/", "/graphql/x"));
        assert!(!is_below("/graphql", "/graphqlx"));
    }

    #[test]
    fn a_wildcard_takes_in_one_label() {
        assert!(host_fit("*.example.com", "a.example.com").is_some());
        assert!(host_fit("*.example.com", "a.b.example.com").is_none());
        assert!(host_fit("*.example.com", "example.com").is_none());
        assert!(host_fit("a.example.com", "a.example.com") > host_fit("*.example.com", "a.example.com"));
    }
}
