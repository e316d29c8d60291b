use landfall_diag::{Finding, Severity};

use crate::pods::ContainerRole;
use crate::rule::Rule;
use crate::subject::{Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF347",
    title: "whether a container lives is another question than whether it is ready",
    severity: Severity::Info,
    why: "A program says that it is not ready while its database is away, or while it is busy. Where the liveness probe asks the \
          same, it is killed for that, and all its copies at once: what would have come back by itself starts from nothing.",
    advice: "Ask the program's own endpoint for being alive, or leave the liveness probe out.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods().filter(|(desired, _)| desired.role == Role::Manifest) {
        for container in template.containers().iter().filter(|it| it.role != ContainerRole::Init) {
            let live = &container.value["livenessProbe"]["httpGet"];
            let Some(path) = live["path"].as_str().filter(|path| asks_for_readiness(path)) else { continue };
            findings.push(
                RULE.finding(format!(
                    "the liveness probe of container `{}` asks whether it is ready: {path}",
                    container.name
                ))
                .because("it is killed whenever what it waits for is away")
                .at(desired.spot_at(&format!("{}.livenessProbe.httpGet.path", container.path))),
            );
        }
    }
    findings
}

/// Whether an address says by its last word that it is for readiness.
fn asks_for_readiness(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    matches!(&*last, "ready" | "readyz" | "readiness" | "isready" | "is_ready" | "readinesscheck")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_asks_for_readiness_by_its_last_word() {
        for path in ["/ready", "/health/ready", "/-/ready", "/readyz?verbose", "/actuator/health/readiness/"] {
            assert!(asks_for_readiness(path), "{path}");
        }
        for path in ["/", "/health", "/alive", "/ready/alive", "/already"] {
            assert!(!asks_for_readiness(path), "{path}");
        }
    }
}
