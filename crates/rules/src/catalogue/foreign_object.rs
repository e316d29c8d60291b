use std::collections::BTreeMap;

use landfall_diag::{Finding, Severity};
use landfall_object::Object;

use crate::rule::Rule;
use crate::subject::{Desired, DesiredUnit, Door, Known, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF131",
    title: "no object belongs to two, and none of somebody else's is taken",
    severity: Severity::Error,
    why: "Two releases that deliver one object write over each other, and the first to be uninstalled takes it from the \
          other. An object of another release, or one that was made by hand, is refused by Helm half-way through.",
    advice: "Name the object differently, or leave it to the one that owns it.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = delivered_twice(subject);
    // What belongs to the same other is one cause.
    let mut taken: BTreeMap<(&str, String, &'static str), Vec<&Desired>> = BTreeMap::new();
    let is_rendered_before = |object: &Object| {
        let mut base = subject.base.into_iter().flatten();
        base.any(|unit| unit.object(object.group(), object.kind(), object.namespace(), object.name()).is_some())
    };
    for unit in subject.units {
        let manifests = unit.objects.iter().filter(|it| it.role == Role::Manifest);
        for desired in manifests {
            let object = &desired.object;
            // What the base revision renders and nobody has read from a cluster bears no mark of its owner.
            if subject.cluster.known == Known::Assumed && is_rendered_before(object) {
                continue;
            }
            let live = subject.before.get(object.group(), object.kind(), object.namespace(), object.name());
            let Some(why) = live.and_then(|live| foreign(unit, live)) else { continue };
            taken.entry((object.kind(), why.0, why.1)).or_default().push(desired);
        }
    }
    findings.extend(taken.into_iter().map(|((kind, whose, because), taken)| {
        let name = taken[0].object.name();
        let message = match taken.len() {
            1 => format!("{kind} `{name}` is there already and {whose}"),
            count => format!("{kind} `{name}` and {} more are there already, of which each {whose}", count - 1),
        };
        let finding = RULE.finding(message).keyed(format!("{kind} {name} {whose}")).because(because);
        taken.into_iter().fold(finding, |finding, desired| finding.at(desired.spot()))
    }));
    findings
}

fn delivered_twice(subject: &Subject<'_>) -> Vec<Finding> {
    let mut owners: BTreeMap<(&str, &str, Option<&str>, &str), Vec<&Desired>> = BTreeMap::new();
    for desired in subject.objects().filter(|it| it.role == Role::Manifest) {
        let object = &desired.object;
        let entry = owners.entry((object.group(), object.kind(), object.namespace(), object.name())).or_default();
        if entry.iter().all(|other| other.unit != desired.unit) {
            entry.push(desired);
        }
    }
    let mut findings = Vec::new();
    for ((_, kind, _, name), owners) in owners.into_iter().filter(|(_, owners)| owners.len() > 1) {
        let mut units: Vec<String> = owners.iter().map(|owner| format!("`{}`", owner.unit)).collect();
        units.sort();
        let mut finding = RULE
            .finding(format!("{kind} `{name}` is delivered by {}", units.join(" and by ")))
            .keyed(format!("{:?}", owners[0].key()))
            .because("each takes it for its own: they write over each other, and removing one removes it for both");
        for owner in owners {
            finding = finding.at(owner.spot());
        }
        findings.push(finding);
    }
    findings
}

/// Whose a live object is, when it is not the unit's, and what follows.
fn foreign(unit: &DesiredUnit, live: &Object) -> Option<(String, &'static str)> {
    let release = live.annotation("meta.helm.sh/release-name");
    let namespace = live.annotation("meta.helm.sh/release-namespace");
    let tracked = live.annotation("argocd.argoproj.io/tracking-id").and_then(|id| id.split(':').next());
    let helm = (release, namespace) == (Some(unit.name.as_str()), Some(unit.namespace.as_str()));
    match &unit.door {
        Door::Release => {
            if helm && live.label("app.kubernetes.io/managed-by") == Some("Helm") {
                return None;
            }
            // The namespace that a release renders for itself is adopted: something had to make it first.
            if live.kind() == "Namespace" && live.name() == unit.namespace && release.is_none() {
                return None;
            }
            let why = "Helm refuses the release before it changes anything";
            Some(match (release, tracked) {
                (Some(release), _) if !helm => {
                    (format!("belongs to release `{release}` in namespace {}", namespace.unwrap_or("?")), why)
                }
                (_, Some(application)) => (format!("belongs to Application `{application}`"), why),
                _ => ("belongs to no release".to_owned(), why),
            })
        }
        Door::Application(_) => {
            let why = "both deliver it from now on, and write over each other";
            match (tracked, release) {
                // One of another namespace than Argo CD's is known with that before its name.
                (Some(application), _) if application.rsplit('_').next() == Some(unit.name.as_str()) => None,
                (Some(application), _) => Some((format!("belongs to Application `{application}`"), why)),
                (None, Some(release)) if release != unit.name => Some((format!("belongs to release `{release}`"), why)),
                _ => None,
            }
        }
    }
}
