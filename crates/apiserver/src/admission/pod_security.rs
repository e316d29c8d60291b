//! PodSecurity: pods that a namespace's labels do not let in, and workloads that would make such pods
//! (`pod-security-admission/admission/admission.go`). Nobody is exempt, as in the real server's own configuration.

use std::collections::{BTreeMap, HashSet};

use landfall_object::pod_security::{Level, LevelVersion, Pod, Policy, reasons, told, violations};
use serde_json::Value;

use super::{Operation, Review};
use crate::remarks::Remarks;
use crate::status::Status;
use crate::world::{Stored, World};

/// How many pods are looked at when a namespace is labelled.
const MOST_PODS: usize = 3000;

const VIOLATIONS: &str = "pod-security.kubernetes.io/audit-violations";
const ENFORCED: &str = "pod-security.kubernetes.io/enforce-policy";
const ERROR: &str = "pod-security.kubernetes.io/error";

/// Judges namespaces, pods, and what makes pods.
pub(super) fn check(world: &World, review: &Review<'_>) -> Result<(), Status> {
    if review.operation == Operation::Delete {
        return Ok(());
    }
    match (&*review.resource.id, review.subresource) {
        ("namespaces", "") => namespace(world, review),
        ("pods", "" | "ephemeralcontainers" | "resize") => pod(world, review),
        (
            "replicationcontrollers"
            | "podtemplates"
            | "replicasets.apps"
            | "deployments.apps"
            | "statefulsets.apps"
            | "daemonsets.apps"
            | "jobs.batch",
            "",
        ) => {
            let pointer = if &*review.resource.id == "podtemplates" { "/template" } else { "/spec/template" };
            template(world, review, pointer);
            Ok(())
        }
        ("cronjobs.batch", "") => {
            template(world, review, "/spec/jobTemplate/spec/template");
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What a namespace asks for, and whether its labels could be read.
fn policy_of(world: &World, review: &Review<'_>) -> Option<Policy> {
    let namespace = world.find("namespaces", "", review.namespace)?;
    let (policy, errors) = Policy::of_labels(&namespace["metadata"]["labels"]);
    if !errors.is_empty() {
        let list: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let list = if list.len() == 1 { list.concat() } else { format!("[{}]", list.join(", ")) };
        review.remarks.annotate(ERROR, format!("Failed to parse policy: {list}"));
    }
    Some(policy)
}

fn pod(world: &World, review: &Review<'_>) -> Result<(), Status> {
    let Some(policy) = policy_of(world, review) else { return Ok(()) };
    if policy.is_privileged() {
        review.remarks.annotate(ENFORCED, LevelVersion::default().to_string());
        return Ok(());
    }
    if let Some(old) = review.old
        && !is_significant(review.object, old)
    {
        return Ok(());
    }
    let pod = Pod::of(review.object);
    review.remarks.annotate(ENFORCED, policy.enforce.to_string());
    let found = violations(policy.enforce, pod);
    remark_audit(review.remarks, policy.audit, pod);
    if !found.is_empty() {
        return Err(review.forbid(format!("violates PodSecurity \"{}\": {}", policy.enforce, told(&found))));
    }
    warn(review.remarks, policy.warn, pod);
    Ok(())
}

/// A template is never refused: only its pods are.
fn template(world: &World, review: &Review<'_>, pointer: &str) {
    let Some(policy) = policy_of(world, review) else { return };
    let Some(template) = review.object.pointer(pointer).filter(|template| template.is_object()) else { return };
    let pod = Pod::of(template);
    remark_audit(review.remarks, policy.audit, pod);
    warn(review.remarks, policy.warn, pod);
}

fn remark_audit(remarks: &Remarks, policy: LevelVersion, pod: Pod<'_>) {
    let found = violations(policy, pod);
    if !found.is_empty() {
        remarks.annotate(VIOLATIONS, would_violate(policy, &told(&found)));
    }
}

fn warn(remarks: &Remarks, policy: LevelVersion, pod: Pod<'_>) {
    let found = violations(policy, pod);
    if !found.is_empty() {
        remarks.warn(would_violate(policy, &told(&found)));
    }
}

fn would_violate(policy: LevelVersion, what: &str) -> String {
    format!("would violate PodSecurity \"{policy}\": {what}")
}

/// Whether a pod is changed in what the standards look at: of what may change at all, only the images.
fn is_significant(pod: &Value, old: &Value) -> bool {
    fn list<'a>(pod: &'a Value, field: &str) -> &'a [Value] {
        pod["spec"][field].as_array().map_or(&[], Vec::as_slice)
    }
    for field in ["containers", "initContainers"] {
        let (new, before) = (list(pod, field), list(old, field));
        if new.len() != before.len() || new.iter().zip(before).any(|(new, before)| new["image"] != before["image"]) {
            return true;
        }
    }
    let known = list(old, "ephemeralContainers");
    list(pod, "ephemeralContainers").iter().any(|new| {
        let before = known.iter().find(|known| known["name"] == new["name"]);
        before.is_none_or(|before| new["image"] != before["image"])
    })
}

fn namespace(world: &World, review: &Review<'_>) -> Result<(), Status> {
    let (policy, errors) = Policy::of_labels(&review.object["metadata"]["labels"]);
    let name = review.object["metadata"]["name"].as_str().unwrap_or_default();
    let before = review.old.map(|old| Policy::of_labels(&old["metadata"]["labels"]));
    // Labels that were wrong before may stay as they are.
    if !errors.is_empty() && before.as_ref().is_none_or(|(_, known)| *known != errors) {
        return Err(Status::invalid("", "Namespace", name, errors));
    }
    let Some((before, _)) = before else { return Ok(()) };
    let (new, old) = (policy.enforce, before.enforce);
    let is_relaxed = new.version == old.version && new.level <= old.level;
    if new != old && new.level != Level::Privileged && !is_relaxed {
        warn_of_pods(world, name, new, review.remarks);
    }
    Ok(())
}

/// Tells which pods of a namespace would be refused if they came today.
fn warn_of_pods(world: &World, namespace: &str, enforce: LevelVersion, remarks: &Remarks) {
    let (first, further) = one_for_each_controller(world.list("pods", Some(namespace)).map(|stored| &**stored));
    let total = first.len() + further.len();
    let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for pod in first.into_iter().chain(further).take(MOST_PODS) {
        let violations = violations(enforce, Pod::of(pod.value()));
        if !violations.is_empty() {
            found.entry(reasons(&violations)).or_default().push(pod.name());
        }
    }
    if total > MOST_PODS {
        remarks.warn(format!(
            "new PodSecurity enforce level only checked against the first {MOST_PODS} of {total} existing pods"
        ));
    }
    if found.is_empty() {
        return;
    }
    remarks.warn(format!(
        "existing pods in namespace {namespace:?} violate the new PodSecurity enforce level \"{enforce}\""
    ));
    let mut told: Vec<String> = found
        .iter()
        .map(|(reasons, pods)| {
            let name = pods.iter().min().copied().unwrap_or_default();
            match pods.len() {
                1 => format!("{name}: {reasons}"),
                2 => format!("{name} (and 1 other pod): {reasons}"),
                many => format!("{name} (and {} other pods): {reasons}", many - 1),
            }
        })
        .collect();
    told.sort();
    remarks.warn_all(told);
}

/// One pod of each controller and those of none, and the rest.
fn one_for_each_controller<'w>(pods: impl Iterator<Item = &'w Stored>) -> (Vec<&'w Stored>, Vec<&'w Stored>) {
    let mut seen = HashSet::new();
    pods.partition(|pod| pod.controller_uid().is_none_or(|uid| seen.insert(uid.to_owned())))
}
