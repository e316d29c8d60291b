use landfall_diag::{Finding, Severity};
use landfall_object::diff::{Brief, drift};
use landfall_object::schema::Schemas;
use landfall_object::{Gvk, Object, Quantity};
use serde_json::Value;

use crate::classes::is_assumed;
use crate::outcome::Removal;
use crate::rule::Rule;
use crate::subject::{Desired, Door, Known, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF112",
    title: "no immutable field changes and no claim shrinks",
    severity: Severity::Error,
    why: "The API refuses the write, and the delivery stops in the middle: what came before it is new, what comes after \
          it is old. A claim that was made smaller in git blocks every later sync.",
    advice: "Put the old value back, or replace the object on purpose: delete it first, or give it another name.",
    check,
};

/// Fields that cannot change once the object is there: group, kind, and how the path begins.
const IMMUTABLE: &[(&str, &str, &[&str])] = &[
    ("apps", "Deployment", &["spec.selector"]),
    ("apps", "ReplicaSet", &["spec.selector"]),
    ("apps", "DaemonSet", &["spec.selector"]),
    ("batch", "Job", &["spec.selector", "spec.template", "spec.completionMode", "spec.podFailurePolicy"]),
    ("", "Service", &["spec.clusterIP", "spec.ipFamilies[0]"]),
    ("", "Secret", &["type"]),
    ("", "PersistentVolume", &["spec.volumeMode", "spec.csi", "spec.hostPath", "spec.nfs", "spec.local"]),
    ("rbac.authorization.k8s.io", "RoleBinding", &["roleRef"]),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", &["roleRef"]),
    ("storage.k8s.io", "StorageClass", &["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"]),
    ("networking.k8s.io", "IngressClass", &["spec.controller"]),
    ("scheduling.k8s.io", "PriorityClass", &["value", "preemptionPolicy"]),
    ("apiextensions.k8s.io", "CustomResourceDefinition", &["spec.group", "spec.names.plural", "spec.scope"]),
];

/// All that may change in a StatefulSet's spec.
const STATEFUL_MUTABLE: &[&str] = &[
    "spec.replicas",
    "spec.ordinals",
    "spec.template",
    "spec.updateStrategy",
    "spec.revisionHistoryLimit",
    "spec.persistentVolumeClaimRetentionPolicy",
    "spec.minReadySeconds",
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let schemas = Schemas::builtin();
    let mut findings = Vec::new();
    for desired in subject.objects().filter(|desired| !is_made_anew(desired)) {
        let key = desired.key();
        let Some(live) = subject.before.of(&key).filter(|live| !leaves(subject, desired, live)) else { continue };
        let name = format!("{}/{}", key.gvk.kind, key.name);
        let refused = |path: &str, from: Option<&Value>, to: Option<&Value>| {
            let change = told(path, from, to);
            if key.gvk.kind != "PersistentVolumeClaim" {
                let refusal = immutable(&key.gvk.group, &key.gvk.kind, live, path)?;
                let finding = RULE.finding(format!("{name} cannot change {change}"));
                return Some(finding.because(refusal).at(desired.spot_at(path)));
            }
            let finding = match claim(subject, (desired, live), path, from, to)? {
                Claim::Refused(refusal) => RULE.finding(format!("{name} cannot change {change}")).because(refusal).help(
                    "put the old value back; what has to be otherwise is a claim of another name, into which the data is \
                     copied: deleting this one loses it",
                ),
                Claim::Grows => RULE
                    .finding(format!("{name} may not be able to change {change}"))
                    .weighing(Severity::Warning)
                    .because("no cluster was read: whether the claim's class lets it grow is not known")
                    .help(
                        "ask the cluster: `kubectl get storageclass`, column ALLOWVOLUMEEXPANSION; or rehearse onto what runs \
                         there, with `--context`",
                    ),
            };
            Some(finding.at(desired.spot_at(path)))
        };
        let drift = drift(&desired.object, live, None, &schemas);
        findings.extend(drift.iter().filter_map(|it| refused(&it.path, it.from.as_ref(), it.to.as_ref())));
        let gone = taken_away(subject, live).filter(|it| !is_carried_over(&key.gvk, it.path));
        findings.extend(gone.filter_map(|it| refused(it.path, it.from, None)));
        findings.extend(narrower_selector(desired, live, &name));
    }
    findings
}

/// Fields that the last delivery had set and this one leaves out: its plan says so.
fn taken_away<'s>(subject: &Subject<'s>, live: &'s Object) -> impl Iterator<Item = &'s Removal<'s>> {
    subject.trials.first().into_iter().flat_map(|outcome| &outcome.removals).filter(|it| live.is_at(it.object))
}

/// Whether the API fills in what it has where a change leaves a field out: addresses and families of a Service
/// (`patchAllocatedValues` of its registry), so that taking them away is no change.
fn is_carried_over(gvk: &Gvk, path: &str) -> bool {
    gvk.group.is_empty()
        && gvk.kind == "Service"
        && ["spec.clusterIP", "spec.ipFamilies"].iter().any(|it| path.starts_with(it))
}

/// Whether what is there goes while its successor gets another name: that of the release's next revision, or of another moment.
fn leaves(subject: &Subject<'_>, desired: &Desired, live: &Object) -> bool {
    let renamed = subject.unit(&desired.unit).is_some_and(|unit| {
        unit.is_named_anew(desired) || (matches!(unit.door, Door::Release) && unit.counts_revisions(desired))
    });
    renamed || subject.goes(live)
}

/// Hooks and what is replaced by force are deleted before they are created.
fn is_made_anew(desired: &Desired) -> bool {
    let object = &desired.object;
    object.is_forced_by_argo() || object.is_remade_by_argo() || matches!(desired.role, Role::Hook { .. })
}

fn immutable(group: &str, kind: &str, live: &Object, path: &str) -> Option<String> {
    let refused = || Some(format!("the API answers that {path} is immutable"));
    if (group, kind) == ("apps", "StatefulSet") {
        let free = !path.starts_with("spec.") || STATEFUL_MUTABLE.iter().any(|free| begins(path, free));
        return (!free).then(|| {
            "the API forbids updates to a StatefulSet's spec other than replicas, template and update strategy"
                .to_owned()
        });
    }
    if matches!((group, kind), ("", "Secret" | "ConfigMap")) && live.bool_at("/immutable") == Some(true) {
        let is_data = ["data", "stringData", "binaryData", "immutable"].iter().any(|field| begins(path, field));
        return if is_data { refused() } else { None };
    }
    let (_, _, fields) = IMMUTABLE.iter().find(|(of, it, _)| *of == group && *it == kind)?;
    if fields.iter().any(|field| begins(path, field)) { refused() } else { None }
}

/// What comes of a change of a claim.
enum Claim {
    /// The API's answer.
    Refused(String),
    /// Its class says whether it may, and nobody knows that class.
    Grows,
}

/// What comes of a change of a claim: the API has three texts for three states (v1.36).
fn claim(
    subject: &Subject<'_>,
    (desired, live): (&Desired, &Object),
    path: &str,
    from: Option<&Value>,
    to: Option<&Value>,
) -> Option<Claim> {
    if !path.starts_with("spec.") || begins(path, "spec.volumeAttributesClassName") {
        return None;
    }
    let frozen =
        "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
    // Of a claim that stands in a revision it is not known: it will be bound by now.
    let is_bound = live.str_at("/status/phase").is_none_or(|phase| phase == "Bound");
    if !is_bound || !begins(path, "spec.resources.requests") {
        return Some(Claim::Refused(format!("the API answers: {frozen}")));
    }
    let size = |value: Option<&Value>| Quantity::from_json(value?).ok();
    let capacity = size(live.at("/status/capacity/storage")).or_else(|| size(from))?;
    let wanted = size(to)?;
    match wanted.minus(&capacity).signum() {
        -1 => {
            let answer = "the API answers: field can not be less than status.capacity; volumes do not shrink";
            Some(Claim::Refused(answer.to_owned()))
        }
        1 => growth(subject, desired, live),
        _ => None,
    }
}

/// What comes of it where a claim grows.
fn growth(subject: &Subject<'_>, desired: &Desired, live: &Object) -> Option<Claim> {
    let class = live.str_at("/spec/storageClassName").unwrap_or_default();
    let found = subject.find("storage.k8s.io", "StorageClass", None, class);
    let is_unread = subject.cluster.known == Known::Assumed;
    let is_unnamed = desired.object.str_at("/spec/storageClassName").is_none();
    if is_unread && (is_unnamed || found.is_none_or(|class| is_assumed(class.object()))) {
        return Some(Claim::Grows);
    }
    let may = found.is_some_and(|class| class.object().bool_at("/allowVolumeExpansion") == Some(true));
    (!may).then(|| {
        Claim::Refused(
            "the API answers: only dynamically provisioned pvc can be resized and the storageclass that provisions \
             the pvc must support resize"
                .to_owned(),
        )
    })
}

/// A selector that names fewer labels than the live one is another selector too.
fn narrower_selector(desired: &Desired, live: &Object, name: &str) -> Option<Finding> {
    if !matches!(desired.object.kind(), "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet") {
        return None;
    }
    let labels = |object: &Object| object.at("/spec/selector/matchLabels").and_then(Value::as_object).cloned();
    let (wanted, there) = (labels(&desired.object)?, labels(live)?);
    let gone: Vec<&str> = there.keys().filter(|label| !wanted.contains_key(*label)).map(String::as_str).collect();
    (!gone.is_empty()).then(|| {
        RULE.finding(format!("{name} cannot drop {} from its selector", gone.join(", ")))
            .because("the API answers that spec.selector is immutable")
            .at(desired.spot_at("spec.selector.matchLabels"))
    })
}

fn begins(path: &str, with: &str) -> bool {
    path.strip_prefix(with).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// `spec.x from `1` to `2``, of long texts the line that differs.
fn told(path: &str, from: Option<&Value>, to: Option<&Value>) -> String {
    let Brief { line, from, to } = Brief::of(from, to, 60);
    let line = line.map(|line| format!(", line {line},")).unwrap_or_default();
    let quoted = |text: String| if text == "(none)" { "nothing".to_owned() } else { format!("`{text}`") };
    format!("{path}{line} from {} to {}", quoted(from), quoted(to))
}
