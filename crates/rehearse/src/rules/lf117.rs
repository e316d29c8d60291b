use crate::finding::{Finding, Severity};
use crate::rule::Rule;
use crate::subject::Subject;

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
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            let image = container.image();
            let Some(what) = moving(image) else { continue };
            findings.push(
                Finding::of(&RULE, format!("image `{image}` {what}"))
                    .weighing(severity)
                    .because("what runs can change without any change here, and differ from node to node")
                    .at(desired.spot_at(&format!("{}.image", container.path))),
            );
        }
    }
    findings
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
    }
}
