use landfall_diag::{Finding, Severity};
use landfall_object::references::references;

use crate::routes::{TRAEFIK, all_routes};
use crate::rule::Rule;
use crate::subject::{Found, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF152",
    title: "strict transport security binds only what is served here",
    severity: Severity::Info,
    why: "`includeSubdomains` on a domain's own host binds every host below it, for as long as the header says, in every \
          browser that has seen it once: also those that are served elsewhere, over plain HTTP, or not at all yet.",
    advice: "Leave `stsIncludeSubdomains` out for the domain's own host, or be sure that all of its hosts speak TLS.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let routes = all_routes(subject);
    for middleware in TRAEFIK.into_iter().flat_map(|group| subject.of_kind(group, "Middleware")) {
        let object = &middleware.object;
        if object.bool_at("/spec/headers/stsIncludeSubdomains") != Some(true) {
            continue;
        }
        for (found, route) in &routes {
            let Found::Desired(desired) = found else { continue };
            let used = references(&desired.object).into_iter().any(|it| {
                it.kind == "Middleware"
                    && it.name == object.name()
                    && it.namespace.as_deref() == object.namespace()
                    && (it.path.starts_with(&route.field) || it.path.starts_with("metadata."))
            });
            for host in route.hosts.iter().filter(|host| used && is_domain(host)) {
                findings.push(
                    RULE.finding(format!("strict transport security of `{host}` binds every host below it"))
                        .because("hosts of the domain that are served elsewhere must speak TLS too, or are not reached any more")
                        .at(middleware.spot_at("spec.headers.stsIncludeSubdomains"))
                        .at(desired.spot_at(&route.field)),
                );
            }
        }
    }
    findings
}

/// Whether a host is a domain itself, as one would register it.
fn is_domain(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    match labels.as_slice() {
        [_, _] => true,
        // `example.co.uk`
        [_, second, country] => country.len() == 2 && ["co", "com", "net", "org", "ac", "gov"].contains(second),
        _ => false,
    }
}
