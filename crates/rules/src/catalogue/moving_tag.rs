use std::collections::{BTreeMap, BTreeSet};

use landfall_chart::HookEvent;
use landfall_diag::{Finding, Severity, Spot};

use crate::rule::Rule;
use crate::subject::{Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF117",
    title: "images are pinned to what was tested",
    severity: Severity::Error,
    why: "A tag that moves means something else tomorrow: two nodes run two programs under one name, a restart is an \
          upgrade that nobody decided, and a rollback brings nothing back.",
    advice: "Name the version or the commit as the tag, or pin the digest (`@sha256:…`).",
    check,
};

/// Tags that publishers move.
const MOVING: &[&str] = &[
    "latest",
    "stable",
    "edge",
    "main",
    "master",
    "nightly",
    "canary",
    "dev",
    "develop",
    "development",
    "next",
    "rolling",
    "snapshot",
    "unstable",
    "testing",
    "current",
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let severity = if subject.is_protected() { Severity::Error } else { Severity::Warning };
    let mut findings = Vec::new();
    let mut gone: BTreeMap<&str, Vec<(String, Spot)>> = BTreeMap::new();
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            let image = container.image();
            if let Some(what) = withdrawn(image) {
                let spot = desired.spot_at(&format!("{}.image", container.path));
                gone.entry(what).or_default().push((image.to_owned(), spot));
                continue;
            }
            let Some(what) = moving(image) else { continue };
            // What only `helm test` starts runs nowhere else.
            let severity = if is_test(&desired.role) { Severity::Info } else { severity };
            findings.push(
                RULE.finding(format!("image `{image}` {what}"))
                    .of_family(what)
                    .weighing(severity)
                    .because("what runs can change without any change here, and differ from node to node")
                    .at(desired.spot_at(&format!("{}.image", container.path))),
            );
        }
    }
    findings.extend(gone.into_iter().map(|(what, images)| of_catalogue(what, images)));
    findings
}

/// One finding for all images of a catalogue: what became of it is one cause.
fn of_catalogue(what: &str, images: Vec<(String, Spot)>) -> Finding {
    let names: BTreeSet<&String> = images.iter().map(|(image, _)| image).collect();
    let first = images.first().map(|(image, _)| image.as_str()).unwrap_or_default();
    let message = match names.len() {
        1 => format!("image `{first}` is {what}"),
        count => format!("image `{first}` and {} more are {what}", count - 1),
    };
    let finding = RULE
        .finding(message)
        .keyed(what)
        .weighing(Severity::Warning)
        .because("a node that does not have it yet cannot pull it, or pulls what is never mended again")
        .help("take the image from its own project, or mirror it into a registry of yours");
    images.into_iter().fold(finding, |finding, (_, spot)| finding.at(spot))
}

fn is_test(role: &Role) -> bool {
    matches!(role, Role::Hook { events, .. } if events.iter().all(|event| *event == HookEvent::Test))
}

/// What has become of a catalogue: Bitnami took the versions out of its public one in 2025 and keeps a copy as it was.
fn withdrawn(image: &str) -> Option<&'static str> {
    let name = ["docker.io/", "index.docker.io/", "registry-1.docker.io/"]
        .into_iter()
        .find_map(|host| image.strip_prefix(host))
        .unwrap_or(image);
    if name.starts_with("bitnamilegacy/") {
        return Some("of a catalogue that gets no updates any more");
    }
    let rest = name.strip_prefix("bitnami/")?;
    let pinned = !rest.contains('@') && rest.split_once(':').is_some_and(|(_, tag)| !MOVING.contains(&tag));
    pinned.then_some("of a catalogue whose versions were withdrawn")
}

/// What is loose in a reference to an image; nothing when it names one image.
fn moving(image: &str) -> Option<String> {
    if image.is_empty() || image.contains('@') {
        return None;
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    match name.split_once(':') {
        None => Some("has no tag, which means `latest`".to_owned()),
        Some((_, tag)) if MOVING.contains(&tag) => Some(format!("has the tag `{tag}`, which moves")),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_the_registry_is_no_tag() {
        assert!(moving("registry.example.com:5000/web").is_some());
        assert!(moving("registry.example.com:5000/web:1.2.3").is_none());
        assert!(moving("web@sha256:00").is_none());
        assert!(moving("web:latest@sha256:00").is_none());
        assert!(moving("web:latest").is_some());
        assert!(withdrawn("docker.io/bitnami/redis:7.2").is_some());
        assert!(withdrawn("bitnami/redis:latest").is_none());
        assert!(withdrawn("registry.example.com/bitnami/redis:7.2").is_none());
    }
}
