//! Routes of the Gateway API that no listener of their Gateway takes.

use landfall_diag::Finding;
use serde_json::Value;

use crate::rule::Rule;
use crate::subject::{Desired, Subject};

const GROUP: &str = "gateway.networking.k8s.io";

/// A listener as a route's parent asks for it.
struct Asked<'a> {
    section: Option<&'a str>,
    port: Option<u64>,
}

impl Asked<'_> {
    fn is(&self, listener: &Value) -> bool {
        self.section.is_none_or(|it| listener["name"] == it) && self.port.is_none_or(|it| listener["port"] == it)
    }
}

/// The routes whose Gateway will be there without a listener that they name, or with none for their hosts.
pub(super) fn unattached(subject: &Subject<'_>, rule: &Rule) -> Vec<Finding> {
    let mut findings = Vec::new();
    let routes = subject.objects().filter(|it| it.object.group() == GROUP && it.object.kind().ends_with("Route"));
    for route in routes {
        for (at, parent) in route.object.list_at("/spec/parentRefs").iter().enumerate() {
            findings.extend(of_parent(subject, rule, route, at, parent));
        }
    }
    findings
}

fn of_parent(subject: &Subject<'_>, rule: &Rule, route: &Desired, at: usize, parent: &Value) -> Option<Finding> {
    let text = |field: &str| parent[field].as_str().filter(|it| !it.is_empty());
    // A set of listeners of its own, or a Service of a mesh, is another parent.
    if text("kind").is_some_and(|it| it != "Gateway") || text("group").is_some_and(|it| it != GROUP) {
        return None;
    }
    let (name, namespace) = (text("name")?, text("namespace").or_else(|| route.object.namespace()));
    let gateway = subject.find(GROUP, "Gateway", namespace, name)?;
    let listeners = gateway.object().list_at("/spec/listeners");
    let asked = Asked { section: text("sectionName"), port: parent["port"].as_u64() };
    let named: Vec<&Value> = listeners.iter().filter(|it| asked.is(it)).collect();
    let (kind, own) = (route.object.kind(), route.object.name());
    if listeners.is_empty() {
        return None;
    }
    if named.is_empty() {
        let wanted = match (asked.section, asked.port) {
            (Some(section), _) if listeners.iter().all(|it| it["name"] != section) => format!("`{section}`"),
            (_, Some(port)) => format!("of port {port}"),
            (section, None) => format!("`{}`", section.unwrap_or_default()),
        };
        let names: Vec<&str> = listeners.iter().filter_map(|it| it["name"].as_str()).collect();
        let field = if wanted.starts_with('`') { "sectionName" } else { "port" };
        return Some(
            rule.finding(format!(
                "{kind} `{own}` asks for the listener {wanted}, which Gateway `{name}` does not have"
            ))
            .because("the Gateway does not take the route, and answers its hosts with 404")
            .help(match asked.section.and_then(|it| landfall_diag::nearest(it, names.iter().copied())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its listeners are called {}", names.join(", ")),
            })
            .at(route.spot_at(&format!("spec.parentRefs[{at}].{field}"))),
        );
    }
    let hosts: Vec<&str> = route.object.list_at("/spec/hostnames").iter().filter_map(Value::as_str).collect();
    let takes = |listener: &&Value| match listener["hostname"].as_str().filter(|it| !it.is_empty()) {
        Some(of) => hosts.iter().any(|host| meet(of, host)),
        None => true,
    };
    (!hosts.is_empty() && !named.iter().any(takes)).then(|| {
        let of: Vec<&str> = named.iter().filter_map(|it| it["hostname"].as_str()).collect();
        rule.finding(format!("{kind} `{own}` is for hosts that no listener of Gateway `{name}` takes"))
            .because(format!("the listeners that it asks for are for {}", of.join(", ")))
            .help("name a host that the listener is for, or widen the listener's `hostname`")
            .at(route.spot_at("spec.hostnames"))
    })
}

/// Whether a listener's host and a route's have names in common; `*.` stands for one label or more.
fn meet(listener: &str, route: &str) -> bool {
    let within = |pattern: &str, host: &str| {
        pattern.strip_prefix('*').is_some_and(|end| host.len() > end.len() && host.ends_with(end))
    };
    let (listener, route) = (listener.to_ascii_lowercase(), route.to_ascii_lowercase());
    listener == route || within(&listener, &route) || within(&route, &listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_meet_where_one_name_is_of_both() {
        for (listener, route) in [
            ("shop.example.com", "SHOP.example.com"),
            ("*.example.com", "a.b.example.com"),
            ("shop.example.com", "*.example.com"),
            ("*.shop.example.com", "*.example.com"),
        ] {
            assert!(meet(listener, route), "{listener} {route}");
        }
        for (listener, route) in [("*.example.com", "example.com"), ("*.example.com", "a.example.org")] {
            assert!(!meet(listener, route), "{listener} {route}");
        }
    }
}
