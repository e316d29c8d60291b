mod not_made;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use landfall_diag::{Finding, Severity, Spot};
use landfall_object::references::{Certainty, Lack, Need, Reference, data_keys, programs, provides, references};
use landfall_object::{Object, ObjectKey, is_object_name};

use self::not_made::condition_of;
use crate::rule::Rule;
use crate::subject::{Desired, DesiredUnit, Door, Known, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF103",
    title: "every Secret, ConfigMap, claim and account that is referred to exists",
    severity: Severity::Error,
    why: "A container whose Secret or key is missing never starts: the rollout hangs until its deadline while nothing in \
          the chart looks wrong. This is what broke most often.",
    advice: "Add the missing object or key, or correct the name that refers to it.",
    check,
};

/// What this rule answers for; Services and routes are LF105's, classes and issuers LF132's.
const KINDS: &[&str] =
    &["Secret", "ConfigMap", "PersistentVolumeClaim", "ServiceAccount", "PriorityClass", "RuntimeClass"];

/// What every namespace or cluster has by itself.
const AUTOMATIC: &[(&str, &str)] = &[
    ("ServiceAccount", "default"),
    ("ConfigMap", "kube-root-ca.crt"),
    ("PriorityClass", "system-node-critical"),
    ("PriorityClass", "system-cluster-critical"),
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let there = There::of(subject);
    let around: Vec<&Object> = subject.staying().chain(subject.objects().map(|desired| &desired.object)).collect();
    let programs = programs(around.iter().copied());
    let mut findings = Vec::new();
    for desired in subject.objects() {
        let written = OnceCell::new();
        for reference in references(&desired.object) {
            if reference.need == Need::Optional
                || !KINDS.contains(&reference.kind.as_str())
                || AUTOMATIC.contains(&(reference.kind.as_str(), reference.name.as_str()))
                || is_controllers_account(subject, &reference)
            {
                continue;
            }
            let (what, known) = match (there.keys(&reference), &reference.key) {
                (None, _) => (format!("{} `{}`", reference.kind, reference.name), BTreeSet::new()),
                (Some(Some(keys)), Some(key)) if !keys.contains(key) => {
                    (format!("key `{key}` of {} `{}`", reference.kind, reference.name), keys.clone())
                }
                _ => continue,
            };
            let namespace = reference.namespace.as_deref();
            let is_possible = is_object_name(&reference.name);
            let lack = if there.keys(&reference).is_some() { Lack::Key } else { Lack::Object };
            let maker = programs
                .iter()
                .filter_map(|program| {
                    let certainty =
                        program.makes(&reference.kind, namespace, &reference.name, lack, &desired.object)?;
                    let is_asked = || waits(&around, &program.owner, &reference);
                    (certainty == Certainty::Named || !is_asked()).then_some((certainty, program))
                })
                .max_by_key(|(certainty, _)| *certainty)
                .filter(|(certainty, _)| is_possible || *certainty == Certainty::Named);
            if let Some(elsewhere) = account_elsewhere(subject, desired, &reference) {
                findings.push(elsewhere);
                continue;
            }
            let finding = finding(&reference, &what, &known, desired.object.kind());
            let finding = match maker {
                Some((Certainty::Named, _)) => continue,
                Some((Certainty::Allowed, program)) => finding.weighing(Severity::Warning).because(format!(
                    "it has to come from {} `{}`, which may create Secrets and is not told this one's name",
                    program.owner.gvk.kind, program.owner.name
                )),
                None if there.keys(&reference).is_none() => weighed(subject, &there, desired, &reference, finding),
                None => finding,
            };
            let finding = finding.at(desired.spot_at(&reference.path));
            let unit = subject.unit(&desired.unit).filter(|_| there.keys(&reference).is_none());
            let condition = unit.and_then(|unit| {
                let written = written.get_or_init(|| unit.rendered.written(&desired.key()));
                condition_of(unit, desired, written.as_ref(), &reference)
            });
            findings.push(match condition {
                Some(condition) => finding
                    .help(format!(
                        "the chart makes it only where `{}` holds: name what is there otherwise",
                        condition.asks
                    ))
                    .at(Spot { unit: Some(desired.unit.clone()), ..Spot::file(condition.place) }),
                None => finding,
            });
        }
    }
    findings.extend(namespaces(subject));
    findings.extend(going(subject));
    findings
}

/// A binding for an account that the same release makes in another namespace.
fn account_elsewhere(subject: &Subject<'_>, desired: &Desired, reference: &Reference) -> Option<Finding> {
    if reference.kind != "ServiceAccount" || !desired.object.kind().ends_with("Binding") {
        return None;
    }
    let accounts = subject.of_kind("", "ServiceAccount").filter(|it| it.unit == desired.unit);
    let mut named = accounts.filter(|it| it.object.name() == reference.name);
    let (made, None) = (named.next()?, named.next()) else { return None };
    let (kind, name) = (desired.object.kind(), desired.object.name());
    let (there, here) = (made.object.namespace()?, reference.namespace.as_deref()?);
    Some(
        RULE.finding(format!(
            "{kind} `{name}` is for ServiceAccount `{}` of namespace {here}, and the release makes it in {there}",
            reference.name
        ))
        .weighing(Severity::Warning)
        .because("the rights are given to nobody")
        .help(format!("write `namespace: {there}` there, by the template that the account has it from"))
        .at(desired.spot_at(&reference.path)),
    )
}

/// Whether a workload itself does not start without what is referred to: it is not what makes it.
fn waits(around: &[&Object], owner: &ObjectKey, needed: &Reference) -> bool {
    let own = around.iter().filter(|object| object.key() == *owner).flat_map(|object| references(object));
    let mut same =
        own.filter(|it| it.kind == needed.kind && it.name == needed.name && it.namespace == needed.namespace);
    same.any(|it| it.need == Need::Start)
}

/// What nobody brings may be there from elsewhere, on a cluster that was not read: a warning, unless a name that is
/// delivered was most likely meant, or nothing can be called so, or the base had it, or referred to something that it had.
fn weighed(
    subject: &Subject<'_>,
    there: &There,
    desired: &Desired,
    reference: &Reference,
    finding: Finding,
) -> Finding {
    if let Some(near) = there.near(reference, &desired.unit) {
        return finding.weighing(Severity::Error).help(format!("did you mean `{near}`?"));
    }
    if !is_object_name(&reference.name) {
        let finding = if is_pull_secret(reference) { finding.weighing(Severity::Warning) } else { finding };
        return finding
            .because(
                "nobody can bring it: the API takes small letters, digits, `-` and `.` in a name, and nothing else",
            )
            .help(format!("call it otherwise, where it is made, too: `{}` is no name", reference.name));
    }
    match subject.cluster.known == Known::Live || was_there(subject, desired, reference) {
        true => finding,
        false => finding.weighing(Severity::Warning),
    }
}

/// Whether the base brought what is referred to, or what the same field referred to there.
fn was_there(subject: &Subject<'_>, desired: &Desired, reference: &Reference) -> bool {
    let base = subject.base.unwrap_or_default();
    let brought = |kind: &str, namespace: Option<&str>, name: &str| {
        let mut objects = base.iter().flat_map(|unit| &unit.objects);
        objects.any(|it| it.object.kind() == kind && it.object.name() == name && it.object.namespace() == namespace)
    };
    let (object, namespace) = (&desired.object, reference.namespace.as_deref());
    let before =
        base.iter().find_map(|unit| unit.object(object.group(), object.kind(), object.namespace(), object.name()));
    let referred = before.into_iter().flat_map(|it| references(&it.object)).find(|it| it.path == reference.path);
    let was_other = referred.is_some_and(|it| it.kind == reference.kind && brought(&it.kind, namespace, &it.name));
    was_other || brought(&reference.kind, namespace, &reference.name)
}

/// What every cluster has.
const NAMESPACES: &[&str] = &["default", "kube-system", "kube-public", "kube-node-lease"];

/// Namespaces that objects are put into and that nobody makes.
fn namespaces(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for desired in &unit.objects {
            let Some(namespace) = desired.object.namespace().filter(|it| !it.is_empty()) else { continue };
            let is_made = namespace == unit.namespace && makes_its_namespace(unit);
            if is_made || NAMESPACES.contains(&namespace) || subject.find("", "Namespace", None, namespace).is_some() {
                continue;
            }
            let others = subject.units.iter().map(|unit| unit.namespace.as_str());
            let delivered = subject.of_kind("", "Namespace").map(|it| it.object.name());
            let near = landfall_diag::slip(namespace, others.chain(delivered).filter(|it| *it != namespace));
            let finding = RULE
                .finding(format!("Namespace `{namespace}` is neither delivered nor on the cluster"))
                .because("the API refuses what is put into it, and nothing of the delivery begins");
            let finding = match (near, subject.cluster.known) {
                (Some(near), _) => finding.help(format!("did you mean `{near}`?")),
                (None, Known::Live) => finding.help(format!("`kubectl create namespace {namespace}` first")),
                (None, Known::Assumed) => finding.weighing(Severity::Warning).help(format!(
                    "let the chart render Namespace `{namespace}`, create it first, or leave the namespace to the release"
                )),
            };
            findings.push(finding.at(desired.spot_at("metadata.namespace")));
        }
    }
    findings
}

/// Whether the delivery of a unit makes the namespace that it goes to.
fn makes_its_namespace(unit: &DesiredUnit) -> bool {
    match &unit.door {
        Door::Release => true,
        Door::Application(application) => {
            let options = application.list_at("/spec/syncPolicy/syncOptions");
            options.iter().any(|option| option == "CreateNamespace=true")
        }
    }
}

/// What is there after an installation and goes with the upgrade, while it is still referred to: its template renders it
/// for an installation alone.
fn going(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(trial) = subject.trials.first() else { return Vec::new() };
    let mut findings = Vec::new();
    for desired in subject.objects() {
        for reference in references(&desired.object) {
            if reference.need != Need::Start || !KINDS.contains(&reference.kind.as_str()) {
                continue;
            }
            let (kind, name) = (reference.kind.as_str(), reference.name.as_str());
            let namespace = reference.namespace.as_deref();
            let Some(target) = subject.desired("", kind, namespace, name) else { continue };
            if !subject.goes(&target.object) || trial.after.get("", kind, namespace, name).is_some() {
                continue;
            }
            findings.push(
                RULE.finding(format!("{kind} `{name}` is deleted by the upgrade, and still referred to"))
                    .keyed(format!("{kind} {name} goes"))
                    .because("an upgrade does not render it, and what a release no longer renders is deleted: the next pod cannot start")
                    .help("render it with upgrades, too, or annotate it with `helm.sh/resource-policy: keep`")
                    .at(target.spot())
                    .at(desired.spot_at(&reference.path)),
            );
        }
    }
    findings
}

/// Whether it is an account in the namespace where every cluster's own controllers have theirs, one for each.
fn is_controllers_account(subject: &Subject<'_>, reference: &Reference) -> bool {
    subject.cluster.known == Known::Assumed
        && reference.kind == "ServiceAccount"
        && reference.namespace.as_deref() == Some("kube-system")
}

/// Whether images are pulled with it: those that are public are without.
fn is_pull_secret(reference: &Reference) -> bool {
    reference.path.contains("imagePullSecrets")
}

fn finding(reference: &Reference, what: &str, known: &BTreeSet<String>, user: &str) -> Finding {
    let is_pull_secret = is_pull_secret(reference);
    let namespace =
        reference.namespace.as_deref().map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default();
    let cause = match (reference.kind.as_str(), reference.need) {
        _ if is_pull_secret => "private images cannot be pulled without it",
        ("PersistentVolumeClaim", _) => "no node takes the pod until the claim is there",
        ("ServiceAccount", _) if user.ends_with("Binding") => "the rights are given to nobody until it appears",
        ("ServiceAccount" | "PriorityClass" | "RuntimeClass", _) => "no pod is created without it",
        (_, Need::Start) => "the container cannot start without it",
        _ => "what needs it does not work until it appears",
    };
    let near = reference.key.as_deref().and_then(|key| landfall_diag::nearest(key, known.iter().map(String::as_str)));
    let help = match (near, known.is_empty(), &reference.key) {
        (Some(near), _, _) => format!("did you mean `{near}`?"),
        (None, false, Some(key)) => {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            format!("add `{key}` to {} `{}`; it has {}", reference.kind, reference.name, known.join(", "))
        }
        _ => format!(
            "let the chart render {} `{}`, create it first{namespace}, or rehearse with `--from live` if it is there",
            reference.kind, reference.name
        ),
    };
    let severity = if reference.need == Need::Start || is_pull_secret { Severity::Error } else { Severity::Warning };
    RULE.finding(format!("{what} is neither delivered nor on the cluster"))
        .keyed(format!("{what}{namespace}"))
        .weighing(severity)
        .because(cause)
        .help(help)
}

/// Kind, namespace and name.
type Id = (String, Option<String>, String);

/// What there will be after the change: objects, and their keys where those are known.
struct There {
    objects: BTreeMap<Id, Option<BTreeSet<String>>>,
}

impl There {
    fn of(subject: &Subject<'_>) -> Self {
        let mut objects: BTreeMap<Id, Option<BTreeSet<String>>> = BTreeMap::new();
        // Later ones count before earlier ones: what is delivered before what is live, so that a key that the delivery
        // removes is missing, and one that it gives an operator to add is there.
        for delivered in [false, true] {
            let all: Vec<&Object> = match delivered {
                true => subject.objects().map(|desired| &desired.object).collect(),
                false => subject.staying().collect(),
            };
            for provided in all.iter().flat_map(|object| provides(object)) {
                let id = (provided.kind, provided.namespace, provided.name);
                objects.insert(id, provided.keys.map(|keys| keys.into_iter().collect()));
            }
            for object in all.into_iter().filter(|object| KINDS.contains(&object.kind())) {
                let id = (object.kind().to_owned(), object.namespace().map(str::to_owned), object.name().to_owned());
                objects.insert(id, data_keys(object));
            }
        }
        There { objects }
    }

    /// What was most likely meant by a name that nothing bears: a name that only a slip of the hand, or the release's own
    /// name in front, tells from it.
    fn near(&self, reference: &Reference, unit: &str) -> Option<&str> {
        let beside = || {
            self.objects
                .keys()
                .filter(|(kind, namespace, _)| *kind == reference.kind && *namespace == reference.namespace)
                .map(|(_, _, name)| name.as_str())
        };
        let names_unit = |long: &str, short: &str| {
            let front = long.strip_suffix(short).and_then(|front| front.strip_suffix('-'));
            front.is_some_and(|front| front == unit || front.strip_prefix(unit).is_some_and(|it| it.starts_with('-')))
        };
        let without_unit =
            || beside().find(|name| names_unit(name, &reference.name) || names_unit(&reference.name, name));
        landfall_diag::slip(&reference.name, beside()).or_else(without_unit)
    }

    /// `None` when it is not there, `Some(None)` when its keys are not known.
    fn keys(&self, reference: &Reference) -> Option<&Option<BTreeSet<String>>> {
        self.objects.get(&(reference.kind.clone(), reference.namespace.clone(), reference.name.clone()))
    }
}
