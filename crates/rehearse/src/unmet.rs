//! Faults that concern nothing: what they were to show would not have been tried.

use landfall_delivery::Candidate;
use landfall_diag::{Diagnostic, code, nearest};
use landfall_drydock::Fault;
use landfall_object::Object;

use crate::study::{Conditions, first_look};

/// What the objects are that a fault is looked for among.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// All that came of a delivery that ended well.
    Everything,
    /// What is declared, or came of a delivery that ended early: what controllers would make of it is missing.
    Declared,
}

/// The faults that are about nothing that would be delivered, each with what there is; for a command that is about to
/// deliver. What a chart renders with a cluster's help alone is not seen.
pub fn faults_of_nothing(candidates: &[Candidate], faults: &[String]) -> Vec<Diagnostic> {
    let faults: Vec<Fault> = faults.iter().filter_map(|written| written.parse().ok()).collect();
    if faults.is_empty() {
        return Vec::new();
    }
    let objects = first_look(candidates, &Conditions::offline());
    // Nothing renders without the cluster.
    if objects.is_empty() {
        return Vec::new();
    }
    unmet(&faults, &objects.iter().collect::<Vec<_>>(), Seen::Declared)
}

/// A refusal for each fault that is about none of the objects.
pub(crate) fn unmet(faults: &[Fault], objects: &[&Object], seen: Seen) -> Vec<Diagnostic> {
    let is_there = |kinds: &[&str]| objects.iter().any(|object| kinds.contains(&object.kind()));
    let may_come = |fault: &Fault| match fault.kind {
        "pod" => is_there(&["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"]),
        "replicaset" => is_there(&["Deployment"]),
        "job" => is_there(&["CronJob"]),
        "persistentvolumeclaim" => is_there(&["StatefulSet"]),
        _ => false,
    };
    let missed = faults.iter().filter(|fault| {
        let met = objects.iter().any(|object| concerns(fault, object));
        !met && (seen == Seen::Everything || !may_come(fault))
    });
    missed.map(|fault| refusal(fault, objects)).collect()
}

fn concerns(fault: &Fault, object: &Object) -> bool {
    // An object without a namespace of its own gets its release's, which may be the fault's.
    let namespace = object.namespace().or(fault.namespace.as_deref()).unwrap_or_default();
    fault.concerns(&object.kind().to_ascii_lowercase(), namespace, object.name())
}

fn refusal(fault: &Fault, objects: &[&Object]) -> Diagnostic {
    let of_kind = objects.iter().filter(|object| object.kind().to_ascii_lowercase() == fault.kind);
    let mut names: Vec<&str> = of_kind.map(|object| object.name()).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    let mut told = Diagnostic::error(
        code::FAULT_FOR_NOTHING,
        format!("fault {fault}: nothing delivered is a {} `{}`", fault.kind, fault.name),
    )
    .note("nothing would go wrong, and that is not what was asked for");
    if let Some(near) = nearest(&fault.name, names.iter().copied()) {
        told = told.help(format!("did you mean `{}/{near}`?", fault.kind));
    } else if names.is_empty() {
        told = told.help(format!("there is no {} here", fault.kind));
    } else {
        told = told.help(format!("there are: {}", names.join(", ")));
    }
    told
}

#[cfg(test)]
mod tests {
    use landfall_object::{Gvk, ObjectKey};

    use super::*;

    fn told(faults: &[&str], seen: Seen) -> Vec<String> {
        let job = Object::new(&ObjectKey::new(Gvk::new("batch", "v1", "Job"), Some("shop"), "shop-migrate-3"));
        let web = Object::new(&ObjectKey::new(Gvk::new("apps", "v1", "Deployment"), None, "web"));
        let faults: Vec<Fault> = faults.iter().map(|written| written.parse().expect("a fault")).collect();
        let refusals = unmet(&faults, &[&job, &web], seen);
        refusals.into_iter().map(|told| format!("{} {:?}", told.message, told.helps)).collect()
    }

    #[test]
    fn a_fault_of_nothing_is_refused_with_what_there_is() {
        assert!(told(&["job/migrate=fail", "deploy/shop/web=oom"], Seen::Everything).is_empty());
        let told_of = |fault: &str| told(&[fault], Seen::Everything).join("");
        assert!(told_of("job/shop-migrat-3=fail").contains("did you mean `job/shop-migrate-3`?"));
        assert!(told_of("job/other/migrate=fail").contains("there are: shop-migrate-3"), "of another namespace");
        assert!(told_of("deploy/seed=crashloop").contains("there are: web"));
        assert!(told_of("pvc/data=unbound").contains("there is no persistentvolumeclaim here"));
    }

    #[test]
    fn what_a_controller_would_make_may_be_missing_yet() {
        assert!(told(&["pod/web-0=oom"], Seen::Declared).is_empty());
        assert_eq!(told(&["pod/web-0=oom"], Seen::Everything).len(), 1);
        assert_eq!(told(&["deploy/seed=oom"], Seen::Declared).len(), 1);
        assert_eq!(told(&["job/seed=fail"], Seen::Declared).len(), 1, "there is no CronJob that could make it");
    }
}
