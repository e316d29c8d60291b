use std::collections::{BTreeMap, BTreeSet};

use landfall_diag::{Finding, Severity};
use landfall_object::Object;

use crate::routes::{Route, all_routes};
use crate::rule::Rule;
use crate::subject::{Found, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF139",
    title: "a host and path is routed once",
    severity: Severity::Error,
    why: "Of two routes for one address a controller refuses one, or serves whichever it read first, and that can \
          change with a restart: half of what was meant to be there is not.",
    advice: "Give one of the two another host or path, or merge them.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut by_address: BTreeMap<(String, String, String), Vec<(Found<'_>, Route<'_>)>> = BTreeMap::new();
    for (found, route) in all_routes(subject) {
        // A backend for all that no rule takes is no address of its own.
        let Some((kind, path)) = route.path.clone().filter(|_| route.plain) else {
            if route.plain && !route.hosts.is_empty() {
                for host in &route.hosts {
                    let entry = by_address.entry((scope(route.object), host.clone(), "PathPrefix /".to_owned()));
                    entry.or_default().push((found, route.clone()));
                }
            }
            continue;
        };
        let kind = if kind == "ImplementationSpecific" { "Prefix".to_owned() } else { kind };
        let trimmed = if kind == "Prefix" { path.trim_end_matches('/') } else { path.as_str() };
        let path = format!("{kind} {}", if trimmed.is_empty() { "/" } else { trimmed });
        let hosts = if route.hosts.is_empty() { vec![String::new()] } else { route.hosts.clone() };
        for host in hosts {
            by_address.entry((scope(route.object), host, path.clone())).or_default().push((found, route.clone()));
        }
    }
    let mut findings = Vec::new();
    for ((_, host, path), routed) in by_address {
        let objects: BTreeSet<String> = routed.iter().map(|(_, route)| called(route.object)).collect();
        // At least one of them is of this change, and they do not all lead to the same place.
        let is_ours = routed.iter().any(|(found, _)| matches!(found, Found::Desired(_)));
        let alike = routed.windows(2).all(|pair| leads_alike(&pair[0].1, &pair[1].1));
        // To one place from one object: it is written twice, and does no harm.
        let is_repeated = routed
            .windows(2)
            .all(|pair| std::ptr::eq(pair[0].1.object, pair[1].1.object) && pair[0].1.services == pair[1].1.services);
        if routed.len() < 2 || !is_ours || (alike && !is_repeated) {
            continue;
        }
        let address =
            format!("{}{}", if host.is_empty() { "*" } else { &host }, path.split_once(' ').map_or("/", |it| it.1));
        let objects: Vec<String> = objects.into_iter().collect();
        let who = if objects.len() == 1 {
            format!("twice by {}", objects[0])
        } else {
            format!("by {}", objects.join(" and "))
        };
        let mut finding = RULE
            .finding(format!("`{address}` is routed {who}"))
            .keyed(format!("{address} {who}"))
            .weighing(if alike { Severity::Info } else { RULE.severity })
            .because(match alike {
                true => "both lead to the same place: one of them was meant otherwise, or is left over",
                false => "only one of them answers, and nothing says which",
            });
        let mut routed = routed;
        routed.sort_by_key(|(found, _)| matches!(found, Found::Before(_)));
        for (found, route) in routed {
            finding = finding.at(found.spot_at(&route.field));
        }
        findings.push(finding);
    }
    findings
}

/// Where routes compete: one controller, listening in one place, with one rank.
fn scope(object: &Object) -> String {
    if object.kind() == "IngressRoute" {
        let mut entries: Vec<&str> = object.list_at("/spec/entryPoints").iter().filter_map(|it| it.as_str()).collect();
        entries.sort_unstable();
        return format!("{} {entries:?}", object.group());
    }
    let class = object.str_at("/spec/ingressClassName").or(object.annotation("kubernetes.io/ingress.class"));
    let apart = [
        "traefik.ingress.kubernetes.io/router.entrypoints",
        "nginx.ingress.kubernetes.io/canary",
        "nginx.org/mergeable-ingress-type",
        "alb.ingress.kubernetes.io/group.order",
        "alb.ingress.kubernetes.io/load-balancer-name",
        "traefik.ingress.kubernetes.io/router.priority",
    ];
    let apart: Vec<Option<&str>> = apart.into_iter().map(|name| object.annotation(name)).collect();
    format!("Ingress {class:?} {apart:?}")
}

fn leads_alike(one: &Route<'_>, other: &Route<'_>) -> bool {
    let rank = |route: &Route<'_>| {
        let pointer = format!("/{}/priority", route.field.replace(['.', '['], "/").replace(']', ""));
        route.object.at(&pointer).cloned()
    };
    one.services == other.services || rank(one) != rank(other)
}

fn called(object: &Object) -> String {
    let namespace = object.namespace().map(|namespace| format!(" ({namespace})")).unwrap_or_default();
    format!("{} `{}`{namespace}", object.kind(), object.name())
}
