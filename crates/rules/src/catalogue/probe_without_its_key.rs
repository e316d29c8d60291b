use landfall_diag::{Finding, Severity};
use serde_json::Value;

use crate::pods::{Container, ContainerRole};
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF386",
    title: "probes of one page say alike who asks",
    severity: Severity::Warning,
    why: "A page that asks for a password answers 401 to whoever brings none. Where one probe of a container \
          brings one and another does not, the second one fails from the first minute: the pod never becomes \
          ready, or is killed again and again.",
    advice: "Give all probes of the page the same `Authorization` header, or ask for a page that is open.",
    check,
};

/// The probes of a container, with their words and what follows when they fail.
const PROBES: &[(&str, &str, &str)] = &[
    ("startupProbe", "startup probe", "the container never counts as started"),
    ("readinessProbe", "readiness probe", "the pod never becomes ready"),
    ("livenessProbe", "liveness probe", "the container is killed again and again"),
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        for container in template.containers().iter().filter(|it| it.role != ContainerRole::Init) {
            findings.extend(without_key(desired, container));
        }
    }
    findings
}

/// Probes that bring no password to a page to which another one of the container brings one.
fn without_key(desired: &Desired, container: &Container<'_>) -> Vec<Finding> {
    let asked = |probe: &str| Some(&container.value[probe]["httpGet"]).filter(|it| it.is_object());
    let mut findings = Vec::new();
    for (probe, word, consequence) in PROBES {
        let Some(open) = asked(probe).filter(|it| !says_who_asks(it)) else { continue };
        let is_meant = |(_, other, _): &&(&str, &str, &str)| *other != *word;
        let keyed = PROBES
            .iter()
            .filter(is_meant)
            .find(|(other, _, _)| asked(other).is_some_and(|it| says_who_asks(it) && is_same_page(it, open)));
        let Some((_, other, _)) = keyed else { continue };
        findings.push(
            RULE.finding(format!(
                "the {word} of container `{}` asks without `Authorization`, and its {other} asks the same page with it",
                container.name
            ))
            .because(format!("where a password is asked for, this one is answered with 401, and {consequence}"))
            .at(desired.spot_at(&format!("{}.{probe}.httpGet", container.path))),
        );
    }
    findings
}

fn says_who_asks(asked: &Value) -> bool {
    let headers = asked["httpHeaders"].as_array().into_iter().flatten();
    headers.filter_map(|it| it["name"].as_str()).any(|name| name.eq_ignore_ascii_case("authorization"))
}

fn is_same_page(one: &Value, other: &Value) -> bool {
    let path = |asked: &Value| asked["path"].as_str().unwrap_or("/").to_owned();
    one["port"] == other["port"] && path(one) == path(other)
}
