use std::collections::BTreeMap;

use landfall_diag::{Finding, Severity};
use serde_json::Value;

use crate::pods::{Container, PodTemplate};
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF346",
    title: "what may not write to its image has a place to write to, as the same image has beside it",
    severity: Severity::Warning,
    why: "With `readOnlyRootFilesystem` a program writes to its mounts alone. Where the other containers of an image have an empty \
          volume at `/tmp` and one has none, that one ends as soon as it writes a file: a lock, a socket, a cache.",
    advice: "Mount an empty volume there, as the others of the image do.",
    check,
};

/// A container that may not write to its image.
struct ReadOnly<'s> {
    desired: &'s Desired,
    container: Container<'s>,
    /// Where its empty volumes are mounted.
    scratch: Vec<&'s str>,
}

/// So many others of one image say what it needs.
const OTHERS: usize = 2;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut images: BTreeMap<&str, Vec<ReadOnly<'_>>> = BTreeMap::new();
    for (desired, template) in subject.pods() {
        // An image that somebody else fills in says nothing of what it needs.
        let is_known = |image: &str| image.starts_with(|it: char| it.is_ascii_alphanumeric());
        let of_known = |it: &Container<'_>| is_read_only(it.value) && is_known(it.image());
        for container in template.containers().into_iter().filter(of_known) {
            let scratch = scratch(&template, &container);
            images.entry(container.image()).or_default().push(ReadOnly { desired, container, scratch });
        }
    }
    let mut findings = Vec::new();
    for all in images.values() {
        for one in all {
            let Some((place, others)) = missed(one, all) else { continue };
            let namesake = others.iter().any(|it| it.container.name == one.container.name);
            if others.len() < OTHERS && !namesake {
                continue;
            }
            let told = RULE
                .finding(format!(
                    "container `{}` of {} `{}` may write nowhere, and its image has an empty volume at {place} beside it",
                    one.container.name,
                    one.desired.object.kind(),
                    one.desired.object.name()
                ))
                // What another command of the image needs is not said by it.
                .weighing(if namesake { Severity::Warning } else { Severity::Info })
                .because(format!(
                    "container `{}` of {} `{}` is given one",
                    others[0].container.name,
                    others[0].desired.object.kind(),
                    others[0].desired.object.name()
                ))
                .at(one.desired.spot_at(&one.container.path));
            findings.push(told);
        }
    }
    findings
}

fn is_read_only(container: &Value) -> bool {
    container["securityContext"]["readOnlyRootFilesystem"] == true
}

/// Where a container has empty volumes.
fn scratch<'s>(template: &PodTemplate<'s>, container: &Container<'s>) -> Vec<&'s str> {
    // One that is made for the pod is as empty.
    let is_new = |volume: &Value| !volume["emptyDir"].is_null() || !volume["ephemeral"].is_null();
    let is_empty = |name: &Value| template.volumes().iter().any(|it| it["name"] == *name && is_new(it));
    mounts(container).filter(|it| is_empty(&it["name"])).filter_map(|it| it["mountPath"].as_str()).collect()
}

fn mounts<'s>(container: &Container<'s>) -> impl Iterator<Item = &'s Value> {
    container.value["volumeMounts"].as_array().into_iter().flatten()
}

/// The place for what is short-lived that the others of an image have and one has not, with those that have it.
fn missed<'a, 's>(one: &ReadOnly<'_>, all: &'a [ReadOnly<'s>]) -> Option<(&'s str, Vec<&'a ReadOnly<'s>>)> {
    // What writes anywhere was thought of.
    if !one.scratch.is_empty() {
        return None;
    }
    let is_temporary = |path: &&&str| matches!(path.trim_end_matches('/'), "/tmp" | "/var/tmp");
    let place = all.iter().flat_map(|it| &it.scratch).find(is_temporary)?;
    let covers = |mount: &Value| {
        let path = mount["mountPath"].as_str().unwrap_or_default().trim_end_matches('/');
        place.trim_end_matches('/').strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if mounts(&one.container).any(covers) {
        return None;
    }
    Some((place, all.iter().filter(|it| it.scratch.contains(place)).collect()))
}
