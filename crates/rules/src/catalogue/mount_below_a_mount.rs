use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use serde_json::Value;

use crate::pods::{Container, PodTemplate};
use crate::rule::Rule;
use crate::scripts::volume_of;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF397",
    title: "a volume is not mounted below itself",
    severity: Severity::Warning,
    why: "Two mounts of one volume without `subPath` both show its root. What the program writes below the inner path lies in \
          the root, among everything else, and not where the outer mount has that directory: a backup, or a pod with one of the \
          mounts alone, finds it in another place.",
    advice: "Leave out the inner mount, or give it the directory as its `subPath`.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        for container in template.containers() {
            for Twice { at, volume, outer, inner } in twice(&desired.object, &template, &container) {
                let name = container.name;
                findings.push(
                    RULE.finding(format!(
                        "container `{name}` mounts volume `{volume}` at `{outer}`, and below it at `{inner}` once more"
                    ))
                    .because("both show the same directory: what lies below the inner path is not where the outer one has it")
                    .at(desired.spot_at(&format!("{}.volumeMounts[{at}]", container.path))),
                );
            }
        }
    }
    findings
}

/// A volume that is mounted below itself: which of the mounts is the inner one, and the two paths.
#[derive(Debug, PartialEq, Eq)]
struct Twice<'c> {
    at: usize,
    volume: &'c str,
    outer: &'c str,
    inner: &'c str,
}

/// The mounts of a container that lie below another one of the same volume and of the same part of it.
fn twice<'c>(owner: &Object, template: &PodTemplate<'_>, container: &Container<'c>) -> Vec<Twice<'c>> {
    let mounts = container.value["volumeMounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found = Vec::new();
    for (at, mount) in mounts.iter().enumerate() {
        let (Some(volume), Some(inner)) = (mount["name"].as_str(), mount["mountPath"].as_str()) else { continue };
        let around = mounts.iter().filter(|other| other["name"] == volume && part_of(other) == part_of(mount));
        let outer = around.filter_map(|other| other["mountPath"].as_str()).find(|outer| is_below(inner, outer));
        if let Some(outer) = outer.filter(|_| keeps_data(owner, template, mount)) {
            found.push(Twice { at, volume, outer, inner });
        }
    }
    found
}

/// The part of its volume that a mount shows; none for its root.
fn part_of(mount: &Value) -> Option<&str> {
    let part = mount["subPathExpr"].as_str().or_else(|| mount["subPath"].as_str());
    part.map(|it| it.trim_matches('/')).filter(|it| !it.is_empty() && *it != ".")
}

/// Whether a path lies below another one, by whole steps.
fn is_below(inner: &str, outer: &str) -> bool {
    let outer = outer.trim_end_matches('/');
    let below = inner.strip_prefix(outer).and_then(|rest| rest.strip_prefix('/'));
    !outer.is_empty() && below.is_some_and(|rest| !rest.trim_matches('/').is_empty())
}

/// Whether a mount shows what a program keeps: a claim, or a directory that several see. What is only read, or gone with its pod,
/// may be shown anywhere.
fn keeps_data(owner: &Object, template: &PodTemplate<'_>, mount: &Value) -> bool {
    match volume_of(template, mount) {
        Some(volume) => ["persistentVolumeClaim", "ephemeral", "nfs"].iter().any(|kind| volume[*kind].is_object()),
        None => owner.list_at("/spec/volumeClaimTemplates").iter().any(|it| it["metadata"]["name"] == mount["name"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_lies_below_another_by_whole_steps() {
        assert!(is_below("/data/attachments", "/data"));
        assert!(is_below("/data/a/b/", "/data/"));
        for (inner, outer) in
            [("/data", "/data"), ("/data/", "/data"), ("/database", "/data"), ("/data", "/"), ("/a", "/a/b")]
        {
            assert!(!is_below(inner, outer), "{inner} {outer}");
        }
    }

    #[test]
    fn the_root_is_no_part() {
        for mount in [serde_json::json!({}), serde_json::json!({"subPath": ""}), serde_json::json!({"subPath": "./"})] {
            assert_eq!(part_of(&mount), None, "{mount}");
        }
        assert_eq!(part_of(&serde_json::json!({"subPath": "a/"})), Some("a"));
        assert_eq!(part_of(&serde_json::json!({"subPathExpr": "$(NAME)"})), Some("$(NAME)"));
    }
}
