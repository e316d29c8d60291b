use landfall_diag::{Finding, Severity};

use crate::routes::{all_routes, covers};
use crate::rule::Rule;
use crate::subject::{Found, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF143",
    title: "only the hosts that were agreed on are public",
    severity: Severity::Error,
    why: "One more route is one more door. A host that nobody has agreed on, or a route without any host, opens a system to \
          everybody who can reach its address, and no check looks there.",
    advice: "Add the host to `hosts.allow` of the environment once it is agreed on, or take the route away.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let allowed = subject.environment.and_then(|(_, environment)| environment.hosts.as_ref()?.allow.as_ref());
    let Some(allowed) = allowed.map(|allow| allow.iter().collect::<Vec<_>>()) else { return Vec::new() };
    let mut findings = Vec::new();
    for (found, route) in all_routes(subject) {
        if matches!(found, Found::Before(_)) {
            continue;
        }
        let hosts = if route.hosts.is_empty() { vec!["*".to_owned()] } else { route.hosts.clone() };
        for host in hosts.iter().filter(|host| !allowed.iter().any(|name| covers(name, host))) {
            let what = if host == "*" { "any host".to_owned() } else { format!("`{host}`") };
            let object = found.object();
            let message = format!("{} `{}` makes {what} public, which was not agreed on", object.kind(), object.name());
            findings.push(
                RULE.finding(message)
                    .because(format!("only {} may be", allowed.join(", ")))
                    .at(found.spot_at(&route.field)),
            );
        }
    }
    findings
}
